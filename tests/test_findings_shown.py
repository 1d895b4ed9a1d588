"""How findings are shown: in the call phase, at each width, to other plugins, and how much."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import boto3  # noqa: F401 -- what an inner pytest run were to import first would be forgotten with it
import moto  # noqa: F401 -- as above
import pytest
from user_projects import run_alike

import pytest_cpjob.stub  # noqa: F401 -- as above

HANDLERS = """
    import boto3

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def succeed(event, **more):
        codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"], **more)

    def careful(event, context):
        succeed(event)

    def leaking(event, context):
        print(event)
        succeed(event)

    def endless(event, context):
        succeed(event, continuationToken="again")

    def twice(event, context):
        succeed(event)
        succeed(event, outputVariables={"pages": "2"})

    def swallows(event, context):
        try:
            codepipeline.get_job_details(job=1)
        except Exception:
            succeed(event)

    def reads_with_own_role(event, context):
        at = event["CodePipeline.job"]["data"]["inputArtifacts"][0]["location"]["s3Location"]
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.get_object(Bucket=at["bucketName"], Key=at["objectKey"])
"""
JOB_ID = "00000000-0000-0000-0000-000000000001"
TIMELINE = "- cpjob timeline of job"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pytest_cpjob.harness.THREAD_PATIENCE", 0.05)
    pytester.makepyfile(handlers=HANDLERS)
    return pytester


def run(project: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(
        test_it="import pytest, threading\nfrom handlers import *\nfrom pytest_cpjob import *\n"
        + body
    )
    return project.runpytest_inprocess("-p", "no:faker", "-p", "no:randomly", *arguments)


def between(result: pytest.RunResult, first: str, last: str) -> list[str]:
    start = next(n for n, line in enumerate(result.outlines) if first in line)
    end = next(n for n in range(start + 1, len(result.outlines)) if last in result.outlines[n])
    return result.outlines[start + 1 : end]


LEAKING = f"""
def test_leaks(cpjob):
    cpjob.add_lambda_job(job_id="{JOB_ID}", pipeline_name="web").invoke(leaking)
"""
LEAK = "leaked-secret (handlers.py:12)"


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            80,
            f"""\
{LEAK}: secretAccessKey and sessionToken of job
  {JOB_ID} (web/Invoke/Invoke) are in stdout.
  Whoever reads it can use the credentials until they expire, and logs are kept.
  To fix it: Print, log and report the job's id instead of the whole event, job
  or configuration. See pytest-cpjob explain leaked-secret
  To allow it: @pytest.mark.cpjob(allow=["leaked-secret"])

handlers.py:12: leaked-secret""",
        ),
        (
            160,
            f"""\
{LEAK}: secretAccessKey and sessionToken of job {JOB_ID} (web/Invoke/Invoke) are in stdout.
  Whoever reads it can use the credentials until they expire, and logs are kept.
  To fix it: Print, log and report the job's id instead of the whole event, job or configuration.\
 See pytest-cpjob explain leaked-secret
  To allow it: @pytest.mark.cpjob(allow=["leaked-secret"])

handlers.py:12: leaked-secret""",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [["-q"], ["--tb=short"]], ids=" ".join)
def test_a_finding_is_the_failure_at_each_width(
    project: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    said: str,
    arguments: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    result = run(project, LEAKING, *arguments)

    shown = between(result, " test_leaks ", TIMELINE)
    expected = said.splitlines()
    # Where the quoted line is broken depends on what is in it.
    quoted = [number for number, line in enumerate(shown) if "The line: " in line]
    following = [number for number, line in enumerate(shown) if "Whoever reads it" in line]
    assert "'<masked>'" in "".join(shown[quoted[0] : following[0]])
    del shown[quoted[0] : following[0]]
    patterns = ["*".join(map(re.escape, line.split("*"))).replace("*", ".*") for line in expected]
    assert len(shown) == len(patterns)
    assert all(re.fullmatch(*pair) for pair in zip(patterns, shown, strict=True)), shown
    assert max(map(len, between(result, "FAILURES", "Captured stdout"))) <= width
    result.stdout.fnmatch_lines([f"FAILED test_it.py::test_leaks - {LEAK}*", "1 failed*"][:1])


def test_every_runner_sees_a_failure_of_the_test_at_the_users_line(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_alike(monkeypatch, beside="html")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run_alike(monkeypatch, beside="html")

    result = run(project, LEAKING, "--junitxml=report.xml", "--html=report.html")

    result.assert_outcomes(failed=1)
    [case] = ElementTree.parse(project.path / "report.xml").iter("testcase")
    [failure] = case.iter("failure")
    assert failure.get("message", "").startswith(f"{LEAK}: secretAccessKey and sessionToken of")
    assert "To fix it: Print, log" in (failure.text or "")
    assert not list(case.iter("error"))
    annotation = result.stderr.str()
    assert "::error file=handlers.py,line=12::" in annotation
    assert LEAK in annotation
    html = (project.path / "report.html").read_text("utf-8")
    assert LEAK in html
    assert "\x1b" not in html


def test_it_counts_as_the_tests_own_failure_for_pytest(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.xfail(strict=True)
def test_expected(cpjob):
    cpjob.add_lambda_job().invoke(leaking)

@pytest.mark.xfail(strict=True, raises=ContractError)
def test_expected_by_its_kind(cpjob):
    cpjob.add_lambda_job().invoke(leaking)

def test_first(cpjob):
    cpjob.add_lambda_job().invoke(leaking)

def test_second(cpjob):
    cpjob.add_lambda_job().invoke(leaking)
""",
        "--maxfail=1",
    )
    result.assert_outcomes(xfailed=2, failed=1)
    assert result.ret == 1

    again = project.runpytest_inprocess("-p", "no:faker", "-p", "no:randomly", "--lf", "-v")

    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["test_it.py::test_first FAILED*"])


def test_what_may_still_change_is_judged_at_teardown(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}

def acknowledged(cpjob):
    job = cpjob.add_job(action_type=DOCS)
    codepipeline.poll_for_jobs(actionTypeId=DOCS)
    codepipeline.acknowledge_job(jobId=job.id, nonce=job.nonce)
    return job

@pytest.fixture
def reported_later(cpjob):
    job = acknowledged(cpjob)
    yield job
    codepipeline.put_job_success_result(jobId=job.id)

def test_reported_by_a_fixture(reported_later): ...

def test_never_reported(cpjob):
    acknowledged(cpjob)

def test_faulty(cpjob):
    cpjob.fail("GetJobDetails", "ThrottlingException")
""",
    )

    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*_ ERROR at teardown of test_never_reported _*",
            "no-result: job *",
            "*_ test_faulty _*",
            "unused-fault: ThrottlingException was set up 1 time *",
        ]
    )


def test_what_the_teardown_of_a_failed_test_finds_is_told_too(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
DONE = threading.Event()

def test_fails(cpjob):
    threading.Thread(target=lambda: DONE.wait(30), name="uploader").start()
    assert cpjob.jobs

def test_ends_it():
    DONE.set()
""",
    )

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*- cpjob findings at teardown -*",
            "running-thread: thread 'uploader' is still running after the test.",
            "running-thread x1",
            "cpjob: 0 jobs, findings: running-thread 1",
        ]
    )


def test_causes_come_first_and_what_repeats_is_one_finding(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.parametrize("number", range(3))
def test_own_role(cpjob, number):
    for _ in range(2):
        with pytest.raises(Exception, match="AccessDenied"):
            cpjob.add_lambda_job(input_artifacts=["Source"]).invoke(reads_with_own_role)

def test_twice(cpjob):
    with pytest.raises(Exception, match="InvalidJobState"):
        cpjob.add_lambda_job().invoke(twice)
""",
    )

    text = result.stdout.str()
    assert "own-role, raised (handlers.py:31): 2 findings, this code breaks" in text
    assert re.search(r"with\s+the\s+function's\s+own\s+role\s+\(s3\.GetObject\)", text)
    assert text.count("- own-role (handlers.py:31): ") == 3
    assert "second-result, raised-after-result (handlers.py:6): 2 findings" in text
    assert "  First: success. Then: success, output variables {'pages': '2'}.\n" in text
    end = result.outlines[-12:]
    assert "own-role x3 handlers.py:31" in end
    assert "second-result x1 handlers.py:6" in end


def test_an_endless_continuation_is_folded(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_it(cpjob):
    cpjob.add_lambda_job().invoke(endless, max_invocations=30)
""",
    )

    assert "E       - 'again' (30 times)" in result.outlines
    assert "raise max_invocations" in result.stdout.str()
    timeline = between(result, TIMELINE, "short test summary")
    assert "  ...     28 more jobs with the same lines" in timeline
    assert len(timeline) <= 25


def test_no_frame_of_ours_or_of_botocores_is_shown(project: pytest.Pytester) -> None:
    body = """
def test_handler(cpjob):
    cpjob.add_lambda_job(input_artifacts=["Source"]).invoke(reads_with_own_role)

def test_argument(cpjob):
    cpjob.add_lambda_job(job_id="1234")

def test_misspelt(cpjob):
    cpjob.add_lambda_job(user_parameter="x")

def test_factory(cpjob_details_factory):
    cpjob_details_factory(account_id="1")
"""
    for style in ("long", "short", "native"):
        shown = run(project, body, f"--tb={style}").stdout.str()
        assert not re.search(r"(pytest_cpjob|botocore)/\w+.*\.py", shown)
        assert "handlers.py" in shown
    assert "user_parameters" in shown
    full = run(project, body, "--full-trace").stdout.str()
    assert "botocore/client.py" in full


def test_a_job_that_is_not_of_this_test_gets_a_hint(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_by_factory(cpjob, cpjob_event_factory):
    careful(cpjob_event_factory(job_id="11111111-1111-1111-1111-111111111111"), None)

@pytest.fixture(scope="class")
def shared(cpjob): ...

class TestShared:
    def test_it(self, shared): ...
""",
    )

    result.stdout.fnmatch_lines(["*- cpjob hints -*", "*cpjob.add_lambda_job(...)*"])
    assert re.search(r"have\s+function scope", result.stdout.str())


def test_the_last_line_of_a_run_names_no_class(project: pytest.Pytester) -> None:
    body = """
def test_checks(cpjob):
    cpjob.add_lambda_job().invoke(leaking)
    cpjob.check()
"""
    result = run(project, body)

    result.stdout.fnmatch_lines([f"FAILED test_it.py::test_checks - {LEAK}*"])
    result.stdout.fnmatch_lines([">       cpjob.check()", f"E * {LEAK}: *"])


def test_colour_is_for_the_terminal_only(project: pytest.Pytester) -> None:
    result = run(project, LEAKING, "--color=yes", "--junitxml=report.xml")

    if pytest.version_tuple >= (8, 2):  # earlier ones colour it themselves, as code
        assert f"\x1b[31m{LEAK}\x1b[0m: " in result.stdout.str()
    assert "#x1B" not in Path(project.path / "report.xml").read_text("utf-8")


def test_a_run_again_is_not_blamed_for_what_the_first_run_printed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_alike(monkeypatch, beside="rerunfailures")
    body = """
RUNS = []

def test_flaky(cpjob):
    RUNS.append("run")
    cpjob.add_lambda_job().invoke(leaking if len(RUNS) == 1 else careful)

def test_leaks(cpjob):
    cpjob.add_lambda_job().invoke(leaking)
"""
    for more in ([], ["-n", "2"]):
        result = run(project, body, "--reruns=1", *more)

        result.assert_outcomes(passed=1, failed=1)
        assert f"leaked-secret x1 {LEAK.split('(')[1].rstrip(')')}" in result.outlines
        result.stdout.fnmatch_lines([f"FAILED test_it.py::test_leaks - {LEAK}*", "*2 rerun*"])


def test_the_place_of_an_error_out_of_an_installed_package_is_the_users(
    project: pytest.Pytester,
) -> None:
    result = run(
        project,
        """
from urllib3.util import parse_url

def asks(event, context):
    parse_url("http://[")

def test_it(cpjob):
    with pytest.raises(Exception, match="parse"):
        cpjob.add_lambda_job().invoke(asks)
""",
    )

    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it - raised (test_it.py:8): *"])


def test_a_finding_without_an_artifact_is_in_the_jobs_timeline(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def looks(event, context):
    at = event["CodePipeline.job"]["data"]["inputArtifacts"][0]["location"]["s3Location"]
    s3 = boto3.client("s3", region_name="us-east-1")
    with pytest.raises(Exception, match="AccessDenied"):
        s3.get_bucket_location(Bucket=at["bucketName"])
    careful(event, context)

def test_it(cpjob):
    cpjob.add_lambda_job(input_artifacts=["Source"]).invoke(looks)
""",
    )

    result.stdout.fnmatch_lines(["*" + TIMELINE + "*", "  !       own-role (test_it.py:9)"])


def test_a_warning_that_is_an_error_shows_no_frame_of_ours(project: pytest.Pytester) -> None:
    body = """
def forgets(event, context):
    open(__file__)
    careful(event, context)

def test_it(cpjob):
    cpjob.add_lambda_job().invoke(forgets)
"""
    shown = run(project, body, "-W", "error").stdout.str()

    assert "PytestUnraisableExceptionWarning" in shown
    assert not re.search(r"pytest_cpjob/\w+.*\.py", shown)


def test_a_wrong_job_id_says_what_to_write(project: pytest.Pytester) -> None:
    result = run(project, "def test_it(cpjob): cpjob.add_lambda_job(job_id='1234')")

    assert re.search(
        r"got '1234'; leave it out, or write one such as '[0-9a-f-]{36}'$",
        result.stdout.str(),
        re.MULTILINE,
    )


def test_the_place_of_an_upload_in_a_workers_own_thread_is_known(
    project: pytest.Pytester,
) -> None:
    result = run(
        project,
        """
import io

def uploads(event):
    at = event["CodePipeline.job"]["data"]["outputArtifacts"][0]["location"]["s3Location"]
    s3 = boto3.client("s3", region_name="us-east-1")
    with pytest.raises(Exception, match="AccessDenied"):
        s3.upload_fileobj(io.BytesIO(b"site"), at["bucketName"], at["objectKey"])

def in_a_thread(event, context):
    thread = threading.Thread(target=uploads, args=[event])
    thread.start()
    thread.join()
    careful(event, context)

def in_the_functions(event, context):
    uploads(event)
    careful(event, context)

@pytest.mark.parametrize("handler", [in_a_thread, in_the_functions])
@pytest.mark.cpjob(allow=["missing-output"])
def test_it(cpjob, handler):
    cpjob.add_lambda_job(output_artifacts=["Site"]).invoke(handler)
""",
    )

    assert "own-role x2 test_it.py:11" in result.outlines
