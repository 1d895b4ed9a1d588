"""A call that a role's policies do not allow: what it needed, what comes nearest, what to write."""

from __future__ import annotations

import difflib
import json
from typing import Final, NamedTuple

from pytest_cpjob.iam.codepipeline_actions import (
    CODEPIPELINE_OTHERS,
    CODEPIPELINE_RESOURCES,
    CODEPIPELINE_WITHOUT_RESOURCE,
)
from pytest_cpjob.iam.operations import Permission
from pytest_cpjob.iam.patterns import UNKNOWN, may_match
from pytest_cpjob.iam.policies import ANYTHING, NO_RESOURCE, Statement, Verdict

_LONGEST: Final = 160


class Denial(NamedTuple):
    """What was denied, and why.

    Attributes:
        action: as IAM names it.
        resource: as a message shows it.
        why: the nearest statement, and what is wrong with it.
        way_out: the statement that would allow it.
        because: the end of AWS's message.
    """

    action: str
    resource: str
    role: str
    why: str
    way_out: str
    because: str


def denial_of(needed: Permission, verdict: Verdict) -> Denial:
    """Return the denial that a verdict is."""
    resource = "any resource" if needed.resource == ANYTHING else str(needed.resource)
    return Denial(
        needed.action,
        resource,
        verdict.permissions.name,
        _why(needed, verdict),
        _way_out(needed),
        _because(needed, verdict),
    )


def _because(needed: Permission, verdict: Verdict) -> str:
    """Return why, as AWS says it.

    Source: IAM user guide, "Troubleshoot access denied error messages".
    """
    if verdict.statement is not None:
        policy = "a permissions boundary" if verdict.by_boundary else "an identity-based policy"
        return f"with an explicit deny in {policy}"
    policy = "permissions boundary" if verdict.by_boundary else "identity-based policy"
    return f"because no {policy} allows the {needed.action} action"


def _why(needed: Permission, verdict: Verdict) -> str:
    permissions = verdict.permissions
    if verdict.statement is not None:
        return f"{_quoted(verdict.statement)} denies it"
    limit = "The permissions boundary does not allow it. " if verdict.by_boundary else ""
    allowing = [each for each in permissions.statements if each.effect == "Allow"]
    nearest = _nearest(needed.action, allowing)
    if nearest is None:
        if not allowing:
            return f"{limit}It has no statement that allows anything"
        return f"{limit}No statement is about {needed.action.partition(':')[0]}"
    if nearest.names_action(needed.action, for_sure=False):
        return f"{limit}{_quoted(nearest)}: {_wrong_resource(needed, nearest)}"
    unknown = next(filter(None, map(misspelt, nearest.actions)), "")
    why = unknown or f"it is about other actions than {needed.action}"
    return f"{limit}{_quoted(nearest)}: {why}"


def _nearest(action: str, statements: list[Statement]) -> Statement | None:
    """Return the statement that comes nearest to allowing an action, None if there is none."""
    about = [each for each in statements if each.names_action(action, for_sure=False)]
    if about:
        return about[-1]
    service = f"{action.partition(':')[0].lower()}:"
    alike = [
        (difflib.SequenceMatcher(None, action.lower(), each.lower()).ratio(), number, statement)
        for number, statement in enumerate(statements)
        if not statement.not_actions
        for each in statement.actions
        if each.lower().startswith(service)
    ]
    return max(alike)[2] if alike else None


def _wrong_resource(needed: Permission, statement: Statement) -> str:
    operation = needed.action.partition(":")[2]
    if needed.resource == NO_RESOURCE:
        return f'{operation} takes no resource: only "*" allows it'
    wrong = next(filter(None, map(impossible_arn, statement.resources)), "")
    return wrong or f"its Resource does not match {needed.resource}"


def impossible_arn(resource: str) -> str:
    """Say what is wrong with an ARN of CodePipeline that nothing has; empty if nothing is."""
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[2] == "codepipeline" and parts[5].startswith("pipeline/"):
        right = ":".join((*parts[:5], parts[5].removeprefix("pipeline/")))
        return (
            f"no pipeline has an ARN with 'pipeline/' in it, so {_shown(resource)} matches nothing:"
            f" write {_shown(right)}"
        )
    return ""


def misspelt(action: str) -> str:
    """Say that there is no such action of CodePipeline; empty if there is."""
    service, _, operation = action.partition(":")
    if service.lower() != "codepipeline" or UNKNOWN in action:
        return ""
    known = (*CODEPIPELINE_RESOURCES, *CODEPIPELINE_WITHOUT_RESOURCE, *CODEPIPELINE_OTHERS)
    if any(may_match(operation.lower(), each.lower()) for each in known):
        return ""
    near = difflib.get_close_matches(operation, known, 1, 0.4)
    hint = f"; did you mean codepipeline:{near[0]}?" if near else ""
    return f"there is no action {action!r}{hint}"


def _quoted(statement: Statement) -> str:
    """Return a statement as a message names it: its place, and what it is about as written."""
    action = (
        f"{'NotAction' if statement.not_actions else 'Action'} {_json(statement.written_action)}"
    )
    kind = "NotResource" if statement.not_resources else "Resource"
    resource = f"{kind} {_json(statement.written_resource)}"
    return f"{statement.where} ({action}, {resource})"


def _json(value: object) -> str:
    return _shown(json.dumps(value, ensure_ascii=False))


def _shown(text: str) -> str:
    text = text.replace(UNKNOWN, "...")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _way_out(needed: Permission) -> str:
    resource = "*" if UNKNOWN in needed.resource.text else str(needed.resource)
    return json.dumps({"Effect": "Allow", "Action": needed.action, "Resource": resource})
