"""What a template's roles may do: policies of the role, policies that name it, boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cpjob.iam.managed_policies import managed_policy
from pytest_cpjob.iam.policies import Permissions, Statement, read_policies
from pytest_cpjob.pipelines.templates import Template
from pytest_cpjob.pipelines.unresolved import Unresolved, marked_copy

_ATTACHED = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")


class Roles:
    """The roles of several templates, by ARN and by name."""

    def __init__(self, templates: list[Template]) -> None:
        self._templates = templates
        self._known: dict[tuple[int, str], Permissions] = {}

    def permissions(self, arn: Any) -> Permissions | None:
        """Return what a role may do; None for one that no template makes."""
        if not isinstance(arn, str):
            return None
        for template in self._templates:
            for logical_id in template.of_type("AWS::IAM::Role"):
                if arn in (
                    template.attribute(logical_id, "Arn", logical_id),
                    template.name_of(logical_id),
                ):
                    return self._of(template, logical_id)
        return None

    def _of(self, template: Template, logical_id: str) -> Permissions:
        key = (id(template), logical_id)
        if key not in self._known:
            self._known[key] = self._read(template, logical_id)
        return self._known[key]

    def _read(self, template: Template, logical_id: str) -> Permissions:
        statements: list[Statement] = []
        unknown: list[str] = []
        place = f"Resources.{logical_id}.Properties"
        source = template.source.name
        for number, policy in enumerate(_listed(template.property(logical_id, "Policies"))):
            where = f"{source}: {place}.Policies[{number}].PolicyDocument"
            document = policy.get("PolicyDocument") if isinstance(policy, Mapping) else policy
            _add_document(document, where, statements, unknown)
        for number, policy in enumerate(
            _listed(template.property(logical_id, "ManagedPolicyArns"))
        ):
            where = f"{source}: {place}.ManagedPolicyArns[{number}]"
            self._add_managed(policy, where, statements, unknown)
        self._add_attached(template, logical_id, statements, unknown)
        boundary = template.property(logical_id, "PermissionsBoundary")
        return Permissions(
            f"role {logical_id}",
            tuple(statements),
            tuple(unknown),
            None if boundary is None else self._boundary(boundary, f"{source}: {place}"),
        )

    def _boundary(self, policy: Any, place: str) -> Permissions:
        statements: list[Statement] = []
        unknown: list[str] = []
        where = f"{place}.PermissionsBoundary"
        self._add_managed(policy, where, statements, unknown)
        return Permissions(where, tuple(statements), tuple(unknown))

    def _add_managed(
        self, policy: Any, where: str, statements: list[Statement], unknown: list[str]
    ) -> None:
        """Add what a managed policy allows: AWS's, one of the templates', or nobody knows."""
        if isinstance(policy, Mapping) and "Statement" in policy:
            _add_document(policy, where, statements, unknown)
            return
        if isinstance(policy, str):
            for template in self._templates:
                for logical_id in template.of_type("AWS::IAM::ManagedPolicy"):
                    if template.name_of(logical_id) == policy:
                        _add_policy(template, logical_id, statements, unknown)
                        return
            known = managed_policy(policy) if _is_aws_managed(policy) else None
            if known is not None:
                statements.extend(known)
                return
        unknown.append(f"{where}: {policy!r:.80}")

    def _add_attached(
        self, of: Template, role: str, statements: list[Statement], unknown: list[str]
    ) -> None:
        """Add the policies that name the role themselves, as CDK writes them."""
        name = of.name_of(role)
        for template in self._templates:
            for logical_id in template.of_type(*_ATTACHED):
                roles = template.property(logical_id, "Roles")
                if roles is None:
                    roles = [template.property(logical_id, "RoleName")]
                for each in _listed(roles):
                    if each == name:
                        _add_policy(template, logical_id, statements, unknown)
                    elif isinstance(each, Unresolved):
                        unknown.append(f"{template.source.name}: Resources.{logical_id}")


def _is_aws_managed(policy: str) -> bool:
    """Tell a policy of AWS's from an account's own one of the same name."""
    return not policy.startswith("arn:") or ":iam::aws:" in policy


def _add_policy(
    template: Template, logical_id: str, statements: list[Statement], unknown: list[str]
) -> None:
    where = f"{template.source.name}: Resources.{logical_id}.Properties.PolicyDocument"
    sure = template.is_made(logical_id) is True
    found: list[Statement] = []
    _add_document(template.property(logical_id, "PolicyDocument"), where, found, unknown)
    statements.extend(each if sure else each._replace(conditional=True) for each in found)


def _add_document(
    document: Any, where: str, statements: list[Statement], unknown: list[str]
) -> None:
    if not isinstance(document, Mapping):
        unknown.append(where)
        return
    listed = document.get("Statement")
    if listed == []:
        read_policies(document, where)  # refuses it
    certain = []
    for number, each in enumerate(_listed(listed)):
        if isinstance(each, Mapping):
            certain.append((number, each))
        else:
            unknown.append(f"{where}.Statement[{number}]")
    for number, each in certain:
        [statement] = read_policies({"Statement": marked_copy(each)}, where)
        statements.append(statement._replace(where=f"{where}.Statement[{number}]"))


def _listed(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
