"""Each finding: what it says in full, how it is allowed, and what is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from pytest_cpjob import CodePipelineStub, ContractError, Job
from pytest_cpjob.defaults import CHECKS

codepipeline = boto3.client("codepipeline", region_name="us-east-1")
DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
NO_REPLY = '("The AWS Lambda function fn failed to return a result. ...").'


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
ASK = "codepipeline.list_pipelines()"
SUCCEED = "codepipeline.put_job_success_result(jobId=event"
FIRST_OF_ALL = (ASK, SUCCEED)
CASES: dict[str, tuple[Callable[..., Job], str, str]] = {
    # name: what makes it, the line that it is at, and its text but for its ending
    "no-result": (
        no_result,
        "",
        f"""{JOB} was delivered to its function, and got no result.
  CodePipeline waits until the action times out, then fails it {NO_REPLY}
  To fix it: Call put_job_success_result or put_job_failure_result on every way out of the code.""",
    ),
    "raised": (
        raised,
        'raise ValueError("no theme")',
        f"""the handler raised ValueError (no theme) before any result of {JOB}.
  Lambda runs the same event up to two more times; unless one of them reports, CodePipeline waits\
 until the action times out, then fails it {NO_REPLY}
  To fix it: Catch it in the handler, and report it with put_job_failure_result(jobId=...,\
 failureDetails={{'type': 'JobFailed', 'message': str(error)}}).""",
    ),
    "raised-after-result": (
        raised_after_result,
        'raise ValueError("too late")',
        f"""the handler raised ValueError (too late) after the result of {JOB}.
  Lambda runs the same event again: its work is done twice, and the second result is refused with\
 InvalidJobStateException.
  To fix it: Report last, after everything that may raise, and do not raise again what was\
 reported.""",
    ),
    "second-result": (
        second_result,
        SUCCEED,
        f"""PutJobSuccessResult for {JOB}, which had its result already.
  First: success. Then: success, output variables {{'pages': '1'}}.
  The first result stands; the second gets InvalidJobStateException.
  To fix it: Report once, as the last thing: return after a report, and keep the success report\
 out of the `try` whose `except` reports the failure.""",
    ),
    "not-acknowledged": (
        not_acknowledged,
        "codepipeline.put_job_success_result(jobId=job.id)",
        f"""PutJobSuccessResult for {JOB}, which it had not acknowledged.
  CodePipeline hands the job to another worker, and refuses the result of one that never\
 acknowledged it (InvalidJobStateException).
  To fix it: Call acknowledge_job with the nonce of the poll before any work on the job.""",
    ),
    "not-owner": (
        not_owner,
        "codepipeline.put_job_success_result(jobId=job.id)",
        f"""PutJobSuccessResult for {JOB} after its acknowledgement was refused.
  Another worker has the job: what this one reports ends, or fails, work that is not its own.
  To fix it: Leave a job whose acknowledgement was refused (InvalidNonceException), and go on to\
 the next.""",
    ),
    "missing-output": (
        missing_output,
        SUCCEED,
        f"""success of {JOB} was reported, and output artifact 'Site' not uploaded.
  CodePipeline shows the action as succeeded; the next action that reads the artifact fails with\
 "Unable to access the artifact with Amazon S3 object key".
  To fix it: Upload each output artifact to the s3Location in the job before reporting success, or\
 report a failure.""",
    ),
    "output-encryption": (
        output_encryption,
        SUCCEED,
        f"""output artifact 'Site' of {JOB} was uploaded without a KMS key, not with the pipeline's\
 key arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab.
  An action in another account, or one that may use the pipeline's key only, cannot read the\
 artifact.
  To fix it: Upload it with ServerSideEncryption='aws:kms' and\
 SSEKMSKeyId=job['data']['encryptionKey']['id'].""",
    ),
    "own-role": (
        own_role,
        'boto3.client("s3", region_name="us-east-1").get_object(',
        f"""the code read input artifact 'Source' of {JOB} with the function's own role\
 (s3.GetObject).
  The object: {{uri}}
  The function's own role can open the artifact bucket only if somebody gave it more rights;\
 artifactCredentials come with each job and open exactly its artifacts.
  To fix it: Make the S3 client from the job's artifactCredentials: boto3.Session(accessKeyId,\
 secretAccessKey, sessionToken).client('s3').""",
    ),
    "refused-request": (
        refused_request,
        'codepipeline.put_job_failure_result(jobId=job.id, message="broken")',
        f"""codepipeline.PutJobFailureResult for {JOB} was rejected, and the code swallowed the\
 error: Parameter validation failed: Missing required parameter in input: "failureDetails";\
 Unknown parameter in input: "message", must be one of: jobId, failureDetails.
  AWS does not accept this request: what it was to report or do has not happened.
  To fix it: Send what the API takes, and let the error be seen; a test that wants it expects it\
 with pytest.raises.""",
    ),
    "leaked-secret": (
        leaked_secret,
        "print(event)",
        f"""secretAccessKey and sessionToken of {JOB} are in stdout.
  The line: {{quoted}}
  Whoever reads it can use the credentials until they expire, and logs are kept.
  To fix it: Print, log and report the job's id instead of the whole event, job or\
 configuration.""",
    ),
    "unfaked-call": (
        unfaked_call,
        'boto3.client("sts", region_name="us-east-1").get_caller_identity()',
        f"""sts.GetCallerIdentity for {JOB} was blocked before it reached the network.
  In a pipeline this call is real; here nothing answers it, and the test shows nothing of what\
 follows.
  To fix it: Start moto's mock_aws() in the test, stub this client, or make the call fail:\
 cpjob.fail('GetCallerIdentity', 'AccessDeniedException', service='sts').""",
    ),
    "unused-fault": (
        unused_fault,
        "",
        """ThrottlingException was set up 2 times for codepipeline.GetJobDetails and met 0 times.
  The test did not test what it set up.
  To fix it: Compare operation, service and times with the calls that were made (cpjob.calls), or\
 take the fault away.""",
    ),
    "running-thread": (
        running_thread,
        "",
        """thread 'late' is still running after the test.
  It goes on after its test and could call AWS; its calls are blocked until it ends. Lambda\
 freezes such a thread when the handler returns.
  To fix it: Join the thread, or tell it to stop, before the code under test returns.""",
    ),
    "not-permitted": (
        not_permitted,
        ASK,
        f"""codepipeline.ListPipelines for {JOB} was called with the function's own role, and the\
 role of role_policy does not allow codepipeline:ListPipelines on "*".
  AWS refuses the call: role_policy.Statement (Action "codepipeline:Put*", Resource "*"): it is\
 about other actions than codepipeline:ListPipelines.
  To fix it: Write: {{"Effect": "Allow", "Action": "codepipeline:ListPipelines", "Resource":\
 "*"}}""",
    ),
}


def place_of(make: Callable[..., Job], line: str) -> str:
    """`file:line` of the last such line in a function, or in this file."""
    numbered = list(enumerate(Path(__file__).read_text("utf-8").splitlines(), 1))
    start = make.__code__.co_firstlineno
    after = [number for number, text in numbered if line in text and number > start]
    anywhere = [number for number, text in numbered if text.strip().startswith(line)]
    number = anywhere[0] if line in FIRST_OF_ALL else after[0]
    return f"{Path(__file__).relative_to(Path.cwd())}:{number}"


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
    make, line, text = CASES[name]
    job = make(cpjob)

    error = found(cpjob)

    place = f" ({place_of(make, line)})" if line else ""
    text = text.replace("{id}", job.id)
    if name == "own-role":
        text = text.replace("{uri}", job.input_artifacts["Source"].uri)
    if name == "leaked-secret":
        [quoted] = [each for each in str(error).splitlines() if each.startswith("  The line: ")]
        text = text.replace("{quoted}", quoted.removeprefix("  The line: "))
        assert "'secretAccessKey': '<masked>'" in quoted
        assert len(quoted) < 150
    option = "own_role=True" if name == "own-role" else f'allow=["{name}"]'
    assert str(error) == (
        f"{name}{place}: {text} See pytest-cpjob explain {name}\n"
        f"  To allow it: @pytest.mark.cpjob({option})"
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


def test_a_refused_report_of_a_failure_is_not_to_be_reported_once_more(
    cpjob: CodePipelineStub,
) -> None:
    job = add(cpjob)
    cpjob.fail("PutJobFailureResult", "AccessDeniedException")
    details = {"type": "JobFailed", "message": "no theme"}

    def handler(event: Any, context: Any) -> None:
        client = boto3.client("codepipeline", region_name="us-east-1")
        client.put_job_failure_result(jobId=job.id, failureDetails=details)

    with pytest.raises(ClientError, match="AccessDenied"):
        job.invoke(handler)

    error = found(cpjob)
    assert error.names == ("raised",)
    assert (
        "  To fix it: What was refused is the report of the failure itself: put right what its"
        " error names, before anything is reported. See pytest-cpjob explain raised"
    ) in str(error).splitlines()


def test_several_findings_are_one_list(cpjob: CodePipelineStub) -> None:
    no_result(cpjob)
    second_result(cpjob)
    error = found(cpjob)
    assert str(error).startswith(
        f"second-result, no-result ({place_of(second_result, SUCCEED)}): 2 findings, this code"
        " breaks CodePipeline's job contract.\n"
    )
    assert error.names == ("second-result", "no-result")
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


def test_a_failure_after_a_success_whose_answer_was_lost_is_none(cpjob: CodePipelineStub) -> None:
    cpjob.fail("PutJobSuccessResult", ReadTimeoutError(endpoint_url="https://x"), after=True)

    def handler(event: Any, context: Any) -> None:
        try:
            succeed(event)
        except ReadTimeoutError as error:
            details = {"type": "JobFailed", "message": str(error)}
            with pytest.raises(ClientError, match="InvalidJobStateException"):
                codepipeline.put_job_failure_result(
                    jobId=event["CodePipeline.job"]["id"], failureDetails=details
                )

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
