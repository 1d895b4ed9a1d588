"""The mistakes of public handlers under four tools: which one notices, and by what.

Each tool is used as its users use it, and is given every chance:

- Mock, Stubber and moto get an event that the handler's author wrote by hand, after AWS's sample
  and the author's own belief; ours gets a job.
- A Mock test ends with `assert_called_once()` on the result that should have been reported.
- A Stubber has the responses that the right handler needs, and must have none left at its end.
- moto has the artifact in its bucket. It has none of the job operations, so the right handler does
  not get through either: what moto notices is what makes a difference to that.
- Ours has no more than `invoke`, the job's status at the end, and the findings.

A tool notices if anything is raised that the handler does not raise in production as well.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import MagicMock

import boto3
import faulty_handlers as handlers
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from pytest_cpjob import CodePipelineStub, ContractError

BUCKET: Final = "codepipeline-us-east-1-123456789012"
KEY_ID: Final = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NO_ZIP: Final = b"this is no zip"


@dataclass(frozen=True)
class Mistake:
    """One mistake, and what its author tests it with.

    Attributes:
        handler: the one that makes it.
        right: the one that does not.
        believed: what the author's own event has beside AWS's sample.
        source: the input artifact, where it is to be one that the work fails at.
        mocked: the input artifact as the author believes it to be.
        job_id: what the author's own event has as the job's id.
        reports: the operation that should report; None where none should.
        raises: what the handler raises in production as well.
    """

    text: str
    handler: type[handlers.Builder]
    right: type[handlers.Builder] = handlers.Builder
    believed: Callable[[dict[str, Any]], object] = lambda job: None
    source: bytes | None = None
    mocked: bytes | None = None
    job_id: str | None = None
    reports: str | None = "put_job_success_result"
    raises: type[Exception] = handlers.Never

    def mended(self) -> Mistake:
        """The same test of the right handler."""
        return replace(self, handler=self.right, mocked=None, job_id=None, raises=handlers.Never)


def fails(text: str, handler: type[handlers.Builder], **more: Any) -> Mistake:
    """A mistake that shows once the work fails."""
    return Mistake(text, handler, source=NO_ZIP, reports="put_job_failure_result", **more)


MISTAKES: Final = (
    fails("a path that reports no result", handlers.ReportsNoFailure),
    Mistake("the function's own role opens the artifacts", handlers.OwnRole),
    Mistake("the event is logged, credentials and all", handlers.LogsTheEvent),
    fails("raises again after it reported", handlers.RaisesAgain, raises=zipfile.BadZipFile),
    Mistake("the role may not report (an IAM policy)", handlers.MayNotReport),
    fails("`failureDetails` left out", handlers.NoFailureDetails),
    Mistake("`context.invokeid`", handlers.InvokeId),
    fails("goes on after a result, and reports again", handlers.GoesOn),
    Mistake("the output without the pipeline's key", handlers.NoKey),
    Mistake("`UserParameters` taken for granted", handlers.NeedsUserParameters),
    Mistake(
        "`pipelineContext` in a Lambda event",
        handlers.NeedsPipelineContext,
        believed=lambda job: job["data"].update(pipelineContext={"pipelineName": "web"}),
    ),
    Mistake("the artifact read as a file, not as a zip", handlers.ReadsNoZip, mocked=b"# Hi"),
    Mistake(
        "a worker fails a job that another has claimed",
        handlers.FailsOthersJobs,
        right=handlers.Worker,
        reports=None,
    ),
    Mistake(
        "the continuation token is never cleared",
        handlers.ContinuesForEver,
        right=handlers.Continuing,
        believed=lambda job: job["data"].update(continuationToken="step 2"),
    ),
    Mistake("tested with a job id that AWS never sends", handlers.TestedWithAnyId, job_id="job-1"),
)

TOOLS: Final = ("Mock", "Stubber", "moto", "pytest-cpjob")
TABLE: Final[dict[str, tuple[str, str, str, str]]] = {
    "a path that reports no result": (
        "AssertionError",
        "AssertionError",
        "",
        "job.status, no-result",
    ),
    "the function's own role opens the artifacts": ("", "", "", "job.status, own-role"),
    "the event is logged, credentials and all": ("", "", "", "leaked-secret"),
    "raises again after it reported": ("", "", "", "raised-after-result"),
    "the role may not report (an IAM policy)": ("", "", "", ""),
    "`failureDetails` left out": (
        "",
        "ParamValidationError",
        "ParamValidationError",
        "ParamValidationError, raised",
    ),
    "`context.invokeid`": (
        "",
        "ParamValidationError",
        "ParamValidationError",
        "AttributeError, raised",
    ),
    "goes on after a result, and reports again": (
        "",
        "UnStubbedResponseError",
        "",
        "InvalidJobStateException, raised-after-result, second-result",
    ),
    "the output without the pipeline's key": ("", "", "", "output-encryption"),
    "`UserParameters` taken for granted": ("", "", "", "job.status"),
    "`pipelineContext` in a Lambda event": ("", "", "", "job.status"),
    "the artifact read as a file, not as a zip": ("", "", "", "job.status"),
    "a worker fails a job that another has claimed": (
        "",
        "UnStubbedResponseError",
        "",
        "InvalidJobStateException, not-owner",
    ),
    "the continuation token is never cleared": ("", "", "", "HandlerError"),
    "tested with a job id that AWS never sends": ("", "", "", "ValueError"),
}
"""By mistake, what each tool notices it by: an exception, a status, findings. Nothing: ''."""


def sample_event(mistake: Mistake) -> dict[str, Any]:
    """The event as AWS's user guide has it, changed to what the handler's author believes."""

    def artifact(name: str) -> dict[str, Any]:
        location = {"bucketName": BUCKET, "objectKey": f"web/{name}/1m8abuj"}
        return {
            "name": name,
            "revision": None,
            "location": {"type": "S3", "s3Location": location},
        }

    job: dict[str, Any] = {
        "id": mistake.job_id or "11111111-abcd-1111-abcd-111111abcdef",
        "accountId": "123456789012",
        "data": {
            "actionConfiguration": {
                "configuration": {"FunctionName": "build", "UserParameters": '{"theme": "dark"}'}
            },
            "inputArtifacts": [artifact("Source")],
            "outputArtifacts": [artifact("Site")],
            "artifactCredentials": {
                "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "sessionToken": "IQoJb3JpZ2luX2VjEXAMPLE",
            },
            "encryptionKey": {"id": KEY_ID, "type": "KMS"},
        },
    }
    mistake.believed(job)
    return {"CodePipeline.job": job}


def polled(mistake: Mistake) -> dict[str, Any]:
    """The same job as a poll hands it out."""
    job: dict[str, Any] = sample_event(mistake)["CodePipeline.job"]
    for artifact in (*job["data"]["inputArtifacts"], *job["data"]["outputArtifacts"]):
        del artifact["revision"]  # a Stubber takes no null
    return {**job, "nonce": "3"}


def body_of(mistake: Mistake) -> bytes:
    """The input artifact as the author puts it into a mock, or into moto."""
    return mistake.mocked or mistake.source or handlers.zipped({"index.md": "# Hi"})


def run(mistake: Mistake) -> None:
    """Run the handler as a test with a hand-written event does."""
    handler = mistake.handler()
    with suppress(mistake.raises):
        if isinstance(handler, handlers.Worker):
            handler.work_once()
        else:
            handler(sample_event(mistake), MagicMock())


@contextmanager
def clients(monkeypatch: pytest.MonkeyPatch, **made: Any) -> Iterator[None]:
    """Let the handlers' boto3 give these clients, as `patch("my_action.boto3")` does."""
    session = SimpleNamespace(client=lambda name, **_: made[name])
    with monkeypatch.context() as patch:
        patch.setattr(
            handlers, "boto3", SimpleNamespace(client=session.client, Session=lambda **_: session)
        )
        yield


# -- the tools -------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def under_mock(mistake: Mistake, monkeypatch: Patch) -> None:
    codepipeline, s3 = MagicMock(), MagicMock()
    s3.get_object.return_value = {"Body": io.BytesIO(body_of(mistake))}
    codepipeline.poll_for_jobs.return_value = {"jobs": [polled(mistake)]}
    codepipeline.acknowledge_job.side_effect = ClientError(
        {"Error": {"Code": "InvalidNonceException", "Message": ""}}, "AcknowledgeJob"
    )
    with clients(monkeypatch, codepipeline=codepipeline, s3=s3):
        run(mistake)
    if mistake.reports is not None:
        getattr(codepipeline, mistake.reports).assert_called_once()


def under_stubber(mistake: Mistake, monkeypatch: Patch) -> None:
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    s3 = boto3.client("s3", region_name="us-east-1")
    with Stubber(codepipeline) as of_codepipeline, Stubber(s3) as of_s3:
        if issubclass(mistake.handler, handlers.Worker):
            of_codepipeline.add_response("poll_for_jobs", {"jobs": [polled(mistake)]})
            of_codepipeline.add_client_error("acknowledge_job", "InvalidNonceException")
        else:
            body = body_of(mistake)
            of_s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})
            if mistake.source is None:
                of_s3.add_response("put_object", {})
        if mistake.reports is not None:
            of_codepipeline.add_response(mistake.reports, {})
        with clients(monkeypatch, codepipeline=codepipeline, s3=s3):
            run(mistake)
        of_codepipeline.assert_no_pending_responses()
        of_s3.assert_no_pending_responses()


def under_moto(mistake: Mistake, monkeypatch: Patch) -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="web/Source/1m8abuj", Body=body_of(mistake))
        run(mistake)


def under_ours(cpjob: CodePipelineStub, mistake: Mistake) -> None:
    handler = mistake.handler()
    artifacts: dict[str, Any] = {
        "input_artifacts": {"Source": mistake.source or {"index.md": "# Hi"}},
        "output_artifacts": ["Site"],
        "encryption_key": True,
        "job_id": mistake.job_id,
    }
    if isinstance(handler, handlers.Worker):
        cpjob.add_job(action_type=handlers.DOCS, **artifacts)
        cpjob.fail("AcknowledgeJob", "InvalidNonceException")
        handler.work_once()
        return
    job = cpjob.add_lambda_job(**artifacts)
    with suppress(mistake.raises):
        job = job.invoke(handler)
    assert job.status == ("Failed" if mistake.source else "Succeeded")


def noticed(tool: str, mistake: Mistake, monkeypatch: Patch) -> str:
    """What a tool notices a mistake by."""
    if tool == "pytest-cpjob":
        with CodePipelineStub() as cpjob:
            notices = [*raised_by(lambda: under_ours(cpjob, mistake)), *raised_by(cpjob.check)]
        return ", ".join(notices).replace("AssertionError", "job.status")
    runs = {"Mock": under_mock, "Stubber": under_stubber, "moto": under_moto}
    return ", ".join(raised_by(lambda: runs[tool](mistake, monkeypatch)))


def raised_by(action: Callable[[], object]) -> tuple[str, ...]:
    """The code or the class of what an action raises, or the findings' names."""
    try:
        action()
    except ContractError as error:
        return error.names
    except ClientError as error:
        return (error.response["Error"]["Code"],)
    except Exception as error:
        return (type(error).__name__,)
    return ()


# -- the tests -------------------------------------------------------------------------------------


def test_there_are_fifteen_mistakes_in_the_table() -> None:
    assert [mistake.text for mistake in MISTAKES] == list(TABLE)
    assert len(TABLE) == 15


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.handler.__name__)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_table_is_right(tool: str, mistake: Mistake, monkeypatch: Patch) -> None:
    by_what = noticed(tool, mistake, monkeypatch)

    if tool == "moto" and by_what == noticed(tool, mistake.mended(), monkeypatch):
        by_what = ""
    assert by_what == TABLE[mistake.text][TOOLS.index(tool)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.right.__name__)
@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "moto"])
def test_the_right_handler_is_left_alone(tool: str, mistake: Mistake, monkeypatch: Patch) -> None:
    assert noticed(tool, mistake.mended(), monkeypatch) == ""


def test_ours_notices_at_least_fourteen() -> None:
    assert sum(bool(cells[-1]) for cells in TABLE.values()) >= 14
