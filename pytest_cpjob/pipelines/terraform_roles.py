"""What the roles of a Terraform state or plan may do."""

from __future__ import annotations

import json
from typing import Any, Final

from pytest_cpjob.iam.managed_policies import managed_policy
from pytest_cpjob.iam.policies import Permissions, Statement, read_policies
from pytest_cpjob.pipelines.terraform_resources import Resource, Resources
from pytest_cpjob.pipelines.unresolved import Unresolved

_ATTACHMENTS: Final = (
    ("aws_iam_role_policy_attachment", "role"),
    ("aws_iam_policy_attachment", "roles"),
)
"""The resources that attach a managed policy, and the member that names the roles."""


class TerraformRoles:
    """The roles with their policies: inline, of their own resources, attached."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def permissions(self, arn: Any) -> Permissions | None:
        """Return what a role may do; None for one that the document does not have."""
        for role in self._resources.of_kind("aws_iam_role"):
            if arn is not None and arn == self._resources.attribute(role, "arn"):
                return self._role(role)
        return None

    def _role(self, role: Resource) -> Permissions:
        names = (self._resources.value(role, "name"), self._resources.attribute(role, "id"))
        statements: list[Statement] = []
        unknown: list[str] = []
        for number, inline in enumerate(role.values.get("inline_policy") or ()):
            self._add(inline.get("policy"), role, f"inline_policy[{number}]", statements, unknown)
        for each in self._resources.of_kind("aws_iam_role_policy"):
            if self._names(each, "role", names, unknown):
                self._add(
                    self._resources.value(each, "policy"), each, "policy", statements, unknown
                )
        attached = list(role.values.get("managed_policy_arns") or ())
        for kind, member in _ATTACHMENTS:
            for each in self._resources.of_kind(kind):
                if self._names(each, member, names, unknown):
                    attached.append(self._resources.value(each, "policy_arn"))
        for arn in attached:
            self._add_managed(arn, role, statements, unknown)
        boundary = role.values.get("permissions_boundary")
        limit = None
        if boundary:
            inner: list[Statement] = []
            not_known: list[str] = []
            self._add_managed(boundary, role, inner, not_known)
            limit = Permissions(f"{role.address}.permissions_boundary", tuple(inner),
                                tuple(not_known))  # fmt: skip
        return Permissions(f"role {names[0]}", tuple(statements), tuple(unknown), limit)

    def _names(
        self, policy: Resource, member: str, names: tuple[Any, ...], unknown: list[str]
    ) -> bool:
        """Tell whether a policy is a role's; of one that does not tell, nothing is known."""
        found = self._resources.value(policy, member)
        if isinstance(found, Unresolved):
            unknown.append(f"{self._resources.name}: {policy.address}.{member}")
            return False
        return any(each in names for each in (found if isinstance(found, list) else [found]))

    def _add_managed(
        self, arn: Any, role: Resource, statements: list[Statement], unknown: list[str]
    ) -> None:
        for policy in self._resources.of_kind("aws_iam_policy"):
            if arn is not None and arn == self._resources.attribute(policy, "arn"):
                self._add(
                    self._resources.value(policy, "policy"), policy, "policy", statements, unknown
                )
                return
        known = managed_policy(arn) if isinstance(arn, str) and ":iam::aws:" in arn else None
        if known is None:
            unknown.append(f"{role.address}: {arn!r:.80}")
        else:
            statements.extend(known)

    def _add(
        self, text: Any, resource: Resource, member: str,
        statements: list[Statement], unknown: list[str],
    ) -> None:  # fmt: skip
        where = f"{self._resources.name}: {resource.address}.{member}"
        if not isinstance(text, str):
            unknown.append(where)
            return
        try:
            document = json.loads(text)
        except ValueError:
            raise ValueError(f"{where}: a policy that is not JSON") from None
        statements.extend(read_policies(document, where))
