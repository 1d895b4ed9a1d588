"""How a value that AWS could not send is rejected.

The message names the argument, the rule in AWS's words, the value, and how to fix it if known.
"""

from __future__ import annotations

from typing import NoReturn

from pytest_cpjob.aws.codepipeline_model import violations
from pytest_cpjob.aws.text import is_unicode
from pytest_cpjob.errors import ArgumentError

_SHOWN = 60


def shortened(value: object) -> str:
    """Return the `repr` of a value, cut to about 60 characters; a text's length is added.

    >>> shortened("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'… (100 characters)"
    """
    if isinstance(value, (str, bytes)):
        # A whole artifact may be passed by mistake: building its repr only to cut it takes seconds.
        text = repr(value[: _SHOWN + 1])
        if len(text) <= _SHOWN:
            return text
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"{_beginning(value)!r}… ({len(value)} {unit})"
    try:
        text = repr(value)
    except Exception as error:  # a class of the user's, or what is nested too deep or too long
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 6]}…"


def _beginning(value: str | bytes) -> str | bytes:
    """Return as much of a text as fits, counting each character as `repr` escapes it."""
    shown = value[: _SHOWN - 8]
    while len(repr(shown)) > _SHOWN - 6:
        shown = shown[:-1]
    return shown


def refuse(argument: str, rule: str, value: object, way_out: str = "") -> NoReturn:
    """Raise the ArgumentError, a ValueError, that rejects `value` for `argument`."""
    ending = f"; {way_out}" if way_out else ""
    raise ArgumentError(argument, f"{rule}; got {shortened(value)}{ending}")


def check(argument: str, shape_name: str, value: object, way_out: str = "") -> None:
    """Reject a value that breaks the model's rules for a shape, naming the first broken rule.

    Raises:
        ValueError: with the argument or its member, the rule, and the value there.
    """
    for path, constraint in violations(shape_name, value, argument):
        refuse(path, constraint, _at(value, path[len(argument) :]), way_out)
    if isinstance(value, str) and not is_unicode(value):
        refuse(argument, "Member must be text that can be encoded as UTF-8", value)


def _at(value: object, path: str) -> object:
    """Return what is at a path of member names below a value, such as `.provider`."""
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else value
    return value
