"""Leaked secrets, close up: what is secret, where it is looked for, what no report may show."""

from __future__ import annotations

import copy
import gzip
import io
import json
import logging
import pickle
import sys
import tarfile
import zipfile
from dataclasses import asdict
from typing import Any

import boto3
import pytest
from artifact_clients import place, s3_of
from user_projects import run as run_suite

from pytest_cpjob import (
    HOSTILE_ARTIFACTS,
    CodePipelineStub,
    ContractError,
    Job,
    JobFailure,
    JobSuccess,
)
from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.contract.masking import mask, secret_members
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
    text = report(cpjob)
    assert text.startswith("leaked-secret (tests/test_findings_secrets.py:")
    quoted = "it is <masked>" if "it is" in text else "<masked>"
    assert text.partition("): ")[2].startswith(
        f"secretAccessKey of job {job.id} (Invoke:AWS:Lambda:1) is in {where}.\n"
        f"  The line: {quoted}\n"
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
    assert "): the secret property 'Password' of job" in (text := report(cpjob))
    assert " is in the failure message.\n" in text
    assert "hunter2hunter2" not in text


def test_an_output_variable_is_named(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    CLIENT.put_job_success_result(jobId=job.id, outputVariables={"login": "hunter2hunter2"})
    assert " is in the output variable 'login'.\n" in report(cpjob)


@pytest.mark.parametrize(
    ("result", "where"),
    [
        (
            {"executionDetails": {"externalExecutionId": "hunter2hunter2"}},
            "the externalExecutionId",
        ),
        ({"continuationToken": "hunter2hunter2"}, "the continuationToken"),
        ({"outputVariables": {"hunter2hunter2": "1"}}, "the output variable '<masked>'"),
        ({"currentRevision": {"revision": "hunter2hunter2"}}, "currentRevision.revision"),
        (
            {"currentRevision": {"changeIdentifier": "hunter2hunter2"}},
            "currentRevision.changeIdentifier",
        ),
        (
            {"currentRevision": {"revisionSummary": "by hunter2hunter2"}},
            "currentRevision.revisionSummary",
        ),
    ],
    ids=["id", "token", "variable", "revision", "change", "revision summary"],
)
def test_every_text_of_a_success_is_looked_through(
    cpjob: CodePipelineStub, result: dict[str, Any], where: str
) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    if "currentRevision" in result:
        rest = {"revision": "1", "changeIdentifier": "1"}
        result = {"currentRevision": {**rest, **result["currentRevision"]}}
    CLIENT.put_job_success_result(jobId=job.id, **result)
    text = report(cpjob)
    assert f" is in {where}.\n" in text
    assert "hunter2hunter2" not in text


def test_the_external_id_of_a_failure_is_looked_through(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    details = {"type": "JobFailed", "message": "no", "externalExecutionId": "hunter2hunter2"}
    CLIENT.put_job_failure_result(jobId=job.id, failureDetails=details)
    assert " is in the externalExecutionId.\n" in report(cpjob)


def zipped(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return stream.getvalue()


def tarred(data: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("event.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("pack", "where"),
    [
        (lambda data: data, "output artifact 'Site'"),
        (lambda data: gzip.compress(data), "output artifact 'Site'"),
        (lambda data: b"PK\x03\x04" + data, "output artifact 'Site'"),
        (lambda data: zipped({"log/a.json": data}), "'log/a.json' of output artifact 'Site'"),
        (tarred, "'event.json' of output artifact 'Site'"),
        (
            lambda data: zipped({"in.zip": zipped({"a": data})}),
            "'a' of 'in.zip' of output artifact 'Site'",
        ),
        (
            lambda data: zipped({"in.tgz": tarred(data)}),
            "'event.json' of 'in.tgz' of output artifact 'Site'",
        ),
        (
            lambda data: zipped({"a": bytes(1024 * 1024 - 60) + data}),
            "'a' of output artifact 'Site'",
        ),
    ],
    ids=["raw", "gzip", "cut short", "zip", "tar.gz", "zip in zip", "tar.gz in zip", "large"],
)
@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_all_that_can_be_read_in_an_output_is_looked_through(
    cpjob: CodePipelineStub, pack: Any, where: str, outcome: str
) -> None:
    def handler(event: Any, context: Any) -> None:
        job_id, secret = event["CodePipeline.job"]["id"], credentials(event)["secretAccessKey"]
        s3_of(job).put_object(**place(job, "Site"), Body=pack(secret.encode()))
        if outcome == "success":
            CLIENT.put_job_success_result(jobId=job_id)
        else:
            details = {"type": "JobFailed", "message": "broken"}
            CLIENT.put_job_failure_result(jobId=job_id, failureDetails=details)

    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    job.invoke(handler)
    assert f") is in {where}.\n" in report(cpjob)


@pytest.mark.parametrize("name", HOSTILE_ARTIFACTS)
def test_an_output_of_any_kind_without_a_secret_is_none(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("pytest_cpjob.artifacts.archives.MOST", 1024 * 1024)

    def handler(event: Any, context: Any) -> None:
        s3_of(job).put_object(**place(job, "Site"), Body=HOSTILE_ARTIFACTS[name])
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    job.invoke(handler)
    cpjob.check()


def test_an_output_is_looked_through_as_it_was_reported(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])

    def handler(event: Any, context: Any) -> None:
        secret = credentials(event)["secretAccessKey"]
        s3_of(job).put_object(**place(job, "Site"), Body=secret.encode())
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    job.invoke(handler)
    job.output_artifacts["Site"].put(b"something else")
    assert " is in output artifact 'Site'.\n" in report(cpjob)


@pytest.mark.parametrize("how", ["invoke", "a direct call"])
@pytest.mark.parametrize("arguments", [[], ["-s"]], ids=["captured", "not captured"])
def test_what_the_test_has_read_away_was_written_all_the_same(
    pytester: pytest.Pytester, how: str, arguments: list[str]
) -> None:
    run = "job.invoke(handler)" if how == "invoke" else "handler(job.event, job.context)"
    pytester.makepyfile(
        f"""
        import logging
        import boto3, pytest

        def handler(event, context):
            leak(event)
            boto3.client("codepipeline", region_name="us-east-1").put_job_success_result(
                jobId=event["CodePipeline.job"]["id"]
            )

        @pytest.fixture
        def noisy():
            print("setting up")
            logging.warning("setting up")

        def test_print(noisy, cpjob, capsys):
            global leak
            leak, job = print, cpjob.add_lambda_job()
            {run}
            assert capsys.readouterr().out
            print("the rest")

        def test_log(noisy, cpjob, caplog):
            global leak
            leak, job = logging.warning, cpjob.add_lambda_job()
            {run}
            caplog.clear()
            logging.warning("the rest")

        def test_stub(capsys):
            from pytest_cpjob import CodePipelineStub, ContractError
            global leak
            leak = print
            with pytest.raises(ContractError, match="leaked-secret"), CodePipelineStub() as stub:
                job = stub.add_lambda_job()
                {run}
                assert capsys.readouterr().out
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", *arguments)
    result.assert_outcomes(passed=1, failed=2)
    assert (
        result.stdout.str().count('To allow it: @pytest.mark.cpjob(allow=["leaked-secret"])') == 2
    )


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
    assert "): sessionToken of job" in report(cpjob)


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


def test_a_jobs_repr_masks_a_secret_that_was_reported(cpjob: CodePipelineStub) -> None:
    failed, succeeded = with_secret(cpjob, "hunter2hunter2"), cpjob.add_lambda_job()
    details = {"type": "JobFailed", "message": f"{'x' * 50}hunter2hunter2"}
    CLIENT.put_job_failure_result(jobId=failed.id, failureDetails=details)
    CLIENT.put_job_success_result(jobId=succeeded.id, outputVariables={"a": "hunter2hunter2"})

    assert repr(failed).endswith(f" Failed JobFailed: '{'x' * 50}<masked>'>")
    assert repr(succeeded).endswith(" Succeeded outputs {'a': '<masked>'}>")
    with pytest.raises(ContractError):
        cpjob.check()


def test_results_and_calls_as_a_test_gets_them_show_no_secret(cpjob: CodePipelineStub) -> None:
    failed, succeeded = with_secret(cpjob, "hunter2hunter2"), cpjob.add_lambda_job()
    details = {"type": "JobFailed", "message": "no login with hunter2hunter2"}
    CLIENT.put_job_failure_result(jobId=failed.id, failureDetails=details)
    revision = {"revision": "hunter2hunter2", "changeIdentifier": "1"}
    CLIENT.put_job_success_result(
        jobId=succeeded.id, outputVariables={"a": "hunter2hunter2"}, currentRevision=revision
    )
    assert isinstance(succeeded.result, JobSuccess)

    for shown in (
        failed.result,
        succeeded.result,
        succeeded.result.current_revision,
        cpjob.results,
        failed.calls[-1],
        cpjob.calls,
    ):
        assert "<masked>" in repr(shown)
        assert "hunter2hunter2" not in repr(shown)
    with pytest.raises(ContractError):
        cpjob.check()


def test_a_value_that_hides_secrets_is_the_same_value(cpjob: CodePipelineStub) -> None:
    job = with_secret(cpjob, "hunter2hunter2")
    details = {"type": "JobFailed", "message": "no login with hunter2hunter2"}
    CLIENT.put_job_failure_result(jobId=job.id, failureDetails=details)
    mine = JobFailure("JobFailed", "no login with hunter2hunter2")

    result = job.result
    assert isinstance(result, JobFailure)
    assert result == mine
    assert hash(result) == hash(mine)
    assert result.message == mine.message
    assert asdict(result) == asdict(mine)
    assert pickle.loads(pickle.dumps(result)) == copy.deepcopy(result) == mine
    with pytest.raises(ContractError):
        cpjob.check()


def test_a_client_token_is_masked_and_a_leak(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_third_party_job()
    token = job.client_token
    assert token
    who = {"jobId": job.id, "clientToken": token}
    nonce = CLIENT.get_third_party_job_details(**who)["jobDetails"]["nonce"]
    CLIENT.acknowledge_third_party_job(**who, nonce=nonce)
    print("the token is", token)
    details = {"type": "JobFailed", "message": f"the token was {token}"}
    CLIENT.put_third_party_job_failure_result(**who, failureDetails=details)
    said = report(cpjob)
    assert "clientToken of job" in said
    assert " is in stdout" in said
    assert " is in the failure message" in said
    assert token not in said

    text = timeline(cpjob._harness.service, cpjob._harness.service.registry.jobs[job.id])
    assert "  result  JobFailed: the token was <masked>" in text
    for shown in (text, repr(job), repr(job.result), repr(job.calls)):
        assert "<masked>" in shown
        assert token not in shown


def test_the_secret_members_of_credentials_are_the_models(cpjob: CodePipelineStub) -> None:
    assert secret_members() == ("secretAccessKey", "sessionToken")
    given = cpjob.add_lambda_job().details["jobDetails"]["data"]["artifactCredentials"]
    assert set(model.load().shapes["AWSSessionCredentials"]["members"]) == set(given)


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


def test_what_shortening_leaves_of_a_long_secret_is_masked(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job()
    token = job.details["jobDetails"]["data"]["artifactCredentials"]["sessionToken"]
    for left, masked in (
        (f"{token[:118]!r}...{token[-100:]!r}", "'<masked>'...'<masked>"),
        (f"{{'token': '{token[:12]}...{token[-12:]}'}}", "{'token': '<masked>...<masked>"),
        (f"- {token[100:140]}\n+ something else", "- <masked>\n+ something else"),
    ):
        hidden = mask(cpjob._harness.service, left)
        assert hidden.startswith(masked)
        assert not any(token[at : at + 8] in hidden for at in range(len(token) - 8))


@pytest.mark.parametrize("text", ["...", "working... done", "a_long_name_of_a_function_of_mine"])
def test_what_is_part_of_no_secret_is_shown(cpjob: CodePipelineStub, text: str) -> None:
    assert cpjob.add_lambda_job().details
    assert mask(cpjob._harness.service, text) == text


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

    text = timeline(
        cpjob._harness.service,
        cpjob._harness.service.registry.jobs[job.id],
        cpjob._harness.inspection.findings,
    )

    assert text.count("<masked>") == 2
    assert "  result  JobFailed: the token was <masked>, all of it\n" in text
    token = credentials(job.event)["sessionToken"]
    assert not any(token[at : at + 16] in text for at in range(0, len(token) - 16, 8))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "change",
    [
        "handler.setLevel(logging.CRITICAL)",
        "handler.setFormatter(logging.Formatter('%(name)s'))",
        "handler.addFilter(lambda record: False)",
    ],
)
def test_what_a_test_does_to_the_roots_handlers_hides_nothing_in_the_next(
    pytester: pytest.Pytester, change: str
) -> None:
    pytester.makepyfile(
        f"""
        import logging
        import boto3

        CLIENT = boto3.client("codepipeline", region_name="us-east-1")

        def test_changes_handlers(cpjob):
            cpjob.add_job()
            for handler in logging.getLogger().handlers:
                {change}

        def test_leaks(cpjob):
            def handler(event, context):
                job = event["CodePipeline.job"]
                logging.error("%s", job["data"]["artifactCredentials"]["secretAccessKey"])
                CLIENT.put_job_success_result(jobId=job["id"])
            cpjob.add_lambda_job().invoke(handler)
        """
    )

    result = run_suite(pytester.path, "-p", "no:logging")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["leaked-secret*"])
