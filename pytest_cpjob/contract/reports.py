"""Reports: findings as a text, first the names and the line of code, last how to allow them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from pytest_cpjob.contract.findings import Finding
from pytest_cpjob.errors import ContractError

MOST_OF_A_NAME: Final = 5
"""How many findings of one name a report lists before it only counts."""


def error_of(
    findings: Sequence[Finding], *, in_pytest: bool = True, directory: str = ""
) -> ContractError:
    """Return the error that reports the findings."""
    names = tuple(finding.name for finding in findings)
    return ContractError(report_of(findings, in_pytest=in_pytest, directory=directory), names)


def report_of(findings: Sequence[Finding], *, in_pytest: bool = True, directory: str = "") -> str:
    """Return the findings as text.

    Its first line has the names, the first one's place, and what is wrong.

    Args:
        in_pytest: whether a marker allows them; outside the plugin's fixture a stub's arguments do.
        directory: what files are named relative to.
    """
    names = ", ".join(dict.fromkeys(finding.name for finding in findings))
    begin = f"{names}{_place(findings[0], directory)}: "
    if len(findings) == 1:
        [finding] = findings
        said = [f"{begin}{finding.said()}.", *_details(finding), *_advice(finding, in_pytest)]
        return "\n".join(said)
    breaks = any(finding.kind.breaks_contract for finding in findings)
    what = ", this code breaks CodePipeline's job contract" if breaks else ""
    lines = [f"{begin}{len(findings)} findings{what}."]
    for advice, group in groupby(findings, key=lambda finding: tuple(_advice(finding, in_pytest))):
        lines += _listed(list(group), directory)
        lines += advice
    return "\n".join(lines)


def _listed(findings: list[Finding], directory: str) -> Iterator[str]:
    """Say what each of some findings was; what follows from it they have in common."""
    for finding in findings[:MOST_OF_A_NAME]:
        yield f"- {finding.name}{_place(finding, directory)}: {finding.said()}."
        yield from _details(finding)
    if len(findings) > MOST_OF_A_NAME:
        yield f"- {findings[0].name}: {len(findings) - MOST_OF_A_NAME} more, in other lines"


def _place(finding: Finding, directory: str) -> str:
    return "" if finding.place is None else f" ({finding.place.shown(directory)})"


def _details(finding: Finding) -> Iterator[str]:
    if finding.detail:
        yield f"  {finding.detail}"


def _advice(finding: Finding, in_pytest: bool) -> Iterator[str]:
    kind = finding.kind
    yield f"  {finding.consequence or kind.consequence}"
    yield f"  To fix it: {finding.fix or kind.fix} See pytest-cpjob explain {finding.name}"
    if finding.hint:
        yield f"  {finding.hint}"
    yield f"  To allow it: {way_to_allow(finding, in_pytest=in_pytest)}"


def way_to_allow(finding: Finding, *, in_pytest: bool = True) -> str:
    """Return the option that allows it as it is written: on the marker, or where a stub is made."""
    option = finding.allowed_by or f'allow=["{finding.name}"]'
    marker = f"@pytest.mark.cpjob({option})"
    return marker if in_pytest else f"CodePipelineStub({option}) or {marker}"


def wrapped(text: str, width: int) -> str:
    """Wrap each line at spaces; a word as long as a path, a key or an ARN is never broken."""
    return "\n".join(line for each in text.splitlines() for line in _wrapped_line(each, width))


def _wrapped_line(line: str, width: int) -> Iterable[str]:
    indent = " " * (len(line) - len(line.lstrip(" ")))
    hanging = f"{indent}  " if line.lstrip(" ").startswith("- ") or not indent else indent
    lines = textwrap.wrap(
        line.strip(" "),
        width,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]
