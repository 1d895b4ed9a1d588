"""The lines that set and remove environment variables, in the words of a user's shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

SHELLS: Final = ("posix", "powershell")
"""The shells whose words are known: sh, bash and zsh; PowerShell on any system."""


def usual_shell() -> str:
    """Return the shell that people use on this system."""
    return "powershell" if os.name == "nt" else "posix"


def exports(shell: str, removed: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Return the lines to paste into a shell: first what is removed, then what is set."""
    remove, assign = (_REMOVE[shell], _ASSIGN[shell])
    quoted = {name: _quoted(shell, value) for name, value in values.items()}
    return [
        *(remove.format(name=name) for name in removed),
        *(assign.format(name=name, value=value) for name, value in quoted.items()),
    ]


_REMOVE: Final = {
    "posix": "unset {name}",
    "powershell": "Remove-Item Env:{name} -ErrorAction SilentlyContinue",
}
_ASSIGN: Final = {"posix": "export {name}={value}", "powershell": "$env:{name} = {value}"}


def _quoted(shell: str, value: str) -> str:
    if shell == "posix":
        return shlex.quote(value)
    # Between single quotes PowerShell replaces nothing; typographic ones end a text as well.
    for quote in "'\u2018\u2019\u201a\u201b":
        value = value.replace(quote, quote * 2)
    return f"'{value}'"
