"""A thousand runs of code that does all it should, each another way: nothing is found."""

from __future__ import annotations

import io
import logging
import random
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, ReadTimeoutError

from pytest_cpjob import CodePipelineStub, Job, JobFailure, JobSuccess

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
STUBS: Final = 20
RUNS: Final = 50
"""Runs under each stub: the jobs of one share their bucket, and their test's output."""

CUSTOM: Final = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
PARTNER: Final = {"category": "Test", "owner": "ThirdParty", "provider": "Scan", "version": "1"}
PASSWORD: Final = "correct horse battery staple"
KEYS: Final = (
    None,
    True,
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:123456789012:alias/pipelines",
)
SMALL_PARTS: Final = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)


class Correct:
    """Code that does all it should; its choices are drawn.

    Args:
        choose: where the choices come from.
        tokens: the partner's own store, client id -> token.
    """

    def __init__(self, choose: random.Random, tokens: Mapping[str, str] | None = None) -> None:
        self.choose = choose
        self.tokens = tokens or {}
        self.steps = choose.choice((0, 0, 1, 3))
        self.fails = choose.random() < 0.2
        self.early = choose.random() < 0.5

    def lambda_handler(self, event: dict[str, Any], context: Any) -> None:
        job = event["CodePipeline.job"]
        if self.choose.random() < 0.3:
            job = CLIENT.get_job_details(jobId=job["id"])["jobDetails"]
        print("working on", job["id"])
        self.work(job["id"], job["data"], "put_job", context.aws_request_id)

    def worker(self) -> None:
        """Work for ever on custom jobs."""
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=CUSTOM, maxBatchSize=3)["jobs"]:
                if self.claimed(CLIENT.acknowledge_job, jobId=job["id"], nonce=job["nonce"]):
                    self.work(job["id"], job["data"], "put_job", "worker-1")
            time.sleep(30)

    def partner_worker(self) -> None:
        """Work for ever on partner jobs."""
        while True:
            for offer in CLIENT.poll_for_third_party_jobs(actionTypeId=PARTNER)["jobs"]:
                about = {"jobId": offer["jobId"], "clientToken": self.tokens[offer["clientId"]]}
                job = CLIENT.get_third_party_job_details(**about)["jobDetails"]
                acknowledge = CLIENT.acknowledge_third_party_job
                if self.claimed(acknowledge, **about, nonce=job["nonce"]):
                    self.work(about, job["data"], "put_third_party_job", "worker-1")
            time.sleep(30)

    def claimed(self, acknowledge: Callable[..., Any], **about: str) -> bool:
        try:
            return bool(acknowledge(**about)["status"] == "InProgress")
        except CLIENT.exceptions.InvalidNonceException:
            return False

    def work(self, about: Any, data: dict[str, Any], put: str, execution: str) -> None:
        about = {"jobId": about} if isinstance(about, str) else about
        time.sleep(self.choose.choice((0, 1, 600)))
        step = int(data.get("continuationToken", 0))
        last = step >= self.steps
        try:
            self.build(data, upload=last or self.early)
            if self.fails and last:
                raise ValueError("the source does not build")
        except (ValueError, ClientError) as error:
            logging.getLogger("build").warning("no build: %s", error)
            details: dict[str, str] = {
                "type": self.choose.choice(("JobFailed", "ConfigurationError")),
                "message": str(error),
            }
            if self.choose.random() < 0.5:
                details["externalExecutionId"] = execution
            self.report(f"{put}_failure_result", **about, failureDetails=details)
            return
        result: dict[str, Any] = {}
        if not last:
            result["continuationToken"] = str(step + 1)
        elif put == "put_job" and self.choose.random() < 0.5:
            key = data["artifactCredentials"]["accessKeyId"]
            result["outputVariables"] = {"pages": "1", "by": f"{key[:4]}****"}
        if self.choose.random() < 0.5:
            result["executionDetails"] = {"summary": f"step {step}", "percentComplete": 50}
        self.report(f"{put}_success_result", **about, **result)

    def build(self, data: dict[str, Any], *, upload: bool) -> None:
        if not data["inputArtifacts"] and not (upload and data["outputArtifacts"]):
            return
        keys = data["artifactCredentials"]
        session = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
        s3 = session.client("s3", region_name="us-east-1")
        for artifact in data["inputArtifacts"]:
            body = s3.get_object(**place(artifact))["Body"].read()
            assert zipfile.ZipFile(io.BytesIO(body)).namelist()
        encryption = {"ServerSideEncryption": "aws:kms"}
        if "encryptionKey" in data:
            encryption["SSEKMSKeyId"] = data["encryptionKey"]["id"]
        for artifact in data["outputArtifacts"] if upload else ():
            to = place(artifact)
            if self.choose.random() < 0.7:
                s3.put_object(**to, **encryption, Body=b"a page")
            else:
                pages = io.BytesIO(b"pages" * self.choose.choice((1, 2**20 + 1)))
                s3.upload_fileobj(
                    pages, to["Bucket"], to["Key"], ExtraArgs=encryption, Config=SMALL_PARTS
                )

    def report(self, operation: str, **result: Any) -> None:
        """Report until there is an answer; a result that has arrived is enough."""
        for _ in range(3):
            try:
                getattr(CLIENT, operation)(**result)
            except ReadTimeoutError:
                continue
            except CLIENT.exceptions.InvalidJobStateException:
                return
            except ClientError as error:
                if error.response["Error"]["Code"] != "ThrottlingException":
                    raise
            else:
                return


def place(artifact: dict[str, Any]) -> dict[str, str]:
    location = artifact["location"]["s3Location"]
    return {"Bucket": location["bucketName"], "Key": location["objectKey"]}


def job_arguments(choose: random.Random) -> dict[str, Any]:
    names = ("Source", "Config", "Theme")[: choose.choice((0, 0, 0, 0, 0, 1, 1, 3))]
    files: tuple[Any, ...] = ({"index.md": "# Hi"}, {"a/b.txt": b"\0\xff", "ü.md": "unicode"})
    return {
        "input_artifacts": {name: choose.choice(files) for name in names},
        "output_artifacts": ["Site", "Report"][: choose.choice((0, 0, 0, 0, 0, 1, 2))],
        "encryption_key": choose.choice(KEYS),
        "continuation_token": None,
        "pipeline_name": choose.choice((None, "web", "p" * 100)),
    }


def chain(job: Job) -> Iterator[Job]:
    """The job, and what continues it."""
    following: Job | None = job
    while following is not None:
        yield following
        following = following.continuation


# -- the runs --------------------------------------------------------------------------------------


def a_function(cpjob: CodePipelineStub, choose: random.Random) -> list[Job]:
    job = cpjob.add_lambda_job(
        **job_arguments(choose), user_parameters=choose.choice((None, {"theme": "dark"}, "ü"))
    )
    return [*chain(job)] if job.invoke(Correct(choose).lambda_handler) else []


def a_function_whose_first_attempt_raises(
    cpjob: CodePipelineStub, choose: random.Random
) -> list[Job]:
    correct, attempts = Correct(choose), iter([RuntimeError("out of memory"), None])

    def handler(event: dict[str, Any], context: Any) -> None:
        error = next(attempts, None)
        if error is not None:
            raise error
        correct.lambda_handler(event, context)

    job = cpjob.add_lambda_job(**job_arguments(choose))
    job.invoke(handler, retries=1)
    return [*chain(job)]


def a_function_that_meets_a_fault(cpjob: CodePipelineStub, choose: random.Random) -> list[Job]:
    job = cpjob.add_lambda_job(**job_arguments(choose))
    correct = Correct(choose)
    correct.steps, correct.fails = 0, False
    lost = ReadTimeoutError(endpoint_url="https://codepipeline")
    fault: tuple[Any, ...] = choose.choice(
        (("ThrottlingException", False), (lost, True), (lost, False))
    )
    cpjob.fail("PutJobSuccessResult", fault[0], after=fault[1])
    job.invoke(correct.lambda_handler)
    return [job]


def a_function_whose_input_is_missing(cpjob: CodePipelineStub, choose: random.Random) -> list[Job]:
    arguments = job_arguments(choose) | {"input_artifacts": {"Source": None}}
    job = cpjob.add_lambda_job(**arguments)
    correct = Correct(choose)
    job.invoke(correct.lambda_handler)
    return [*chain(job)]


def workers(cpjob: CodePipelineStub, choose: random.Random) -> list[Job]:
    """One worker, or two in threads, on some jobs with a secret in their configuration."""
    jobs = [
        cpjob.add_job(
            action_type=CUSTOM, configuration={"Password": PASSWORD}, **job_arguments(choose)
        )
        for _ in range(choose.choice((1, 2)))
    ]
    if choose.random() < 0.3:  # one that dies before it acknowledges
        CLIENT.poll_for_jobs(actionTypeId=CUSTOM)
    if choose.random() < 0.3:
        cpjob.run_worker(lambda: two(Correct(choose).worker, Correct(choose).worker))
    else:
        cpjob.run_worker(Correct(choose).worker)
    return [each for job in jobs for each in chain(job)]


def two(*workers: Callable[[], None]) -> None:
    threads = [threading.Thread(target=worker) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def a_partners_worker(cpjob: CodePipelineStub, choose: random.Random) -> list[Job]:
    job = cpjob.add_third_party_job(action_type=PARTNER, **job_arguments(choose))
    tokens = {str(job.client_id): str(job.client_token)}
    cpjob.run_worker(Correct(choose, tokens).partner_worker)
    return [*chain(job)]


KINDS: Final = (
    a_function,
    a_function,
    a_function_whose_first_attempt_raises,
    a_function_that_meets_a_fault,
    a_function_whose_input_is_missing,
    workers,
    a_partners_worker,
)


def test_there_are_a_thousand_runs() -> None:
    assert STUBS * RUNS >= 1000


@pytest.mark.parametrize("number", range(STUBS))
def test_what_does_all_it_should_has_no_finding(cpjob: CodePipelineStub, number: int) -> None:
    choose = random.Random(number)
    cpjob.add_action_type(CUSTOM, properties={"Password": {"required": True, "secret": True}})
    for _ in range(RUNS):
        run = choose.choice(KINDS)
        ended = run(cpjob, choose)

        assert ended, run.__name__
        for job in ended:
            assert isinstance(job.result, (JobSuccess, JobFailure)), run.__name__
    cpjob.check()
