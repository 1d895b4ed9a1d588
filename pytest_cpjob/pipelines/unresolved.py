"""Values that a definition alone does not tell, and what would tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pytest_cpjob.iam.patterns import UNKNOWN

PROCESSED: Final = (
    "take the template as CloudFormation has processed it, from 'aws cloudformation get-template"
    " --template-stage Processed --stack-name STACK'"
)
"""What to do about a template that only CloudFormation expands."""


class Need(NamedTuple):
    """Something that is not known.

    Attributes:
        what: what it is, such as `parameter 'Stage'`.
        argument: the argument of `add_pipeline` that gives it, empty if there is none.
        key: its key there.
        way_out: what to do where no argument gives it.
    """

    what: str
    argument: str = ""
    key: str = ""
    way_out: str = "write its value into the definition"


class Unresolved:
    """A value of which at least a part is not known; a text keeps the parts that are."""

    __slots__ = ("parts",)

    def __init__(self, *parts: str | Need) -> None:
        self.parts = parts

    @property
    def needs(self) -> tuple[Need, ...]:
        """What is not known, in order."""
        return tuple(part for part in self.parts if isinstance(part, Need))

    @property
    def marked(self) -> str:
        """The text with every unknown part marked, as `iam.patterns` matches it."""
        return "".join(part if isinstance(part, str) else UNKNOWN for part in self.parts)

    def __repr__(self) -> str:
        return "".join(part if isinstance(part, str) else f"<{part.what}>" for part in self.parts)


class NoValue:
    """What `AWS::NoValue` stands for: the property is absent."""


NO_VALUE: Final = NoValue()


def joined(pieces: Iterable[object], separator: str = "") -> Any:
    """Return the pieces as one text, unresolved if any of them is."""
    parts: list[str | Need] = []
    for number, piece in enumerate(pieces):
        if number and separator:
            parts.append(separator)
        if isinstance(piece, Unresolved):
            parts += piece.parts
        else:
            parts.append(text_of(piece))
    if all(isinstance(part, str) for part in parts):
        return "".join(map(str, parts))
    return Unresolved(*parts)


def text_of(value: object) -> str:
    """Return a scalar as CloudFormation writes it into a text: `true`, `1`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def unresolved_in(value: object) -> Iterator[Unresolved]:
    """Return every unresolved value in a value, however deep."""
    if isinstance(value, Unresolved):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from unresolved_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from unresolved_in(item)


def marked_copy(value: Any) -> Any:
    """Return a copy in which unresolved values are texts with their unknown parts marked."""
    if isinstance(value, Unresolved):
        return value.marked
    if isinstance(value, dict):
        return {key: marked_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [marked_copy(item) for item in value]
    return value
