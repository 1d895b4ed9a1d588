"""The pages in docs/ say what is so: their code runs, their tables are the source's own."""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError
from forked_pytest import run_forked
from moto import mock_aws
from test_states import TABLE

from pytest_cpjob import CodePipelineStub, ContractError, UnfakedCallError
from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.defaults import CHECKS
from pytest_cpjob.documents.eventbridge import STATES
from pytest_cpjob.service import limits
from pytest_cpjob.service.job_service import JobService

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
BEHAVIOUR, FINDINGS = PAGES["behaviour.md"], PAGES["findings.md"]


def fenced(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def shown_after_failing_blocks(page: str) -> list[list[str]]:
    """What the page shows of the output of each block that fails: the `text` up to the next one."""
    parts = re.split(r"^```python(?: fails)?$", page, flags=re.MULTILINE)
    kinds = re.findall(r"^```python( fails)?$", page, re.MULTILINE)
    return [
        fenced(part, "text")
        for kind, part in zip(kinds, parts[1:], strict=True)
        if kind == " fails"
    ]


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next one of its rank or a higher one."""
    [(rank, start)] = [
        (len(found[1]), found.end())
        for found in re.finditer(rf"^(#+) {re.escape(title)}$", page, re.MULTILINE)
    ]
    following = re.compile(rf"^#{{1,{rank}}} ", re.MULTILINE).search(page, start)
    return page[start : following.start() if following else None]


def tables(text: str) -> Iterator[list[list[str]]]:
    """Each table as its rows of cells, the header first."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()
        ]
        yield [rows[0], *rows[2:]]


def code(cell: str) -> str:
    """The first thing in a cell that is set as code."""
    [first, *_] = re.findall(r"`([^`]+)`", cell)
    return str(first)


# -- code ------------------------------------------------------------------------------------------

PYTHON_BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, block in enumerate(fenced(page, "python"))
]
FAILING_BLOCKS = [
    pytest.param(block, shown, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, (block, shown) in enumerate(
        zip(fenced(page, "python fails"), shown_after_failing_blocks(page), strict=True)
    )
]


def run_as_pasted(pytester: pytest.Pytester, block: str) -> pytest.RunResult:
    """Run a block in this process, which is ten times faster than in another one."""
    pytester.makepyfile(test_pasted=block)
    return pytester.runpytest("-p", "no:faker", "-p", "no:randomly", "-W", "error")


@pytest.mark.parametrize("block", PYTHON_BLOCKS)
def test_a_block_runs_as_pasted(pytester: pytest.Pytester, block: str) -> None:
    outcomes = run_as_pasted(pytester, block).parseoutcomes()

    tests = len(re.findall(r"^ *def test_", block, re.MULTILINE))
    assert tests > 0
    assert set(outcomes) == {"passed"}
    if re.search(r"pytest\.mark\.(cpjob_|parametrize)", block):
        assert outcomes["passed"] > tests
    else:
        assert outcomes["passed"] == tests


@pytest.mark.parametrize(("block", "shown"), FAILING_BLOCKS)
def test_a_block_of_a_mistake_fails_as_the_page_shows(
    pytester: pytest.Pytester, block: str, shown: list[str]
) -> None:
    result = run_as_pasted(pytester, block)

    result.assert_outcomes(failed=1)
    for excerpt in shown:
        assert f"\n{excerpt}" in f"\n{result.stdout.str()}\n"


def test_the_block_about_unittest_runs_without_pytest(pytester: pytest.Pytester) -> None:
    [block] = fenced(PAGES["unittest.md"], "python")
    pytester.makepyfile(test_pasted=block)

    result = pytester.run(sys.executable, "-m", "unittest", "test_pasted")

    assert result.ret == 0
    result.stderr.fnmatch_lines(["Ran 2 tests*", "OK"])


def test_an_expected_failure_of_unittest_calls_check(pytester: pytest.Pytester) -> None:
    """What the page about unittest says of `expectedFailure`, and of pytest's own marker."""
    pytester.makepyfile(
        test_expected="""
        import unittest

        import pytest

        class Stubbed(unittest.TestCase):
            def setUp(self):
                from pytest_cpjob import CodePipelineStub

                self.cpjob = CodePipelineStub().__enter__()
                self.addCleanup(self.cpjob.__exit__, None, None, None)

            @unittest.expectedFailure
            def test_checks(self):
                self.cpjob.add_lambda_job().invoke(lambda event, context: None)
                self.cpjob.check()

        class Passed(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def pass_on(self, cpjob):
                self.cpjob = cpjob

            @unittest.expectedFailure
            def test_checks(self):
                self.cpjob.add_lambda_job().invoke(lambda event, context: None)
                self.cpjob.check()

            @pytest.mark.xfail(strict=True)
            def test_does_not_check(self):
                self.cpjob.add_lambda_job().invoke(lambda event, context: None)
        """
    )

    run_forked(pytester.path, "-p", "no:faker").assert_outcomes(xfailed=3)


# -- findings, before and after --------------------------------------------------------------------


class BrokenDeploymentError(Exception):
    """What the stand-in for a deployment raises."""


class Case(NamedTuple):
    """How the two sides of a section's diff are run.

    Attributes:
        besides: what the unfixed code is found to have done besides.
        job: what its Lambda job is added with.
        fault: what its calls meet.
    """

    besides: frozenset[str] = frozenset()
    job: dict[str, Any] = {}  # noqa: RUF012  # never changed
    fault: tuple[str, str, str] | None = None


CASES = {
    "second-result": Case(frozenset({"raised-after-result"})),
    "not-owner": Case(fault=("AcknowledgeJob", "InvalidNonceException", "codepipeline")),
    "missing-output": Case(
        job={"output_artifacts": ["Site"]}, fault=("PutObject", "AccessDenied", "s3")
    ),
    "output-encryption": Case(job={"output_artifacts": ["Site"], "encryption_key": True}),
    "own-role": Case(frozenset({"raised"}), job={"input_artifacts": ["Source"]}),
    "refused-request": Case(frozenset({"no-result"})),
    "unfaked-call": Case(frozenset({"raised"})),
    "not-permitted": Case(frozenset({"raised"})),
}


def sides(diff: str) -> tuple[str, str]:
    """The code before and after."""
    lines = diff.splitlines()
    assert {line[0] for line in lines} <= set(" +-")
    before, after = ([line[1:] for line in lines if line[0] in f" {side}"] for side in "-+")
    return "\n".join(before), "\n".join(after)


@contextmanager
def stand_ins(*, held: bool) -> Iterator[dict[str, Any]]:
    """Yield the names that the diffs use without defining them."""
    names: dict[str, Any] = {"__name__": "handler"}
    exec(fenced(FINDINGS, "python")[0], names)
    codepipeline = names["codepipeline"]
    busy = threading.Lock()
    threads = set(threading.enumerate())

    def succeeds(event: Any, context: object, **variables: str) -> None:
        job_id = event["CodePipeline.job"]["id"]
        codepipeline.put_job_success_result(jobId=job_id, outputVariables=variables)

    def calls_sts(event: Any, context: object) -> None:
        sts = boto3.client("sts", region_name="us-east-1")
        succeeds(event, context, account=sts.get_caller_identity()["Account"])

    def deploy(job: Any) -> None:
        raise BrokenDeploymentError("the other side is down")

    if held:
        busy.acquire()
    try:
        yield names | {
            "DOCS": {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"},
            "ThreadPoolExecutor": ThreadPoolExecutor,
            "build": lambda job: None,
            "deploy": deploy,
            "handler_that_calls_sts": calls_sts,
            "has_changed": lambda job: False,
            "lambda_handler": succeeds,
            "mock_aws": mock_aws,
            # A lock is waited for in real time: an event's wait would pass on the job clock.
            "refresh_the_cache": lambda: busy.acquire(timeout=30),
        }
    finally:
        if held:
            busy.release()
        for thread in set(threading.enumerate()) - threads:
            thread.join(30)


def found_in(source: str, case: Case, *, fixed: bool) -> set[str]:
    """The findings of a side of a diff."""
    [entry] = re.findall(r"^def (\w+)", source, re.MULTILINE)
    expected_errors = () if fixed else (ClientError, UnfakedCallError, BrokenDeploymentError)
    try:
        with stand_ins(held=not fixed) as names, CodePipelineStub() as cpjob:
            exec(source, names)
            if case.fault is not None:
                operation, error, service = case.fault
                cpjob.fail(operation, error, service=service)
            with suppress(*expected_errors):
                if entry == "work_once":
                    cpjob.add_job(action_type="Build:Custom:Docs:1")
                    names[entry]()
                elif entry.startswith("test_"):
                    names[entry](cpjob)
                else:
                    cpjob.add_lambda_job(**case.job).invoke(names[entry])
    except ContractError as error:
        return set(error.names)
    return set()


@pytest.mark.parametrize("finding", CHECKS)
def test_the_code_before_has_the_finding_and_the_code_after_has_none(finding: str) -> None:
    [diff] = fenced(section(FINDINGS, f"`{finding}`"), "diff")
    before, after = sides(diff)
    case = CASES.get(finding, Case())

    assert found_in(before, case, fixed=False) == {finding} | case.besides
    assert found_in(after, case, fixed=True) == set()


@pytest.mark.parametrize("finding", CHECKS)
def test_each_finding_has_a_section_that_says_how_to_go_on(finding: str) -> None:
    assert f'allow=["{finding}"]' in section(FINDINGS, f"`{finding}`")


def test_there_is_no_section_about_a_finding_that_does_not_exist() -> None:
    titles = re.findall(r"^### `(.*)`$", section(FINDINGS, "The findings"), re.MULTILINE)
    assert sorted(titles) == sorted(CHECKS)


# -- tables ----------------------------------------------------------------------------------------


def numbers(cell: str) -> list[float]:
    return [float(number.replace(",", "")) for number in cell.split(", ")]


def test_the_table_of_limits_has_every_constant_with_its_value() -> None:
    [shown, _] = tables(section(BEHAVIOUR, "Timers and limits"))

    constants = {name: [value] for name, value in vars(limits).items() if name.isupper()}
    assert {code(name): numbers(value) for name, value, *_ in shown[1:]} == constants


def test_the_table_of_other_numbers_has_their_values() -> None:
    [_, shown] = tables(section(BEHAVIOUR, "Timers and limits"))

    for name, value, *_ in shown[1:]:
        module, _, constant = code(name).rpartition(".")
        found = getattr(importlib.import_module(module), constant)
        assert numbers(value) == (list(found) if isinstance(found, tuple) else [found])


def test_the_table_of_operations_has_all_that_are_served_and_their_errors() -> None:
    [shown] = tables(section(BEHAVIOUR, "Operations"))

    operations = [code(row[0]) for row in shown[1:]]
    assert sorted(operations) == sorted(JobService(account_id="123456789012").operations)
    for operation, row in zip(operations, shown[1:], strict=True):
        named = {f"{error}Exception" for error in row[2].split(", ")}
        if operation == "CreateCustomActionType":
            # The model has this one, and lists it at no operation.
            named.remove("ActionTypeAlreadyExistsException")
        # The page says of this one that only a fault brings it.
        assert named == {*model.operation_errors(operation)} - {"ConcurrentModificationException"}


def outcome(cell: str) -> str:
    """A cell of a table of states, in the words of tests/test_states.py."""
    if cell in ("answered", "not handed out"):
        return "same"
    return cell.removeprefix("→ ") if cell.startswith("→") else f"{cell}Exception"


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("custom", "A custom action's job"),
        ("partner", "A partner's job"),
        ("Lambda", "A Lambda action's job"),
    ],
)
def test_the_tables_of_states_are_those_under_test(kind: str, title: str) -> None:
    [[header, *rows]] = tables(section(BEHAVIOUR, title))

    for operation, *cells in rows:
        for state, cell in zip(header[1:], cells, strict=True):
            assert outcome(cell) == TABLE[kind][code(operation)][state], (operation, state)
    # What is in no row is refused whatever the state, as the sentence below the table says.
    left = {
        name: by_state for name, by_state in TABLE[kind].items() if f"`{name}`" not in str(rows)
    }
    assert all(len(set(by_state.values())) == 1 for by_state in left.values())


def test_every_behaviour_says_how_we_know() -> None:
    told = [
        (row[0], row[-1])
        for header, *rows in tables(BEHAVIOUR)
        if header[-1] == "how we know"
        for row in rows
    ]

    assert len(told) > 100
    words = re.compile(r"\b(AWS|model|captured|seen|inferred|choice)\b")
    assert [what for what, how in told if not words.search(how)] == []


def test_rows_have_as_many_cells_as_their_header() -> None:
    for page in PAGES.values():
        for header, *rows in tables(page):
            assert [row for row in rows if len(row) != len(header)] == []


def test_the_shapes_that_are_cited_exist() -> None:
    cited = re.findall(r"shapes? `(\w+)`", BEHAVIOUR)

    assert len(cited) > 5
    assert set(cited) <= model.load().shapes.keys()


def test_the_states_of_events_are_all_there_are() -> None:
    [line] = [line for line in BEHAVIOUR.splitlines() if line.startswith("| states: ")]
    assert tuple(re.findall(r"`(\w+)`", line)) == STATES


# -- links -----------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    titles: list[str] = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> Iterator[Any]:
    """Each relative link, with the page that it stands on."""
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / ".github" / "SECURITY.md",
        *(ROOT / "docs").glob("*.md"),
    ):
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
            if "://" not in target:
                yield pytest.param(path, target, id=f"{path.name}-{target}")


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_a_relative_link_leads_somewhere(page: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    found = page.parent / name if name else page

    assert found.is_file()
    if anchor:
        assert anchor in anchors(found.read_text("utf-8"))
