"""The report in Markdown, for the summary that a CI service shows of a job."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from pytest_cpjob.contract.timeline import HOLDERS
from pytest_cpjob.report.page import ReportedTest, findings_by_line, headline
from pytest_cpjob.report.records import ActionRecord, FindingRecord, Step

MOST_BYTES: Final = 500_000
"""How much is shown of failing tests: GitHub shows nothing of a summary of more than 1 MiB."""
MOST_OF_A_MESSAGE: Final = 2000


def markdown(tests: Sequence[ReportedTest], subtitle: str) -> str:
    """Return a run's report: findings by line of code, then each failing test with its steps."""
    lines = ["## CodePipeline jobs", "", headline(tests), ""]
    found = findings_by_line(tests)
    if found:
        lines += ["| finding | line | count | tests |", "|---|---|---:|---:|"]
        lines += [
            f"| {_code(name)} | {_code(place)} | {count} | {len(numbers)} |"
            for name, place, count, numbers in found
        ]
        lines.append("")
    failing = [test for test in tests if test.is_bad]
    parts = ["\n".join(_test(test)) for test in failing]
    sizes = accumulate(len(part.encode("utf-8", "backslashreplace")) for part in parts)
    shown = sum(size <= MOST_BYTES for size in sizes)
    lines += parts[:shown]
    if len(parts) > shown:
        lines += [f"and {len(parts) - shown} more failing tests", ""]
    return "\n".join([*lines, f"<sub>{html.escape(subtitle)}</sub>", ""])


def _test(test: ReportedTest) -> Iterator[str]:
    name = html.escape(test.name).replace("\n", " ")
    yield f"<details><summary><b>{test.outcome}</b> <code>{name}</code></summary>"
    yield ""
    findings = test.record["findings"]
    if test.message and not any(test.message.startswith(one["name"]) for one in findings):
        yield from _block(test.message[:MOST_OF_A_MESSAGE])
    for number, finding in enumerate(findings, start=1):
        yield from _finding(number, finding)
    for action in test.record["actions"]:
        yield from _action(action)
    for block in test.record["blocks"]:
        if "mermaid" in block:
            yield f"{_text(block['title'])}:"
            yield ""
            yield from _block(block["mermaid"], "mermaid")
    yield "</details>"
    yield ""


def _finding(number: int, finding: FindingRecord) -> Iterator[str]:
    place = f" {_code(finding['place'])}" if finding["place"] else ""
    yield f"{number}. **{finding['name']}**{place}: {_text(finding['said'])}"
    yield f"   {_text(finding['consequence'])}"
    yield f"   *To fix it:* {_text(finding['fix'])}"
    if finding["hint"]:
        yield f"   {_text(finding['hint'])}"
    yield f"   *To allow it:* {_code(finding['allow'])}"
    yield ""


def _action(action: ActionRecord) -> Iterator[str]:
    yield f"{_code(action['place'])}: **{action['status']}**"
    yield ""
    yield from _block("\n".join(_line(step) for step in action["steps"]))


def _line(step: Step) -> str:
    """Return one step as a line of text."""
    time = "" if step["at"] is None else f"+{step['at']:.10g}s"
    said = step["text"]
    if step["operation"]:
        said = " ".join(filter(None, [step["service"], step["operation"], step["target"]]))
    if step["kind"] == "result":
        said = f"result: {said}"
    if step["holder"]:
        said += f" with {HOLDERS[step['holder']]}"
    if step["by_test"]:
        said += " (the test's own client)"
    if step["place"]:
        said += f" ({step['place']})"
    if step["error"]:
        said += f" -> {step['error']}"
    said = "; ".join(filter(None, [said, step["change"]]))
    marks = "".join(f" [{number}]" for number in step["findings"])
    return f"{time:<9} {' '.join(said.split())}{marks}"


def _block(text: str, language: str = "text") -> Iterator[str]:
    """Return a text as a block of code, with a fence that does not occur in it."""
    fence = _fence(text, 3)
    yield from (f"{fence}{language}", *text.splitlines(), fence, "")


def _code(text: str) -> str:
    """Return a text as code in a line, also in a cell of a table."""
    if not text:
        return ""
    fence = _fence(text, 1)
    shown = " ".join(text.split()).replace("|", "\\|")
    return f"{fence} {shown} {fence}" if "`" in text else f"{fence}{shown}{fence}"


def _fence(text: str, shortest: int) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)


def _text(text: str) -> str:
    """Return a text that Markdown and HTML show as it is."""
    return re.sub(r"([\\`*_\[\]<>&|#~$@])", r"\\\1", " ".join(text.split()))
