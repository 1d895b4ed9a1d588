"""The page of a run, and its parts for other pages: a test's, a job's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pytest_cpjob.report.diagram import diagram
from pytest_cpjob.report.elements import Element, element, joined
from pytest_cpjob.report.records import ActionRecord, FindingRecord, Record
from pytest_cpjob.report.style import PAGE_STYLE, STYLE

MOST_LINKS: Final = 10
MOST_OF_A_MESSAGE: Final = 2000
_GOOD: Final = frozenset({"passed", "xfailed", "Succeeded"})
_BAD: Final = frozenset({"failed", "error", "xpassed", "Failed", "TimedOut"})


class ReportedTest(NamedTuple):
    """A test of a run, and what is shown of it.

    Attributes:
        name: pytest's node id.
        outcome: pytest's word for how it ended, such as `passed` or `error`.
        message: what it failed with, secrets masked.
        reruns: how often it was run again.
        record: its jobs and findings.
    """

    name: str
    outcome: str
    message: str
    reruns: int
    record: Record

    @property
    def is_bad(self) -> bool:
        """Whether it failed."""
        return self.outcome in _BAD


def page(tests: Sequence[ReportedTest], subtitle: str) -> str:
    """Return a run's page: complete, without scripts, and without anything to load."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("title", "CodePipeline jobs"),
        element("style", Element(PAGE_STYLE + STYLE)),
    )
    content = element(
        "main",
        element("h1", "CodePipeline jobs"),
        element("p", headline(tests), class_="headline"),
        element("p", subtitle, class_="muted"),
        *_summary(tests),
        element("h2", "Tests"),
        *(_test(number, test) for number, test in enumerate(tests)),
        class_="cpjob",
    )
    return f"<!doctype html>\n{element('html', head, element('body', content), lang='en')}\n"


def fragment(record: Record, *, theme: str | None = None) -> Element:
    """Return one test's part for another page, which needs the `style` once.

    Args:
        theme: `light` or `dark`, where that page is the one or the other for everybody.
    """
    return element("div", *_record(record), class_="cpjob", data_theme=theme)


def style() -> Element:
    """Return the style of all fragments."""
    return element("style", Element(STYLE))


def styled_fragment(record: Record) -> str:
    """Return one test's part with its style, as a notebook shows it."""
    return joined(style(), fragment(record))


def headline(tests: Sequence[ReportedTest]) -> str:
    """Return how many tests had jobs, and how they ended."""
    jobs = sum(len(action["jobs"]) for test in tests for action in test.record["actions"])
    outcomes = Counter(test.outcome for test in tests)
    ended = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    counted = f"{_count(len(tests), 'test')} with {_count(jobs, 'job')}"
    return f"{counted}: {ended}" if tests else "No test used the cpjob fixture."


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def findings_by_line(tests: Sequence[ReportedTest]) -> list[tuple[str, str, int, list[int]]]:
    """Return name, line, count and the numbers of the tests of all findings, frequent ones first.

    What a passing test found, it has asked for.
    """
    counts: Counter[tuple[str, str]] = Counter()
    found_in: dict[tuple[str, str], list[int]] = {}
    for number, test in enumerate(tests):
        for finding in test.record["findings"] if test.is_bad else ():
            key = (finding["name"], finding["place"])
            counts[key] += finding["times"]
            if number not in found_in.setdefault(key, []):
                found_in[key].append(number)
    return [(*key, count, found_in[key]) for key, count in counts.most_common()]


def _summary(tests: Sequence[ReportedTest]) -> Iterator[Element]:
    found = findings_by_line(tests)
    if not found:
        return
    yield element("h2", "Findings")
    heads = element("tr", *(element("th", name) for name in ("finding", "line", "count", "tests")))
    yield element("table", heads, *(_summary_row(tests, *each) for each in found))


def _summary_row(
    tests: Sequence[ReportedTest], name: str, place: str, count: int, numbers: list[int]
) -> Element:
    links = [
        element("div", element("a", _short(tests[number].name), href=f"#test-{number}"))
        for number in numbers[:MOST_LINKS]
    ]
    if len(numbers) > MOST_LINKS:
        links.append(element("div", f"and {len(numbers) - MOST_LINKS} more"))
    return element(
        "tr",
        element("td", element("code", name)),
        element("td", element("code", place)),
        element("td", f"x{count}", class_="count"),
        element("td", *links),
    )


def _short(name: str) -> str:
    """Return a test's name without its file."""
    return name.partition("::")[2] or name


def _test(number: int, test: ReportedTest) -> Element:
    file, _, name = test.name.partition("::")
    jobs = sum(len(action["jobs"]) for action in test.record["actions"])
    about = f"{file}, {_count(jobs, 'job')}"
    if test.reruns:
        about += f", run {test.reruns + 1} times"
    summary = element(
        "summary",
        pill(test.outcome),
        " ",
        element("span", name or file, class_="name"),
        " ",
        element("span", about, class_="muted"),
    )
    names = {finding["name"] for finding in test.record["findings"]}
    is_told = any(test.message.startswith(name) for name in names)
    message = test.message[:MOST_OF_A_MESSAGE]
    return element(
        "details",
        summary,
        *([element("pre", message)] if message and not is_told else []),
        *_record(test.record, is_expected=not test.is_bad),
        class_="test",
        id=f"test-{number}",
        open=test.is_bad,
    )


def pill(word: str) -> Element:
    """Return a word in the colour of what it means."""
    kind = "good" if word in _GOOD else "bad" if word in _BAD else ""
    return element("span", word, class_=f"pill {kind}".rstrip())


def _record(record: Record, *, is_expected: bool = False) -> Iterator[Element]:
    if record["findings"] and is_expected:
        yield element("p", "The test expects these findings, or passes in spite of them:")
    for number, finding in enumerate(record["findings"], start=1):
        yield _finding(number, finding)
    for action in record["actions"]:
        yield _action(action)
    for block in record["blocks"]:
        yield element("h3", block["title"])
        yield element("div", Element(block["html"]))


def _finding(number: int, finding: FindingRecord) -> Element:
    advice = [
        ("Then", finding["consequence"]),
        ("To fix it", finding["fix"]),
        ("Note", finding["hint"]),
        ("To allow it", element("code", finding["allow"])),
    ]
    rows = [element(tag, text) for term, text in advice if text for tag, text in _pair(term, text)]
    return element(
        "div",
        element("strong", f"! {number}", class_="mark"),
        " ",
        element("strong", finding["name"]),
        " ",
        element("code", finding["place"]),
        element("p", finding["said"]),
        element("dl", *rows),
        class_="finding",
    )


def _pair(term: str, text: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("dt", term), ("dd", text)


def _action(action: ActionRecord) -> Element:
    kind = "" if action["place"] == action["action_type"] else action["action_type"]
    jobs = action["jobs"]
    ids = f"job {jobs[0]}" if len(jobs) == 1 else f"{len(jobs)} jobs, the first {jobs[0]}"
    heading = element("h3", action["place"], " ", pill(action["status"]))
    about = element("p", f"{kind}, {ids}".removeprefix(", "), class_="muted")
    return element("section", heading, about, diagram(action))
