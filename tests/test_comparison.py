"""Fifteen mistakes that handler authors make, under four tools: who notices.

The rows are the ranked mistakes of public handlers (`faulty_handlers`); `docs/comparison.md` prints
this table. A tool notices a mistake when a test of it does not pass. The test asks for one thing:
that the job ends as the test has set it up, with success, with a failure where the source cannot be
built, and alone where another worker has it. What a tool leaves to the author of the test, an event
or a service's answers, is written as somebody who makes the mistake believes it to be.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import MagicMock, patch

import boto3
import faulty_handlers as faulty
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.stub import Stubber
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError, CpjobError

ROOT = Path(__file__).parent.parent
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
UUID = "11111111-abcd-4111-abcd-111111abcdef"
TOOLS = ("unittest.mock", "Stubber", "moto", "pytest-cpjob")

NOTICES = (AssertionError, CpjobError, BotoCoreError, ClientError, KeyError, AttributeError)
"""What a test may fail with; the last two are `RaisesAgain`'s own, and `InvokeId`'s."""

Outcome = Literal["success", "failure", "another's"]


class Mistake(NamedTuple):
    """One row: what is wrong, with which code, in which test, which tools notice, and what it is.

    `finding` is what a test with us has for it; where that is none, `seen` is how it fails.
    """

    what: str
    code: type[faulty.Builder]
    noticed: str
    finding: str = ""
    seen: str = ""
    outcome: Outcome = "success"
    job_id: str = UUID


MISTAKES = [
    Mistake(
        "a path reports no result",
        faulty.ReportsNoFailure,
        "✓ ✓ ✓ ✓",
        "no-result",
        outcome="failure",
    ),
    Mistake("its own role opens the artifacts", faulty.OwnRole, "- - - ✓", "own-role"),
    Mistake("the whole event is logged", faulty.LogsTheEvent, "- - - ✓", "leaked-secret"),
    Mistake(
        "it raises after it has reported",
        faulty.RaisesAgain,
        "✓ ✓ ✓ ✓",
        "raised-after-result",
        outcome="failure",
    ),
    Mistake("its role may not report (IAM)", faulty.MayNotReport, "- - - ✓", "not-permitted"),
    Mistake(
        "failureDetails is malformed",
        faulty.NoFailureDetails,
        "- ✓ - ✓",
        "raised",
        outcome="failure",
    ),
    Mistake("its execution id is `context.invokeid`", faulty.InvokeId, "- ✓ - ✓", "raised"),
    Mistake(
        "it goes on after its result", faulty.GoesOn, "- ✓ - ✓", "second-result", outcome="failure"
    ),
    Mistake("it uploads without the pipeline's key", faulty.NoKey, "- - - ✓", "output-encryption"),
    Mistake(
        "it takes UserParameters for granted",
        faulty.NeedsUserParameters,
        "- - - ✓",
        seen="the job fails",
    ),
    Mistake(
        "it takes a pipelineContext for granted",
        faulty.NeedsPipelineContext,
        "- - - ✓",
        seen="the job fails",
    ),
    Mistake(
        "it takes the zip for a plain file", faulty.ReadsNoZip, "- - - ✓", seen="the job fails"
    ),
    Mistake(
        "it fails a job that another worker has",
        faulty.FailsOthersJobs,
        "- ✓ - ✓",
        "not-owner",
        outcome="another's",
    ),
    Mistake(
        "its continuation never ends", faulty.ContinuesForEver, "- - - ✓", seen="`invoke` ends it"
    ),
    Mistake(
        "its test has the job id `1234`",
        faulty.TestedWithAnyId,
        "- - - ✓",
        "no-result",
        job_id="1234",
    ),
]


# -- what a test's author writes by hand where no tool makes it ------------------------------------


def source_of(mistake: Mistake) -> bytes:
    if mistake.code is faulty.ReadsNoZip:
        return b"# Hi"
    return faulty.zipped({"index.md" if mistake.outcome == "success" else "no.md": "# Hi"})


def handwritten_job(mistake: Mistake) -> Any:
    def at(name: str) -> Any:
        where = {"bucketName": "bucket", "objectKey": name}
        return {"name": name, "location": {"s3Location": where}}

    return {
        "id": mistake.job_id,
        "nonce": "1",
        "data": {
            "actionConfiguration": {"configuration": {"UserParameters": '{"theme": "dark"}'}},
            "pipelineContext": {"pipelineName": "web"},
            "inputArtifacts": [at("in")],
            "outputArtifacts": [at("out")],
            "artifactCredentials": {
                "accessKeyId": "a",
                "secretAccessKey": "b",
                "sessionToken": "c",
            },
            "encryptionKey": {"id": KEY, "type": "KMS"},
        },
    }


def refusal() -> ClientError:
    return ClientError({"Error": {"Code": "InvalidNonceException"}}, "AcknowledgeJob")


def run(mistake: Mistake) -> None:
    """Run the code with what was written by hand."""
    code = mistake.code()
    if isinstance(code, faulty.Worker):
        code.work_once()
    else:
        code({"CodePipeline.job": handwritten_job(mistake)}, MagicMock())


def mocked_codepipeline(mistake: Mistake) -> MagicMock:
    codepipeline = MagicMock()
    codepipeline.poll_for_jobs.return_value = {"jobs": [handwritten_job(mistake)]}
    if mistake.outcome == "another's":
        codepipeline.acknowledge_job.side_effect = refusal()
    return codepipeline


def assert_mock_was_told(mistake: Mistake, codepipeline: MagicMock) -> None:
    if mistake.outcome == "success":
        codepipeline.put_job_success_result.assert_called_once()
    elif mistake.outcome == "failure":
        codepipeline.put_job_failure_result.assert_called_once()
    else:
        codepipeline.acknowledge_job.assert_called_once()


# -- the tools -------------------------------------------------------------------------------------


def under_mock(mistake: Mistake) -> None:
    codepipeline, s3 = mocked_codepipeline(mistake), MagicMock()
    s3.get_object.return_value = {"Body": io.BytesIO(source_of(mistake))}
    clients = {"codepipeline": codepipeline, "s3": s3}
    with (
        patch("boto3.client", lambda name, **_: clients[name]),
        patch("boto3.Session", **{"return_value.client.return_value": s3}),
    ):
        run(mistake)
    assert_mock_was_told(mistake, codepipeline)


def under_stubber(mistake: Mistake) -> None:
    """It is told each call that is to come, and asked at the end whether they came."""
    clients = {
        name: boto3.client(name, region_name=faulty.REGION) for name in ("codepipeline", "s3")
    }
    codepipeline, s3 = Stubber(clients["codepipeline"]), Stubber(clients["s3"])
    if mistake.outcome == "another's":
        job = handwritten_job(mistake)
        codepipeline.add_response("poll_for_jobs", {"jobs": [job]})
        codepipeline.add_client_error("acknowledge_job", "InvalidNonceException")
    else:
        codepipeline.add_response(f"put_job_{mistake.outcome}_result", {})
        s3.add_response("get_object", {"Body": io.BytesIO(source_of(mistake))})
    if mistake.outcome == "success":
        s3.add_response("put_object", {})
    with (
        patch("boto3.client", lambda name, **_: clients[name]),
        patch("boto3.Session", **{"return_value.client.return_value": clients["s3"]}),
        codepipeline,
        s3,
    ):
        run(mistake)
        codepipeline.assert_no_pending_responses()
        s3.assert_no_pending_responses()


def under_moto(mistake: Mistake) -> None:
    """S3 is moto's; moto does not have the job operations, so these are mocked beside it."""
    codepipeline, client = mocked_codepipeline(mistake), boto3.client
    with mock_aws():
        s3 = client("s3", region_name=faulty.REGION)
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="in", Body=source_of(mistake))
        with patch(
            "boto3.client",
            lambda name, **more: codepipeline if name == "codepipeline" else client(name, **more),
        ):
            run(mistake)
        if mistake.outcome == "success":
            s3.head_object(Bucket="bucket", Key="out")
    assert_mock_was_told(mistake, codepipeline)


def under_us(mistake: Mistake) -> None:
    with CodePipelineStub(role_policy=mistake.code.role_policy) as cpjob:
        run_under(cpjob, mistake)


def run_under(cpjob: CodePipelineStub, mistake: Mistake) -> None:
    """Nothing is written by hand but the source's file and, in its row, the job id.

    The role's policy is the author's own, which no other tool takes.
    """
    artifacts: Any = {
        "input_artifacts": {
            "Source": {"index.md" if mistake.outcome == "success" else "no.md": "# Hi"}
        },
        "output_artifacts": ["Site"],
        "encryption_key": KEY,
    }
    code = mistake.code()
    if isinstance(code, faulty.Worker):
        cpjob.add_job(action_type=faulty.DOCS, **artifacts)
        cpjob.fail("AcknowledgeJob", "InvalidNonceException")
        code.work_once()
        return
    job = cpjob.add_lambda_job(**artifacts)
    if mistake.job_id == UUID:
        job.invoke(code)
        assert job.status == {"success": "Succeeded", "failure": "Failed"}[mistake.outcome]
    else:
        event: Any = copy.deepcopy(job.event)
        event["CodePipeline.job"]["id"] = mistake.job_id
        code(event, job.context)


def findings_of(mistake: Mistake) -> tuple[str, ...]:
    """Return the findings of a test that expects nothing of its own, the cause first."""
    with CodePipelineStub(role_policy=mistake.code.role_policy) as cpjob:
        with suppress(*NOTICES):
            run_under(cpjob, mistake)
        try:
            cpjob.check()
        except ContractError as error:
            return error.names
    return ()


RUN = dict(zip(TOOLS, (under_mock, under_stubber, under_moto, under_us), strict=True))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.code.__name__)
def test_who_notices(mistake: Mistake, tool: str) -> None:
    if mistake.noticed.split()[TOOLS.index(tool)] == "✓":
        with pytest.raises(NOTICES):
            RUN[tool](mistake)
    else:
        RUN[tool](mistake)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.code.__name__)
def test_what_it_is_found_as(mistake: Mistake) -> None:
    assert findings_of(mistake)[:1] == ((mistake.finding,) if mistake.finding else ())
    assert bool(mistake.seen) != bool(mistake.finding)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "right",
    [
        Mistake("nothing", faulty.Builder, ""),
        Mistake("nothing, of a source without its page", faulty.Builder, "", outcome="failure"),
        Mistake("nothing, and another worker has the job", faulty.Worker, "", outcome="another's"),
    ],
    ids=lambda right: right.outcome,
)
def test_no_tool_complains_of_code_that_is_right(right: Mistake, tool: str) -> None:
    RUN[tool](right)


def test_a_right_handler_in_two_steps_passes_with_us() -> None:
    under_us(Mistake("nothing", faulty.Continuing, ""))


# -- what is printed -------------------------------------------------------------------------------


def noticed_by(tool: str) -> int:
    return sum(mistake.noticed.split()[TOOLS.index(tool)] == "✓" for mistake in MISTAKES)


def table() -> str:
    """Return the table that the page prints."""
    # Ours first: a phone shows no more columns than that.
    shown = (TOOLS[-1], *TOOLS[:-1])
    lines = ["| | mistake | " + " | ".join(shown) + " |", "|---|---|" + "---|" * len(shown)]
    for rank, mistake in enumerate(MISTAKES, 1):
        noticed = dict(zip(TOOLS, mistake.noticed.split(), strict=True))
        finding = f"[`{mistake.finding}`](findings.md#{mistake.finding})" if mistake.finding else ""
        noticed["pytest-cpjob"] += f" {finding or mistake.seen}"
        cells = " | ".join(noticed[tool] for tool in shown)
        lines.append(f"| {rank} | {mistake.what} | {cells} |")
    lines.append("| | of fifteen | " + " | ".join(str(noticed_by(tool)) for tool in shown) + " |")
    return "\n".join(lines)


def test_we_notice_fifteen_of_fifteen() -> None:
    assert (len(MISTAKES), noticed_by("pytest-cpjob")) == (15, 15)


def test_the_page_prints_this_table() -> None:
    text = (ROOT / "docs" / "comparison.md").read_text("utf-8")
    printed = re.search(r"^\| \| mistake .*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert printed is not None
    assert printed[0] == table()


def test_the_zip_is_a_zip(cpjob: CodePipelineStub) -> None:
    """What the handler that reads no zip is given here is what CodePipeline gives."""
    job = cpjob.add_lambda_job(input_artifacts={"Source": {"index.md": "# Hi"}})
    assert zipfile.is_zipfile(io.BytesIO(job.input_artifacts["Source"].content))
