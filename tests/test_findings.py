"""Each finding: what it says in full, how it is allowed, and what is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from pytest_cpjob import CodePipelineStub, ContractError, Job
from pytest_cpjob.settings import CHECKS

codepipeline = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
NO_REPLY = (
    '"The AWS Lambda function fn failed to return a result. Check the function to verify that it'
    " has permission to call the PutJobSuccessResult action and that it made a call to"
    ' PutJobSuccessResult."'
)


def succeed(event: Any, context: Any = None, **members: Any) -> None:
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"], **members)


def s3_of(job: Job) -> Any:
    """A client on the job's own credentials."""
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]
    session = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
    return session.client("s3", region_name="us-east-1")


def add(cpjob: CodePipelineStub, **arguments: Any) -> Job:
    return cpjob.add_lambda_job(
        pipeline_name="web",
        stage_name="Build",
        action_name="Site",
        function_name="fn",
        **arguments,
    )


def no_result(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)
    job.invoke(lambda event, context: {"statusCode": 200})
    return job


def raised(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        raise ValueError("no theme")

    with pytest.raises(ValueError, match="no theme"):
        job.invoke(handler)
    return job


def raised_after_result(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        succeed(event)
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        job.invoke(handler)
    return job


def second_result(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        succeed(event)
        try:
            succeed(event, outputVariables={"pages": "1"})
        except ClientError:
            return

    return job.invoke(handler)


def not_acknowledged(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = cpjob.add_job(
        action_type=DOCS, pipeline_name="web", stage_name="Build", action_name="Site", **allow
    )
    codepipeline.poll_for_jobs(actionTypeId=DOCS)
    with pytest.raises(ClientError):
        codepipeline.put_job_success_result(jobId=job.id)
    return job


def not_owner(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = cpjob.add_job(
        action_type=DOCS, pipeline_name="web", stage_name="Build", action_name="Site", **allow
    )
    [mine] = codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    cpjob.client().acknowledge_job(jobId=job.id, nonce=mine["nonce"])
    with pytest.raises(ClientError):
        codepipeline.acknowledge_job(jobId=job.id, nonce=mine["nonce"])
    codepipeline.put_job_success_result(jobId=job.id)
    return job


def ask_for_pipelines() -> None:
    try:
        codepipeline.list_pipelines()
    except ClientError:
        return


def not_permitted(cpjob: CodePipelineStub, **allow: Any) -> Job:
    statement = {"Effect": "Allow", "Action": "codepipeline:Put*", "Resource": "*"}
    job = add(cpjob, role_policy={"Statement": statement}, **allow)

    def handler(event: Any, context: Any) -> None:
        ask_for_pipelines()
        succeed(event)

    return job.invoke(handler)


def missing_output(cpjob: CodePipelineStub, **allow: Any) -> Job:
    return add(cpjob, output_artifacts=["Site"], **allow).invoke(succeed)


def output_encryption(cpjob: CodePipelineStub, **allow: Any) -> Job:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    job = add(cpjob, output_artifacts=["Site"], encryption_key=key, **allow)

    def handler(event: Any, context: Any) -> None:
        site = job.output_artifacts["Site"]
        s3_of(job).put_object(Bucket=site.bucket, Key=site.key, Body=b"site")
        succeed(event)

    return job.invoke(handler)


def own_role(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, input_artifacts={"Source": {"a": "b"}}, **allow)
    source = job.input_artifacts["Source"]
    with pytest.raises(ClientError):
        boto3.client("s3", region_name="us-east-1").get_object(Bucket=source.bucket, Key=source.key)
    return job


def refused_request(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        try:
            codepipeline.put_job_failure_result(jobId=job.id, message="broken")
        except ParamValidationError:
            succeed(event)

    return job.invoke(handler)


def leaked_secret(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        print(event)
        succeed(event)

    return job.invoke(handler)


def unfaked_call(cpjob: CodePipelineStub, **allow: Any) -> Job:
    job = add(cpjob, **allow)

    def handler(event: Any, context: Any) -> None:
        try:
            boto3.client("sts", region_name="us-east-1").get_caller_identity()
        except Exception:
            succeed(event)

    return job.invoke(handler)


def unused_fault(cpjob: CodePipelineStub, **allow: Any) -> Job:
    cpjob.fail("GetJobDetails", "ThrottlingException", times=2)
    return add(cpjob, **allow).invoke(succeed)


def running_thread(cpjob: CodePipelineStub, **allow: Any) -> Job:
    ending = threading.Event()
    threading.Thread(target=ending.wait, name="late", args=(30,)).start()
    cpjob._harness.settle()
    ending.set()
    return add(cpjob, **allow)


JOB = "job {id} (web/Build/Site)"
CASES: dict[str, tuple[Callable[..., Job], str]] = {
    "no-result": (
        no_result,
        f"{JOB} was delivered to its function, and got no result.\n"
        "  CodePipeline waits until the action times out, then fails it: {no_reply}\n",
    ),
    "raised": (
        raised,
        f"the handler raised ValueError (no theme) before any result of {JOB}.\n"
        "  Lambda runs the same event up to two more times; unless one of them reports,"
        " CodePipeline waits until the action times out, then fails it: {no_reply}\n",
    ),
    "raised-after-result": (
        raised_after_result,
        f"the handler raised ValueError (too late) after the result of {JOB}.\n"
        "  Lambda runs the same event again: its work is done twice, and the second result is"
        " refused with InvalidJobStateException.\n",
    ),
    "second-result": (
        second_result,
        f"PutJobSuccessResult for {JOB}, which had its result already.\n"
        "  The first result stands; the second gets InvalidJobStateException.\n",
    ),
    "not-acknowledged": (
        not_acknowledged,
        f"PutJobSuccessResult for {JOB}, which it had not acknowledged.\n"
        "  CodePipeline hands the job to another worker, and refuses the result of one that never"
        " acknowledged it (InvalidJobStateException).\n",
    ),
    "not-owner": (
        not_owner,
        f"PutJobSuccessResult for {JOB} after its acknowledgement was refused.\n"
        "  Another worker has the job: what this one reports ends, or fails, work that is not its"
        " own.\n",
    ),
    "missing-output": (
        missing_output,
        f"success of {JOB} was reported, and output artifact 'Site' not uploaded.\n"
        "  CodePipeline shows the action as succeeded; the next action that reads the artifact"
        ' fails with "Unable to access the artifact with Amazon S3 object key".\n',
    ),
    "output-encryption": (
        output_encryption,
        f"output artifact 'Site' of {JOB} was uploaded without a KMS key, not with the pipeline's"
        " key arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab.\n"
        "  An action in another account, or one that may use the pipeline's key only, cannot read"
        " the artifact.\n",
    ),
    "own-role": (
        own_role,
        "s3.GetObject on {uri}, an artifact of "
        f"{JOB}, was called with the handler's own role.\n"
        "  The function's own role needs access to the artifact bucket, and reads what no pipeline"
        " gave it; artifactCredentials are for these objects and no others.\n",
    ),
    "refused-request": (
        refused_request,
        f"codepipeline.PutJobFailureResult for {JOB} was refused, and the test did not hear of"
        ' it: Parameter validation failed: Missing required parameter in input: "failureDetails"'
        ' Unknown parameter in input: "message", must be one of: jobId, failureDetails\n'
        "  AWS does not take this request, so nothing that it was to report or do has happened.\n",
    ),
    "leaked-secret": (
        leaked_secret,
        f"secretAccessKey and sessionToken of {JOB} are in stdout.\n"
        "  Whoever reads it can use the secret while it is good: logs are kept.\n",
    ),
    "unfaked-call": (
        unfaked_call,
        f"sts.GetCallerIdentity for {JOB} was about to leave for the network.\n"
        "  In the pipeline this call is real; here it was stopped, and tests nothing.\n",
    ),
    "unused-fault": (
        unused_fault,
        "ThrottlingException was set up 2 times for codepipeline.GetJobDetails and met 0 times.\n"
        "  The test did not test what it set up.\n",
    ),
    "running-thread": (
        running_thread,
        "thread 'late' was still running at the end.\n"
        "  The thread goes on after its test, and could call AWS; it stays cut off until it"
        " ends.\n",
    ),
    "not-permitted": (
        not_permitted,
        f"codepipeline.ListPipelines for {JOB} (tests/test_findings.py:"
        f"{ask_for_pipelines.__code__.co_firstlineno + 2}) was called with the function's own"
        " role, and the role of role_policy does not allow codepipeline:ListPipelines on"
        ' "*".\n'
        '  AWS refuses the call: role_policy.Statement (Action "codepipeline:Put*", Resource'
        ' "*"): it is about other actions than codepipeline:ListPipelines.\n'
        '  Write: {"Effect": "Allow", "Action": "codepipeline:ListPipelines", "Resource":'
        ' "*"}\n',
    ),
}


def found(cpjob: CodePipelineStub) -> ContractError:
    with pytest.raises(ContractError) as caught:
        cpjob.check()
    return caught.value


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_cpjob.harness.THREAD_PATIENCE", 0.05)


def test_the_table_has_every_finding() -> None:
    assert set(CASES) == set(CHECKS)


@pytest.mark.parametrize("name", CASES)
def test_its_whole_text(cpjob: CodePipelineStub, name: str) -> None:
    make, text = CASES[name]
    job = make(cpjob)

    error = found(cpjob)

    uri = job.input_artifacts["Source"].uri if name == "own-role" else ""
    what = text.replace("{id}", job.id).replace("{no_reply}", NO_REPLY).replace("{uri}", uri)
    way_out = f'To allow it: @pytest.mark.cpjob(allow=["{name}"])'
    if name == "own-role":
        way_out = (
            "Make the S3 client from the job's artifactCredentials, or open the bucket to the"
            " handler's own role with @pytest.mark.cpjob(own_role=True)"
        )
    assert str(error) == (
        "1 finding: CodePipeline could not have lived with what this code did.\n"
        f"- {name}: {what}  {way_out}"
    )
    assert error.names == (name,)


@pytest.mark.parametrize("name", CASES)
def test_it_is_allowed_on_the_stub(name: str) -> None:
    with CodePipelineStub(allow=[name]) as cpjob:
        CASES[name][0](cpjob)


@pytest.mark.parametrize("name", CASES)
def test_it_is_allowed_for_one_job(cpjob: CodePipelineStub, name: str) -> None:
    CASES[name][0](cpjob, allow=[name])
    cpjob.check()


@pytest.mark.parametrize("name", CASES)
def test_to_allow_another_is_no_help(cpjob: CodePipelineStub, name: str) -> None:
    [other, *_] = [each for each in CHECKS if each != name]
    CASES[name][0](cpjob, allow=[other])
    assert found(cpjob).names == (name,)


def test_what_was_reported_is_not_reported_again(cpjob: CodePipelineStub) -> None:
    no_result(cpjob)
    found(cpjob)
    cpjob.check()


def test_several_findings_are_one_list(cpjob: CodePipelineStub) -> None:
    no_result(cpjob)
    second_result(cpjob)
    error = found(cpjob)
    assert str(error).startswith("2 findings: ")
    assert error.names == ("no-result", "second-result")
    assert str(error).count("\n- ") == 2


# -- what is none ------------------------------------------------------------------------------


def test_a_job_that_was_never_delivered_owes_nothing(cpjob: CodePipelineStub) -> None:
    add(cpjob)
    assert cpjob.jobs[0].details


def test_handed_out_and_not_acknowledged_owes_nothing(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type=DOCS)
    assert len(codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]) == 1


def test_what_the_tests_own_client_acknowledged_owes_nothing(cpjob: CodePipelineStub) -> None:
    cpjob.add_job(action_type=DOCS)
    client = cpjob.client()
    [job] = client.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])


def test_a_result_again_after_a_lost_answer_is_none(cpjob: CodePipelineStub) -> None:
    cpjob.fail("PutJobSuccessResult", ReadTimeoutError(endpoint_url="https://x"), after=True)

    def handler(event: Any, context: Any) -> None:
        try:
            succeed(event)
        except ReadTimeoutError:
            succeed(event)
            with pytest.raises(ClientError, match="InvalidJobStateException"):
                succeed(event, outputVariables={"pages": "1"})

    assert add(cpjob).invoke(handler).status == "Succeeded"


def test_a_result_again_after_a_fault_refused_it_is_none(cpjob: CodePipelineStub) -> None:
    cpjob.fail("PutJobSuccessResult", "ThrottlingException")

    def handler(event: Any, context: Any) -> None:
        try:
            succeed(event)
        except ClientError:
            succeed(event)

    assert add(cpjob).invoke(handler).status == "Succeeded"


def test_a_continuation_need_not_have_uploaded(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        if "continuationToken" not in job["data"]:
            codepipeline.put_job_success_result(jobId=job["id"], continuationToken="later")
            return
        details = {"type": "JobFailed", "message": "no"}
        codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)

    assert add(cpjob, output_artifacts=["Site"]).invoke(handler).status == "Failed"


def test_a_refusal_that_the_test_expects_is_none(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ParamValidationError):
        codepipeline.put_job_failure_result(jobId="nope")
    with pytest.raises(ClientError, match="ValidationException"):
        codepipeline.get_job_details(jobId="nope")


def test_a_refusal_that_leaves_the_handler_is_no_hidden_one(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        codepipeline.put_job_failure_result(jobId="nope")

    with pytest.raises(ParamValidationError):
        add(cpjob).invoke(handler)
    assert found(cpjob).names == ("raised",)


def test_the_access_key_id_alone_is_no_secret(cpjob: CodePipelineStub) -> None:
    def handler(event: Any, context: Any) -> None:
        print(event["CodePipeline.job"]["data"]["artifactCredentials"]["accessKeyId"])
        succeed(event)

    add(cpjob).invoke(handler)


@pytest.mark.parametrize(("secret", "names"), [("hunter2", ()), ("hunter22", ("leaked-secret",))])
def test_a_secret_property_is_one_from_eight_characters(
    cpjob: CodePipelineStub, secret: str, names: tuple[str, ...]
) -> None:
    cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
    job = cpjob.add_job(action_type=DOCS, configuration={"Password": secret})
    [handed] = codepipeline.poll_for_jobs(actionTypeId=DOCS)["jobs"]
    codepipeline.acknowledge_job(jobId=job.id, nonce=handed["nonce"])
    codepipeline.put_job_success_result(
        jobId=job.id, executionDetails={"summary": f"logged in with {secret}"}
    )
    if names:
        assert found(cpjob).names == names
    else:
        cpjob.check()


@pytest.mark.parametrize(
    "leak",
    [
        {"outputVariables": {"token": "{secret}"}},
        {"executionDetails": {"summary": "{secret}"}},
    ],
    ids=["output variables", "summary"],
)
def test_a_secret_in_what_is_reported_is_found(
    cpjob: CodePipelineStub, leak: dict[str, dict[str, str]]
) -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        secret = job["data"]["artifactCredentials"]["secretAccessKey"]
        told = {
            name: {key: text.replace("{secret}", secret) for key, text in value.items()}
            for name, value in leak.items()
        }
        codepipeline.put_job_success_result(jobId=job["id"], **told)

    add(cpjob).invoke(handler)
    error = found(cpjob)
    assert error.names == ("leaked-secret",)


def test_a_secret_in_an_output_artifact_is_found(cpjob: CodePipelineStub) -> None:
    job = add(cpjob, output_artifacts=["Site"])

    def handler(event: Any, context: Any) -> None:
        keys = event["CodePipeline.job"]["data"]["artifactCredentials"]
        job.output_artifacts["Site"].put({"env.json": keys["sessionToken"]})
        succeed(event)

    job.invoke(handler)
    assert "'env.json' of output artifact 'Site'" in str(found(cpjob))


def test_a_secret_in_the_log_is_found(
    cpjob: CodePipelineStub, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    def handler(event: Any, context: Any) -> None:
        logging.getLogger().warning("event: %s", event)
        succeed(event)

    add(cpjob).invoke(handler)
    assert "are in the log." in str(found(cpjob))
