"""Policy documents: their statements, and whether these allow an action on a resource.

Three answers: allowed, denied, can't tell. Denied is only what no reading of the documents would
allow, so that nothing is refused here which AWS would let pass (IAM user guide, "Policy evaluation
logic"). Service control policies, session policies and the policies of resources are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from pytest_cpjob.iam.patterns import UNKNOWN, matches, may_match, pattern_of

Answer = Literal["allowed", "denied", "can't tell"]

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_MEMBERS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)


class Statement(NamedTuple):
    """One statement of a policy.

    Attributes:
        where: the place it was read from, as a message names it.
        effect: `Allow` or `Deny`.
        actions: patterns; `not_actions` when all others are meant.
        resources: patterns; `not_resources` when all others are meant.
        conditional: it has a Condition.
        written_action, written_resource: as they stand in the document.
    """

    where: str
    effect: str
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditional: bool
    written_action: object
    written_resource: object

    def names_action(self, action: str, *, for_sure: bool) -> bool:
        """Tell whether the statement is about an action; letters' case does not count."""
        wanted = action.lower()
        found = any(
            (matches if for_sure != self.not_actions else may_match)(each.lower(), wanted)
            for each in self.actions
        )
        return found != self.not_actions

    def names_resource(self, resource: Resource, *, for_sure: bool) -> bool:
        """Tell whether the statement is about a resource."""
        if for_sure != self.not_resources:
            found = any(matches(each, resource.text) for each in self.resources)
        else:
            found = any(may_match(each, resource.loosely) for each in self.resources)
        return found != self.not_resources


class Resource(NamedTuple):
    """What a call is about.

    Attributes:
        text: its ARN, unknown parts marked.
        loosely: the same with wildcards for what the test made up, such as a generated name.
    """

    text: str
    loosely: str

    def __str__(self) -> str:
        return self.text.replace(NO_RESOURCE.text, "*").replace(UNKNOWN, "...")

    @classmethod
    def exactly(cls, text: str) -> Resource:
        """Return a resource of which everything is known but its marked parts."""
        return cls(text, text)


ANYTHING: Final = Resource.exactly(UNKNOWN)
"""A resource that nobody knows."""
NO_RESOURCE: Final = Resource.exactly("\ue001")
"""What an operation is about that takes no resource: only the pattern `*` matches it."""


class Permissions(NamedTuple):
    """What a role may do, as far as it is known.

    Attributes:
        name: the role's, as a message names it.
        statements: of all its policies.
        unknown: what of it is not known; any of it may allow anything.
        boundary: its permissions boundary, which must allow as well.
    """

    name: str
    statements: tuple[Statement, ...] = ()
    unknown: tuple[str, ...] = ()
    boundary: Permissions | None = None

    def judge(self, action: str, resource: Resource) -> Verdict:
        """Return whether an action is allowed on a resource, and the statement that decides.

        Args:
            action: as IAM names it, such as `codepipeline:PutJobSuccessResult`.
            resource: what the call is about.
        """
        own = self._judge_identity(action, resource)
        if self.boundary is None or own.answer == "denied":
            return own
        limit = self.boundary.judge(action, resource)
        if limit.answer == "denied":
            return limit._replace(by_boundary=True)
        return own if limit.answer == "allowed" else limit

    def _judge_identity(self, action: str, resource: Resource) -> Verdict:
        allowed = possible = False
        for statement in self.statements:
            if not statement.names_action(action, for_sure=False):
                continue
            if not statement.names_resource(resource, for_sure=False):
                continue
            certain = (
                not statement.conditional
                and statement.names_action(action, for_sure=True)
                and statement.names_resource(resource, for_sure=True)
            )
            if statement.effect == "Deny":
                if certain:
                    return Verdict("denied", self, statement)
                # It may hold, and then nothing that is allowed would count.
                return self._unsure(action, resource)
            allowed, possible = allowed or certain, True
        if allowed:
            return Verdict("allowed", self)
        if possible or self.unknown:
            return Verdict("can't tell", self)
        return Verdict("denied", self)

    def _unsure(self, action: str, resource: Resource) -> Verdict:
        """Return the answer where a Deny may hold: denied if another does, or nothing allows."""
        about = [
            each
            for each in self.statements
            if each.names_action(action, for_sure=False)
            and each.names_resource(resource, for_sure=False)
        ]
        for each in about:
            if (
                each.effect == "Deny"
                and not each.conditional
                and each.names_action(action, for_sure=True)
                and each.names_resource(resource, for_sure=True)
            ):
                return Verdict("denied", self, each)
        if self.unknown or any(each.effect == "Allow" for each in about):
            return Verdict("can't tell", self)
        return Verdict("denied", self)


class Verdict(NamedTuple):
    """An answer, and why.

    Attributes:
        permissions: those that decided.
        statement: the Deny that holds; None where nothing allows.
        by_boundary: the permissions boundary denies it.
    """

    answer: Answer
    permissions: Permissions
    statement: Statement | None = None
    by_boundary: bool = False


def read_policies(given: object, where: str) -> tuple[Statement, ...]:
    """Return the statements of a policy document, or of a list of them.

    Raises:
        ValueError: it is not a policy document; the text names the place and what is wrong.
    """
    if isinstance(given, Mapping):
        return tuple(_statements(given, where))
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        return tuple(
            statement
            for number, document in enumerate(given)
            for statement in read_policies(document, f"{where}[{number}]")
        )
    raise ValueError(
        f"{where}: expected a policy document such as {{'Version': '2012-10-17', 'Statement':"
        f" [...]}}, or a list of them, got {type(given).__name__}"
    )


def _statements(document: Mapping[Any, Any], where: str) -> Iterator[Statement]:
    if set(document) == {"PolicyDocument"} or (
        "Statement" not in document and isinstance(document.get("PolicyDocument"), Mapping)
    ):
        document, where = document["PolicyDocument"], f"{where}.PolicyDocument"
    for member in document:
        if member not in ("Version", "Id", "Statement"):
            raise ValueError(
                f"{where}: a policy document has no {str(member)[:60]!r}, only Version, Id and"
                " Statement"
            )
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise ValueError(
            f"{where}.Version: expected {_VERSIONS[0]!r} or {_VERSIONS[1]!r}, got"
            f" {document['Version']!r:.60}"
        )
    if "Statement" not in document:
        raise ValueError(f"{where}: a policy document needs a Statement")
    listed = document["Statement"]
    if isinstance(listed, Mapping):
        yield _statement(listed, f"{where}.Statement")
        return
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise ValueError(f"{where}.Statement: expected a list of statements, got {listed!r:.60}")
    if not listed:
        raise ValueError(f"{where}.Statement: it is empty, and a policy needs a statement")
    for number, each in enumerate(listed):
        yield _statement(each, f"{where}.Statement[{number}]")


def _statement(given: object, where: str) -> Statement:
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: expected a statement's object, got {given!r:.60}")
    for member in given:
        if member not in _MEMBERS:
            raise ValueError(
                f"{where}: a statement has no {str(member)[:60]!r}, only"
                f" {', '.join(sorted(_MEMBERS))}"
            )
    if given.get("Effect") not in ("Allow", "Deny"):
        raise ValueError(f"{where}.Effect: expected Allow or Deny, got {given.get('Effect')!r:.60}")
    actions, not_actions = _either(given, "Action", where)
    resources, not_resources = _either(given, "Resource", where)
    for action in actions:
        if action != "*" and ":" not in action and UNKNOWN not in action:
            raise ValueError(
                f"{where}.Action: {action[:60]!r} has no service; write 'service:Operation', such"
                " as 'codepipeline:PutJobSuccessResult'"
            )
    condition = given.get("Condition")
    if not (condition is None or isinstance(condition, Mapping) or UNKNOWN in str(condition)):
        raise ValueError(f"{where}.Condition: expected an object, got {condition!r:.60}")
    return Statement(
        where,
        given["Effect"],
        actions,
        not_actions,
        tuple(map(pattern_of, resources)),
        not_resources,
        bool(condition),
        given.get("NotAction" if not_actions else "Action"),
        given.get("NotResource" if not_resources else "Resource"),
    )


def _either(given: Mapping[Any, Any], member: str, where: str) -> tuple[tuple[str, ...], bool]:
    """Return the texts of `Action` or of `NotAction`, of which a statement has one."""
    opposite = f"Not{member}"
    if (member in given) == (opposite in given):
        raise ValueError(f"{where}: expected either {member} or {opposite}")
    name = member if member in given else opposite
    texts = _texts(given[name])
    if texts is None:
        raise ValueError(
            f"{where}.{name}: expected text or a list of texts, got {given[name]!r:.60}"
        )
    if not any(texts):
        wanted = "actions" if member == "Action" else "resources"
        raise ValueError(f"{where}.{name}: it is empty: Policy statement must contain {wanted}.")
    return texts, name == opposite


def _texts(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        listed = tuple(value)
        if all(isinstance(each, str) for each in listed):
            return listed
    return None
