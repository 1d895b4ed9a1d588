"""What a report says: findings, timelines, explanations, the session's last line."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import boto3  # noqa: F401 -- what an inner pytest run were to import first would be forgotten with it
import moto  # noqa: F401 -- as above
import pytest
from forked_pytest import run_forked

import pytest_cpjob.stub  # noqa: F401 -- as above

HANDLERS = """
    import boto3

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def silent(event, context): ...

    def failing(event, context):
        job = event["CodePipeline.job"]
        details = {"type": "ConfigurationError", "message": "no theme in UserParameters"}
        codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)

    def raising(event, context):
        raise ValueError("no theme")

    def leaking(event, context):
        print(event)
        failing(event, context)

    def careful(event, context):
        codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])
"""
QUIET = ("-p", "no:faker", "-p", "no:randomly")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(handlers=HANDLERS)
    return pytester


def run(project: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    lines = f"import pytest\nfrom handlers import *\nfrom pytest_cpjob import *\n{body}"
    project.makepyfile(test_it=lines)
    if "--tb=native" in arguments:
        return run_forked(project.path, *QUIET, *arguments)
    return project.runpytest_inprocess(*QUIET, *arguments)


def lines_between(result: pytest.RunResult, first: str, last: str) -> list[str]:
    """The lines after the one that has `first`, up to the one that has `last`."""
    start = next(n for n, line in enumerate(result.outlines) if first in line)
    end = next(n for n in range(start + 1, len(result.outlines)) if last in result.outlines[n])
    return result.outlines[start + 1 : end]


SILENT = """
def test_it(cpjob):
    job = cpjob.add_lambda_job(
        pipeline_name="web", job_id="00000000-0000-0000-0000-000000000001", function_name="fn"
    )
    job.invoke(silent)
"""
FAILING = """
def test_it(cpjob):
    job = cpjob.add_lambda_job(job_id="00000000-0000-0000-0000-000000000001")
    cpjob.advance(95)
    job.invoke(failing)
    assert job.status == "Succeeded"
"""


def test_a_finding_fails_the_test_without_a_traceback(project: pytest.Pytester) -> None:
    result = run(project, SILENT)

    result.assert_outcomes(failed=1)
    assert lines_between(result, "_ test_it _", "short test summary") == [
        "no-result: job 00000000-0000-0000-0000-000000000001 (web/Invoke/Invoke) was",
        "  delivered to its function, and got no result.",
        '  CodePipeline waits until the action times out, then fails it ("The AWS Lambda',
        '  function fn failed to return a result. ...").',
        "  To fix it: Call put_job_success_result or put_job_failure_result on every way",
        "  out of the code. See pytest-cpjob explain no-result",
        '  To allow it: @pytest.mark.cpjob(allow=["no-result"])',
        "---------- cpjob timeline of job 00000000-0000-0000-0000-000000000001 ----------",
        "web/Invoke/Invoke, Invoke:AWS:Lambda:1: InProgress",
        "  +0s     event delivered to the function",
        "  !       no-result",
        "================================ cpjob findings ================================",
        "no-result x1",
        "cpjob: 1 job, findings: no-result 1",
    ]
    result.stdout.fnmatch_lines(["FAILED *::test_it - no-res*"])


def test_the_timeline_of_a_failed_test(project: pytest.Pytester) -> None:
    result = run(project, FAILING, "--tb=short")

    timeline = lines_between(result, "- cpjob timeline of job", "short test summary")
    assert timeline[1:] == [
        "  +95s    event delivered to the function",
        "  +95s    PutJobFailureResult (handlers.py:10); InProgress -> Failed",
        "  result  ConfigurationError: no theme in UserParameters",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["--tb=short"], ["--tb=native"], ["--tb=long"], ["--show-capture=no"]],
    ids=" ".join,
)
def test_the_timeline_is_there(project: pytest.Pytester, arguments: list[str]) -> None:
    result = run(project, FAILING, *arguments)

    result.stdout.fnmatch_lines(["*- cpjob timeline of job *", "*InProgress -> Failed"])


def test_the_timeline_is_in_junit_xml(project: pytest.Pytester) -> None:
    run(project, FAILING, "--junitxml=report.xml")

    [failure] = ElementTree.parse(project.path / "report.xml").iter("failure")
    assert "InProgress -> Failed" in (failure.text or "")


def test_the_timeline_fits_eighty_columns_and_masks_secrets(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}

def test_it(cpjob):
    cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
    job = cpjob.add_job(
        action_type=DOCS,
        configuration={"Password": "hunter2hunter2"},
        pipeline_name="p" * 100, stage_name="s" * 100, action_name="a" * 100,
        input_artifacts={"Source" * 10: {"a": "b"}},
        artifact_bucket="b" * 63,
    )
    codepipeline.poll_for_jobs(actionTypeId=DOCS)
    codepipeline.acknowledge_job(jobId=job.id, nonce=job.nonce)
    source = next(iter(job.input_artifacts.values()))
    with pytest.raises(Exception):
        boto3.client("s3", region_name="us-east-1").get_object(Bucket=source.bucket, Key=source.key)
    details = {"type": "JobFailed", "message": "cannot log in with hunter2hunter2"}
    codepipeline.put_job_failure_result(jobId=job.id, failureDetails=details)
    assert job.status == "Succeeded"
""",
        "--tb=native",
    )

    timeline = lines_between(result, "- cpjob timeline of job", "cpjob: 1 job, findings")
    # A word that is longer is not broken: a name, a path or an ARN is copied as it is.
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in timeline)
    joined = " ".join(" ".join(timeline).split())
    assert "with the function's own role (test_" in joined
    assert "-> AccessDenied" in joined
    assert "cannot log in with <masked>" in joined
    assert "hunter2hunter2" not in joined


SECRETS = """
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}

def test_it(cpjob):
    password = "".join(["hunter2", "hunter2"])
    cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
    job = cpjob.add_job(action_type=DOCS, configuration={"Password": password})
    data = codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"][0]["data"]
    codepipeline.acknowledge_job(jobId=job.id, nonce=job.nonce)
    print("out", password)
    key = data["artifactCredentials"]["secretAccessKey"]
    details = {"type": "JobFailed", "message": f"cannot log in with {password}"}
    codepipeline.put_job_failure_result(jobId=job.id, failureDetails=details)
    assert key + password == "", (job, job.result, data["actionConfiguration"])
"""


@pytest.mark.parametrize(
    "arguments",
    [["-l"], ["-l", "-vv"], ["--tb=native"], ["-l", "--tb=short"]],
    ids=" ".join,
)
def test_no_part_of_a_failure_shows_a_secret(
    project: pytest.Pytester, arguments: list[str]
) -> None:
    result = run(project, SECRETS, "--junitxml=report.xml", *arguments)

    result.assert_outcomes(failed=1)
    for shown in (result.stdout.str(), (project.path / "report.xml").read_text()):
        assert "hunter2hunter2" not in shown
    result.stdout.fnmatch_lines(
        ["*AssertionError: (<Job * 'cannot log in with <masked>'>, *", "out <masked>"]
    )


SHORTENED = """
from pathlib import Path

def test_it(cpjob):
    job = cpjob.add_lambda_job()
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]
    token = keys["sessionToken"]
    Path("token.txt").write_text(token)
    nested = {"keys": [keys]}
    assert CONDITION
"""


@pytest.mark.parametrize("condition", ["keys == {'a': 1}", "token == 'x'", "len(token) == 0"])
@pytest.mark.parametrize("arguments", [["--tb=long", "-l"], ["-vv"]], ids=" ".join)
def test_what_pytest_has_shortened_shows_no_part_of_a_secret(
    project: pytest.Pytester, condition: str, arguments: list[str]
) -> None:
    result = run(project, SHORTENED.replace("CONDITION", condition), *arguments)

    result.assert_outcomes(failed=1)
    shown = result.stdout.str()
    assert "<masked>" in shown
    token = (project.path / "token.txt").read_text("utf-8")
    # What all tokens have in common is no secret.
    assert [at for at in range(17, len(token) - 8) if token[at : at + 8] in shown] == []


def test_findings_of_a_failed_test_are_a_section_and_no_second_error(
    project: pytest.Pytester,
) -> None:
    result = run(
        project,
        """
def test_it(cpjob):
    job = cpjob.add_lambda_job().invoke(leaking)
    assert job.status == "Succeeded"
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 'Failed' == 'Succeeded'",
            "*- cpjob findings -*",
            "leaked-secret (handlers.py:16): secretAccessKey and sessionToken of job",
        ]
    )


@pytest.mark.parametrize(
    ("mark", "end", "outcome"),
    [
        ("@pytest.mark.xfail", "assert False", {"xfailed": 1}),
        ("", "pytest.skip('later')", {"skipped": 1}),
    ],
    ids=["xfail", "skip"],
)
def test_no_error_follows(
    project: pytest.Pytester, mark: str, end: str, outcome: dict[str, int]
) -> None:
    body = f"{mark}\ndef test_it(cpjob):\n    cpjob.add_lambda_job().invoke(silent)\n    {end}\n"

    run(project, body).assert_outcomes(**outcome)


def test_a_test_that_ctrl_c_ends_owes_nothing(project: pytest.Pytester) -> None:
    body = "def test_it(cpjob):\n    cpjob.add_lambda_job().event\n    raise KeyboardInterrupt\n"
    project.makepyfile(body)

    # In a process of its own: in this one it would be this run that ends.
    result = project.runpytest_subprocess(*QUIET)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*", "*no tests ran*"])
    assert "ContractError" not in result.stdout.str() + result.stderr.str()


def test_a_failure_in_setup_has_a_timeline_too(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.fixture
def job(cpjob):
    job = cpjob.add_lambda_job().invoke(failing)
    assert job.status == "Succeeded"

def test_it(job): ...
""",
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*- cpjob timeline of job *"])


def test_what_check_raised_is_not_raised_again(project: pytest.Pytester) -> None:
    checked = "    with pytest.raises(ContractError):\n        cpjob.check()\n"

    result = run(project, SILENT + checked)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("cpjob: *")


@pytest.mark.parametrize(
    ("where", "option"),
    [
        ("marker", '@pytest.mark.cpjob(allow=["no-result"])'),
        ("outer marker", 'pytestmark = pytest.mark.cpjob(allow=["no-result"])'),
        ("ini", ""),
    ],
)
def test_a_finding_is_allowed(project: pytest.Pytester, where: str, option: str) -> None:
    if where == "ini":
        project.makeini("[pytest]\ncpjob_allow = missing-output\n    no-result\n")

    run(project, f"{option}{SILENT}").assert_outcomes(passed=1)


# -- explanations ------------------------------------------------------------------------------


def test_a_status_explains_itself(project: pytest.Pytester) -> None:
    result = run(project, FAILING)

    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: assert 'Failed' == 'Succeeded'",
            "E         ",
            "E         job 00000000-0000-0000-0000-000000000001 is Failed",
            "E           it was reported as ConfigurationError: no theme in UserParameters",
            "E           the last call: +95s codepipeline.PutJobFailureResult",
        ],
        consecutive=True,
    )


def test_a_result_explains_itself(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_it(cpjob):
    job = cpjob.add_lambda_job()
    with pytest.raises(ValueError):
        job.invoke(raising)
    assert job.result == JobSuccess()
""",
    )

    result.stdout.fnmatch_lines(
        [
            "E*assert None == JobSuccess(*",
            "E*job * is InProgress",
            "E*nothing was reported of it",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "E *the handler raised ValueError: no theme",
            "E *File *handlers.py*in raising",
            'E *raise ValueError("no theme")',
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    ("condition", "headline"),
    [
        ("'Succeeded' == job.status", "assert 'Succeeded' == 'Failed'"),
        ("job.status in ('Succeeded', 'TimedOut')", "assert 'Failed' in ('Succeeded', 'TimedOut')"),
        ("job.status in ['Succeeded']", "assert 'Failed' in ?'Succeeded'?"),
        ("JobSuccess() == job.result", "assert JobSuccess(*"),
    ],
)
def test_a_comparison_explains_itself_either_way_round(
    project: pytest.Pytester, condition: str, headline: str
) -> None:
    result = run(project, FAILING.replace('job.status == "Succeeded"', condition))

    result.stdout.fnmatch_lines(
        [
            f"E       AssertionError: {headline}",
            "E         ",
            "E         job 00000000-0000-0000-0000-000000000001 is Failed",
            "E           it was reported as ConfigurationError: no theme in UserParameters",
            "E           the last call: +95s codepipeline.PutJobFailureResult",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("sides", ["{job} == {mine}", "{mine} == {job}"])
def test_two_results_of_a_kind_keep_pytests_difference(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, sides: str
) -> None:
    for name in ("CI", "BUILD_NUMBER"):  # where pytest cuts nothing short
        monkeypatch.delenv(name, raising=False)
    mine = "JobFailure('ConfigurationError', 'no thema')"
    condition = sides.format(job="job.result", mine=mine)
    result = run(project, FAILING.replace('job.status == "Succeeded"', condition))

    result.stdout.fnmatch_lines(
        [
            "E *job 00000000-0000-0000-0000-000000000001 is Failed, its last call: +95s"
            " codepipeline.PutJobFailureResult",
            "E *Differing attributes:",
            "E *message: 'no them*' != 'no them*",
        ]
    )


def test_at_most_three_jobs_are_explained_the_newest(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_it(cpjob):
    for number in range(1, 6):
        job = cpjob.add_lambda_job(job_id=f"00000000-0000-0000-0000-00000000000{number}")
        job.invoke(failing if number != 2 else careful)
    assert job.status == "Succeeded"
""",
        "-vv",
    )

    told = [line.split()[2] for line in result.outlines if line.startswith("E         job ")]
    assert [job_id[-1] for job_id in told] == ["2", "4", "5"]


@pytest.mark.parametrize("right", ["'eggs'", "('eggs', 'Failed')", "5"])
def test_other_comparisons_are_pytests_own_beside_a_job(
    project: pytest.Pytester, right: str
) -> None:
    operator = "in" if "(" in right else "=="
    condition = f"'Succeeded' {operator} {right}"
    result = run(project, FAILING.replace('job.status == "Succeeded"', condition))

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("E *job 00000000*")


def test_other_comparisons_are_pytests_own(project: pytest.Pytester) -> None:
    result = run(project, "def test_it(cpjob):\n    assert 'spam' == 'eggs'\n")

    result.stdout.fnmatch_lines(["E*assert 'spam' == 'eggs'", "E*- eggs", "E*+ spam"])


# -- the last line -----------------------------------------------------------------------------

THREE = """
def test_one(cpjob):
    cpjob.add_lambda_job().invoke(silent)

def test_two(cpjob):
    cpjob.add_lambda_job().invoke(leaking)

def test_three(cpjob):
    cpjob.add_lambda_job().invoke(careful)
"""


def test_the_last_line_counts_jobs_and_findings(project: pytest.Pytester) -> None:
    result = run(project, THREE)

    [line] = [line for line in result.outlines if line.startswith("cpjob: ")]
    assert line == "cpjob: 3 jobs, findings: no-result 1, leaked-secret 1"


def test_there_is_no_last_line_where_nothing_was_found(project: pytest.Pytester) -> None:
    result = run(
        project, "def test_it(cpjob):\n    cpjob.add_lambda_job().invoke(careful)\n", "-W", "error"
    )

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*cpjob: *")


def test_an_uploaded_output_is_judged(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_it(cpjob):
    job = cpjob.add_lambda_job(output_artifacts=["Site"], encryption_key=True)
    def handler(event, context):
        keys = event["CodePipeline.job"]["data"]["artifactCredentials"]
        s3 = boto3.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        ).client("s3", region_name="us-east-1")
        site = job.output_artifacts["Site"]
        s3.put_object(Bucket=site.bucket, Key=site.key, Body=b"site")
        careful(event, context)
    job.invoke(handler)
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["output-encryption (handlers.py:20): *", "*- cpjob timeline of job *"]
    )
