"""On two workers of pytest-xdist: one run of a user's suite, which every test here looks at.

The run's seed is random, so that the workers must be told of it.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest
from user_projects import ACTION, DOCUMENTS, LEAVES_NOTHING, documents_in, documents_of, run

pytest.importorskip("xdist", reason="the extra test has it")
pytest.importorskip("flask", reason="the endpoint needs the extra server")

REPLAY = "cpjob: replay these documents with "
SUITE = {
    "my_action": ACTION,
    "test_documents": DOCUMENTS,
    "test_nothing_is_left": LEAVES_NOTHING,
    "test_findings": """
        import pytest
        import my_action

        @pytest.mark.parametrize("number", range(4))
        def test_forgets(cpjob, number):
            cpjob.add_lambda_job().invoke(my_action.forgets)

        def test_leaks(cpjob):
            cpjob.add_lambda_job().invoke(my_action.leaks)

        def test_raises(cpjob):
            cpjob.add_lambda_job().invoke(lambda event, context: 1 / 0)

        def test_fails(cpjob):
            job = cpjob.add_lambda_job().invoke(my_action.lambda_handler)
            assert job.status == "Failed"
    """,
    "test_sweep": """
        import pytest
        import my_action

        @pytest.mark.cpjob(allow=["output-encryption"])
        @pytest.mark.cpjob_job_variants
        def test_builds(cpjob):
            job = cpjob.add_lambda_job(input_artifacts=["Source"], output_artifacts=["Site"])
            assert job.invoke(my_action.lambda_handler).status == "Succeeded"
    """,
    "test_endpoint": """
        import sys
        from pathlib import Path
        from textwrap import dedent
        import pytest

        REPORT = '''
        import boto3, sys
        boto3.client("codepipeline").put_job_success_result(jobId=sys.argv[1])
        '''

        @pytest.mark.parametrize("number", range(4))
        def test_one(cpjob, cpjob_endpoint, worker_id, number):
            Path(worker_id).write_text(cpjob_endpoint.url)
            job = cpjob.add_lambda_job()
            cpjob_endpoint.run([sys.executable, "-c", dedent(REPORT), job.id])
            assert job.status == "Succeeded"
    """,
}


class SuiteRun(NamedTuple):
    """One run of the suite: its folder, what it printed, and the outcomes of each file."""

    folder: Path
    result: pytest.RunResult
    outcomes: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def on_two_workers(tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    folder = tmp_path_factory.mktemp("suite")
    for name, text in SUITE.items():
        (folder / f"{name}.py").write_text(dedent(text), "utf-8")

    result = run(folder, "-v", "-W", "error", "-n", "2", "--cpjob-seed=random")

    told = re.findall(r"^\[gw\d\] .* (PASSED|FAILED|ERROR) (\w+)\.py::", result.stdout.str(), re.M)
    return SuiteRun(folder, result, Counter((file, outcome) for outcome, file in told))


def test_no_worker_breaks(on_two_workers: SuiteRun) -> None:
    on_two_workers.result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert on_two_workers.result.ret == pytest.ExitCode.TESTS_FAILED


def test_one_random_seed_is_all_workers_and_replays(
    on_two_workers: SuiteRun, tmp_path: Path
) -> None:
    _, _, replay = on_two_workers.result.stdout.str().partition(REPLAY)
    again = documents_of(tmp_path, replay.split()[0])

    assert len(set(again.values())) == 10
    assert documents_in(on_two_workers.folder) == again


def test_a_run_that_fails_says_at_its_end_how_to_replay_it(on_two_workers: SuiteRun) -> None:
    *_, summary = on_two_workers.result.stdout.str().partition(" FAILURES ")
    assert summary.count(f"\n{REPLAY}--cpjob-seed=") == 1


def test_findings_of_all_workers_come_together(on_two_workers: SuiteRun) -> None:
    result, outcomes = on_two_workers.result, on_two_workers.outcomes

    assert outcomes["test_findings", "FAILED"] + outcomes["test_findings", "ERROR"] == 7
    *_, in_full = result.stdout.str().partition(" FAILURES ")
    in_full, _, _ = in_full.partition(" short test summary info ")
    assert in_full.count("no-result: job ") == 4
    [line] = [line for line in result.outlines if re.match("cpjob: .* findings: ", line)]
    jobs, _, findings = line.partition(" jobs, findings: ")
    assert int(jobs.removeprefix("cpjob: ")) == 7 + 10 + 6 + 4 + 11
    assert set(findings.split(", ")) == {"no-result 4", "leaked-secret 1", "raised 1"}


def test_a_failure_has_its_timeline(on_two_workers: SuiteRun) -> None:
    *_, failure = on_two_workers.result.stdout.str().partition("_ test_fails _")
    failure, *_ = failure.partition("\n____")
    assert "- cpjob timeline of job " in failure
    assert "InProgress -> Succeeded" in failure


@pytest.mark.parametrize(
    ("file", "count"),
    [("test_nothing_is_left", 6), ("test_sweep", 11), ("test_endpoint", 4), ("test_documents", 10)],
)
def test_all_else_passes(on_two_workers: SuiteRun, file: str, count: int) -> None:
    outcomes = {key: n for key, n in on_two_workers.outcomes.items() if key[0] == file}
    assert outcomes == {(file, "PASSED"): count}


def test_every_worker_has_an_endpoint_of_its_own(on_two_workers: SuiteRun) -> None:
    urls = [path.read_text() for path in on_two_workers.folder.glob("gw[01]")]
    assert len(set(urls)) == len(urls) > 0
