"""Leaked secrets, close up: what is secret, where it is looked for, what no report may show."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import boto3
import pytest
from artifact_clients import place, s3_of

from pytest_cpjob import CodePipelineStub, ContractError, Job
from pytest_cpjob.contract.timeline import timeline

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
PEM = '-----BEGIN KEY-----\nMIIE"vQIB\\ADAN\n-----END KEY-----'


def credentials(event: Any) -> dict[str, str]:
    keys: dict[str, str] = event["CodePipeline.job"]["data"]["artifactCredentials"]
    return keys


def run(cpjob: CodePipelineStub, leak: Any) -> Job:
    """Run a handler that leaks, and reports success."""

    def handler(event: Any, context: Any) -> None:
        leak(event)
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    return cpjob.add_lambda_job().invoke(handler)


def report(cpjob: CodePipelineStub) -> str:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert set(caught.value.names) == {"leaked-secret"}
    return str(caught.value)


def with_secret(cpjob: CodePipelineStub, secret: str) -> Job:
    """A job with a secret property, in a worker's hands."""
    properties = {"Password": {"required": True, "secret": True}, "Theme": {}}
    cpjob.add_action_type(DOCS, properties=properties)
    configuration = {"Password": secret, "Theme": "a theme of eight letters"}
    job = cpjob.add_job(action_type=DOCS, configuration=configuration)
    [polled] = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    CLIENT.acknowledge_job(jobId=job.id, nonce=polled["nonce"])
    return job


# -- where -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leak", "where"),
    [
        (lambda text: print(text), "stdout"),
        (lambda text: print(text, file=sys.stderr), "stderr"),
        (lambda text: sys.stdout.writelines(["it is ", text]), "stdout"),
        (lambda text: logging.getLogger("build").error("it is %s", text), "the log"),
    ],
    ids=["print", "stderr", "writelines", "log"],
)
def test_what_a_handler_writes_is_looked_through(
    cpjob: CodePipelineStub, leak: Any, where: str
) -> None:
    job = run(cpjob, lambda event: leak(credentials(event)["secretAccessKey"]))
    facts = job.facts
    assert report(cpjob) == (
        "1 finding: CodePipeline could not have lived with what this code did.\n"
        f"- leaked-secret: secretAccessKey of job {job.id} ({facts.pipeline_name}/"
        f"{facts.stage_name}/{facts.action_name}) is in {where}.\n"
        "  Whoever reads it can use the secret while it is good: logs are kept.\n"
        '  To allow it: @pytest.mark.cpjob(allow=["leaked-secret"])'
    )


def test_what_a_worker_writes_is_looked_through(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type=DOCS)

    def worker() -> None:
        while True:
            for job in CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]:
                CLIENT.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                print(CLIENT.get_job_details(jobId=job["id"]))
                CLIENT.put_job_success_result(jobId=job["id"])

    cpjob.run_worker(worker)
    assert "secretAccessKey and sessionToken of job" in report(cpjob)


def test_a_failure_message_is_looked_through(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    details = {"type": "JobFailed", "message": "no login with hunter2hunter2"}
    CLIENT.put_job_failure_result(jobId=job.id, failureDetails=details)
    assert "- leaked-secret: the secret property 'Password' of job" in (text := report(cpjob))
    assert " is in the failure message.\n" in text
    assert "hunter2hunter2" not in text


def test_an_output_variable_is_named(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    CLIENT.put_job_success_result(jobId=job.id, outputVariables={"login": "hunter2hunter2"})
    assert " is in the output variable 'login'.\n" in report(cpjob)


# -- what ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [str, repr, json.dumps], ids=["str", "repr", "json"])
def test_a_secret_of_several_lines_is_found_as_python_and_json_show_it(
    cpjob: CodePipelineStub, show: Any
) -> None:
    job = with_secret(cpjob, PEM)
    CLIENT.put_job_success_result(jobId=job.id, executionDetails={"summary": show({"key": PEM})})
    assert " is in the summary.\n" in report(cpjob)


def test_credentials_that_were_renewed_are_secret_as_well(cpjob: CodePipelineStub) -> None:
    def leak(event: Any) -> None:
        details = CLIENT.get_job_details(jobId=event["CodePipeline.job"]["id"])["jobDetails"]
        print(details["data"]["artifactCredentials"]["sessionToken"])

    run(cpjob, leak)
    assert "- leaked-secret: sessionToken of job" in report(cpjob)


@pytest.mark.parametrize(
    "harmless",
    [
        lambda event: print(credentials(event)["accessKeyId"]),
        lambda event: print(credentials(event)["secretAccessKey"][:4] + "****"),
        lambda event: print({**credentials(event), "secretAccessKey": "*", "sessionToken": "*"}),
        lambda event: print(event["CodePipeline.job"]["id"], list(credentials(event))),
    ],
    ids=["access key id", "its beginning", "masked", "ids and names"],
)
def test_what_opens_nothing_is_no_secret(cpjob: CodePipelineStub, harmless: Any) -> None:
    run(cpjob, harmless)
    cpjob.check()


def test_our_own_objects_show_no_secret(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    partner = cpjob.add_third_party_job()

    def leak(event: Any) -> None:
        print(cpjob, job, partner, cpjob.jobs, cpjob.calls, job.facts, partner.facts)

    run(cpjob, leak)
    CLIENT.put_job_success_result(jobId=job.id)
    cpjob.check()


def test_a_property_that_is_not_secret_may_be_shown(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    summary = "built with " + job.facts.configuration["Theme"]
    CLIENT.put_job_success_result(jobId=job.id, executionDetails={"summary": summary})
    cpjob.check()


def test_botocores_own_log_is_not_the_handlers(
    cpjob: CodePipelineStub, caplog: pytest.LogCaptureFixture
) -> None:
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]

    def handler(event: Any, context: Any) -> None:
        s3_of(job).get_object(**place(job, "Source"))
        CLIENT.put_job_success_result(jobId=job.id)

    with caplog.at_level(logging.DEBUG):
        job.invoke(handler)

    assert keys["sessionToken"] in caplog.text  # else this test tests nothing
    cpjob.check()


# -- what a report may not show --------------------------------------------------------------------


def test_a_finding_masks_the_secrets_of_an_error_before_it_cuts_it_short(
    cpjob: CodePipelineStub,
) -> None:
    def handler(event: Any, context: Any) -> None:
        raise ValueError("x" * 100 + credentials(event)["sessionToken"])

    job = cpjob.add_lambda_job()
    with pytest.raises(ValueError, match="xxx"):
        job.invoke(handler)
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert f"ValueError ({'x' * 100}<masked>) before" in str(caught.value)


def test_a_finding_masks_the_secrets_of_a_refusal(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        secret = credentials(event)["secretAccessKey"]
        try:
            CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"], **{secret: 1})
        except Exception:
            CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job = cpjob.add_lambda_job().invoke(handler)
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    assert caught.value.names == ("refused-request",)
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]
    assert keys["secretAccessKey"] not in str(caught.value)
    assert 'Unknown parameter in input: "<masked>"' in str(caught.value)


def test_a_timeline_masks_what_it_would_cut_short_or_wrap(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        job, token = event["CodePipeline.job"], credentials(event)["sessionToken"]
        details = {"type": "JobFailed", "message": f"the token was {token}, all of it"}
        CLIENT.put_job_failure_result(jobId=job["id"], failureDetails=details)
        raise ValueError(token)

    job = cpjob.add_lambda_job()
    with pytest.raises(ValueError, match="IQoJ"):
        job.invoke(handler)
    with pytest.raises(ContractError):
        cpjob.check()

    text = timeline(cpjob.service, cpjob.service.ledger.jobs[job.id], cpjob.witness.findings)

    assert text.count("<masked>") == 3
    assert "  result  JobFailed: the token was <masked>, all of it\n" in text
    token = credentials(job.event)["sessionToken"]
    assert not any(token[at : at + 16] in text for at in range(0, len(token) - 16, 8))
    assert max(map(len, text.splitlines())) <= 80
