"""`not-permitted`: the function's own role may not make a call, where its policies are known."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
import user_projects
from botocore.exceptions import ClientError
from moto import mock_aws
from pipeline_definitions import declaration, kind

from pytest_cpjob import CodePipelineStub, ContractError

REPORTS = {
    "Effect": "Allow",
    "Action": ["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"],
    "Resource": "*",
}
ON_AN_ARN = {**REPORTS, "Resource": "arn:aws:codepipeline:us-east-1:123456789012:web"}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def reports(event: Any, context: Any) -> None:
    codepipeline = boto3.client("codepipeline", region_name="us-east-1")
    codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])


def findings_of(stub: CodePipelineStub) -> str:
    with pytest.raises(ContractError) as found:
        stub.check()
    return str(found.value)


def refused(stub: CodePipelineStub, handler: Any, **arguments: Any) -> tuple[str, str]:
    """Run a handler that is refused, and give the error and the findings."""
    with pytest.raises(ClientError) as error:
        stub.add_lambda_job(**arguments).invoke(handler)
    return str(error.value), findings_of(stub)


def test_a_report_that_the_role_does_not_allow_is_refused_and_told() -> None:
    with CodePipelineStub(allow=["raised"]) as cpjob:
        error, told = refused(cpjob, reports, role_policy=policy(ON_AN_ARN))

    assert "(AccessDeniedException) when calling the PutJobSuccessResult operation" in error
    assert "is not authorized to perform: codepipeline:PutJobSuccessResult" in error
    job = cpjob.jobs[0]
    assert job.status == "InProgress"
    assert told.splitlines() == [
        f"not-permitted (tests/test_not_permitted.py:{reports.__code__.co_firstlineno + 2}):"
        f" codepipeline.PutJobSuccessResult for job {job.id} (Invoke:AWS:Lambda:1) was called with"
        " the function's own role, and the role of role_policy does not allow"
        ' codepipeline:PutJobSuccessResult on "*".',
        "  AWS refuses the call: role_policy.Statement[0] (Action"
        ' ["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"], Resource'
        ' "arn:aws:codepipeline:us-east-1:123456789012:web"): PutJobSuccessResult takes no'
        ' resource: only "*" allows it.',
        '  To fix it: Write: {"Effect": "Allow", "Action": "codepipeline:PutJobSuccessResult",'
        ' "Resource": "*"} See pytest-cpjob explain not-permitted',
        '  To allow it: CodePipelineStub(allow=["not-permitted"]) or'
        ' @pytest.mark.cpjob(allow=["not-permitted"])',
    ]


@pytest.mark.parametrize(
    "statement",
    [
        REPORTS,
        {**REPORTS, "Action": "codepipeline:*"},
        {**REPORTS, "Action": "*"},
        {**REPORTS, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
    ],
)
def test_what_is_allowed_or_uncertain_passes(statement: dict[str, Any]) -> None:
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(role_policy=[policy(statement)]).invoke(reports)
        assert job.status == "Succeeded"


def test_an_empty_list_allows_nothing() -> None:
    with CodePipelineStub(allow=["raised"]) as cpjob:
        _, told = refused(cpjob, reports, role_policy=[])

    assert "It has no statement that allows anything" in told


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ({**REPORTS, "Action": "codepipeline:PutJobSuccesResult"},
         "there is no action 'codepipeline:PutJobSuccesResult'; did you mean"
         " codepipeline:PutJobSuccessResult?"),
        ({**REPORTS, "Action": "codepipeline:PutJobFailureResult"},
         "it is about other actions than codepipeline:PutJobSuccessResult"),
        ({**REPORTS, "Action": "s3:*"}, "No statement is about codepipeline"),
        ({**REPORTS, "Resource": "arn:aws:codepipeline:us-east-1:1:pipeline/web"},
         'PutJobSuccessResult takes no resource: only "*" allows it'),
        ({**REPORTS, "Effect": "Deny"}, "denies it"),
    ],
)  # fmt: skip
def test_the_nearest_statement_is_told(statement: dict[str, Any], why: str) -> None:
    with CodePipelineStub(allow=["raised"]) as cpjob:
        _, told = refused(cpjob, reports, role_policy=policy(statement))

    assert why in told


@pytest.mark.parametrize(
    ("statements", "ending"),
    [
        ([], "because no identity-based policy allows the kms:Decrypt action"),
        (
            [{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}],
            "with an explicit deny in an identity-based policy",
        ),
    ],
)
def test_the_error_says_why_as_aws_does(statements: list[dict[str, Any]], ending: str) -> None:
    def handler(event: Any, context: Any) -> None:
        boto3.client("kms", "us-east-1").decrypt(CiphertextBlob=b"x")

    with CodePipelineStub(allow=["raised"]) as cpjob, mock_aws():
        error, told = refused(cpjob, handler, role_policy=policy(REPORTS, *statements))

    assert error.endswith(f"is not authorized to perform: kms:Decrypt {ending}")
    assert "does not allow kms:Decrypt on any resource" in told


def test_allowing_the_finding_does_not_allow_the_call() -> None:
    with CodePipelineStub(allow=["raised", "not-permitted"]) as cpjob:
        with pytest.raises(ClientError, match="AccessDenied"):
            cpjob.add_lambda_job(role_policy=[]).invoke(reports)
        cpjob.check()


def test_a_job_allows_it_for_itself() -> None:
    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(role_policy=[], allow=["not-permitted", "raised"])
        with pytest.raises(ClientError, match="AccessDenied"):
            job.invoke(reports)


def test_a_swallowed_denial_is_told() -> None:
    def swallows(event: Any, context: Any) -> None:
        with suppress(ClientError):
            boto3.client("ssm", "us-east-1").get_parameter(Name="/docs/key")
        reports(event, context)

    with CodePipelineStub() as cpjob, mock_aws():
        cpjob.add_lambda_job(role_policy=policy(REPORTS)).invoke(swallows)
        told = findings_of(cpjob)

    assert "): ssm.GetParameter for job" in told
    assert "on arn:aws:ssm:us-east-1:123456789012:parameter/docs/key" in told
    assert "No statement is about ssm" in told


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "allowed"),
    [
        ("s3", "get_object", {"Bucket": "data", "Key": "k"}, "AccessDenied", "s3:GetObject"),
        ("s3", "head_object", {"Bucket": "data", "Key": "k"}, "403", "s3:GetObject"),
        ("s3", "put_object", {"Bucket": "data", "Key": "n", "Body": b""}, "AccessDenied",
         "s3:PutObject"),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:news",
                            "Message": "m"}, "AuthorizationError", "sns:Publish"),
        ("ssm", "get_parameter", {"Name": "key"}, "AccessDeniedException", "ssm:GetParameter"),
        ("kms", "list_keys", {}, "AccessDeniedException", "kms:ListKeys"),
    ],
)  # fmt: skip
def test_other_services_refuse_with_their_own_code(
    service: str, operation: str, arguments: dict[str, Any], code: str, allowed: str
) -> None:
    def handler(event: Any, context: Any) -> None:
        getattr(boto3.client(service, "us-east-1"), operation)(**arguments)
        reports(event, context)

    with mock_aws(), CodePipelineStub(allow=["raised"]) as cpjob:
        cpjob.client("s3").create_bucket(Bucket="data")
        cpjob.client("s3").put_object(Bucket="data", Key="k", Body=b"x")
        cpjob.client("sns").create_topic(Name="news")
        cpjob.client("ssm").put_parameter(Name="key", Value="v", Type="String")
        with pytest.raises(ClientError) as error:
            cpjob.add_lambda_job(role_policy=policy(REPORTS)).invoke(handler)
        assert error.value.response["Error"]["Code"] == code
        assert allowed in findings_of(cpjob)
        fine = policy(REPORTS, {"Effect": "Allow", "Action": allowed, "Resource": "*"})
        assert cpjob.add_lambda_job(role_policy=fine).invoke(handler).status == "Succeeded"


def test_artifact_credentials_and_other_roles_are_not_the_functions_role() -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        place = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
        s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])
        other = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="AKIAOTHER", aws_secret_access_key="x"
        )
        other.list_buckets()
        reports(event, context)

    with CodePipelineStub() as cpjob:
        job = cpjob.add_lambda_job(input_artifacts=["Code"], role_policy=policy(REPORTS))
        assert job.invoke(handler).status == "Succeeded"


def test_what_the_test_itself_prepares_is_not_the_functions() -> None:
    with mock_aws(), CodePipelineStub(role_policy=policy(REPORTS)) as cpjob:
        boto3.client("ssm", "us-east-1").put_parameter(Name="key", Value="v", Type="String")
        cpjob.add_lambda_job().invoke(reports)


def test_a_handler_that_is_called_directly_may_not_report_either() -> None:
    with CodePipelineStub(allow=["no-result"]) as cpjob:
        job = cpjob.add_lambda_job(role_policy=[])
        with pytest.raises(ClientError, match="AccessDeniedException"):
            reports(job.event, job.context)
        assert "not-permitted" in findings_of(cpjob)


def test_a_continued_job_has_the_same_role() -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        codepipeline = boto3.client("codepipeline", "us-east-1")
        if "continuationToken" in job["data"]:
            codepipeline.put_job_failure_result(
                jobId=job["id"], failureDetails={"type": "JobFailed", "message": "x"}
            )
        codepipeline.put_job_success_result(jobId=job["id"], continuationToken="t")

    only_success = {**REPORTS, "Action": "codepipeline:PutJobSuccessResult"}
    with CodePipelineStub(allow=["raised"]) as cpjob:
        _, told = refused(cpjob, handler, role_policy=policy(only_success))

    assert "codepipeline:PutJobFailureResult" in told


def test_a_workers_role_is_the_option() -> None:
    def worker() -> None:
        codepipeline = boto3.client("codepipeline", "us-east-1")
        codepipeline.poll_for_jobs(actionTypeId=kind("Build", "Docs", "Custom"))

    other = {
        "Effect": "Allow",
        "Action": "codepipeline:PollForJobs",
        "Resource": "arn:aws:codepipeline:*:*:actiontype:Custom/Build/Other/1",
    }
    with CodePipelineStub(role_policy=policy(other)) as cpjob:
        cpjob.add_job(action_type="Build:Custom:Docs:1")
        with pytest.raises(ClientError, match="AccessDeniedException"):
            cpjob.run_worker(worker)
        told = findings_of(cpjob)

    assert "actiontype:Custom/Build/Docs/1" in told
    assert "its Resource does not match" in told


def test_the_role_of_the_template_is_enforced() -> None:
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "announce-role",
                    "ManagedPolicyArns": [
                        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
                    ],
                    "Policies": [{"PolicyName": "p", "PolicyDocument": policy(ON_AN_ARN)}],
                },
            },
            "Announce": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "announce",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Handler": "index.handler",
                    "Code": {"ZipFile": "def handler(event, context): pass"},
                },
            },
        }
    }
    with CodePipelineStub(allow=["raised", "ineffective-policy"]) as cpjob:
        pipeline = cpjob.add_pipeline([declaration_as_template(), template])
        job = pipeline.add_job("Announce")
        with pytest.raises(ClientError, match="AccessDeniedException"):
            job.invoke(reports)
        told = findings_of(cpjob)

    where = "the definition: Resources.Role.Properties.Policies[0].PolicyDocument.Statement[0]"
    assert f"AWS refuses the call: {where}" in told


def declaration_as_template() -> dict[str, Any]:
    """The declaration of the other tests as a CloudFormation template, without variables."""

    def capital(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key[:1].upper() + key[1:]: item if key == "configuration" else capital(item)
                for key, item in value.items()
            }
        return [capital(each) for each in value] if isinstance(value, list) else value

    given = declaration()
    del given["variables"]
    for each in given["stages"][2]["actions"]:
        each["configuration"]["UserParameters"] = "x"
    return {
        "Resources": {
            "Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": capital(given)}
        }
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (7, "role_policy: expected a policy document, a list of them or a file's path, got 7"),
        ("nowhere.json", "role_policy nowhere.json: cannot be read: No such file"),
        ({"Statement": [{"Effect": "Allow"}]}, r"role_policy.Statement\[0\]: expected either Act"),
    ],
)
def test_a_wrong_role_policy_is_told(given: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        CodePipelineStub(role_policy=given)
    if given != 7:
        with CodePipelineStub() as cpjob, pytest.raises(ValueError, match=text):
            cpjob.add_lambda_job(role_policy=given)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy(ON_AN_ARN)), encoding="utf-8")
    with CodePipelineStub(allow=["raised"], role_policy=file) as cpjob:
        _, told = refused(cpjob, reports)

    assert f"role_policy {file}.Statement[0]" in told


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(my_action=user_projects.ACTION, test_it=user_projects.BUILDS)
    (pytester.path / "role.json").write_text(json.dumps(policy(ON_AN_ARN)), encoding="utf-8")
    return pytester


def test_the_marker_and_the_ini_file_take_it(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\ncpjob_role_policy = role.json\n")
    result = user_projects.run(project.path, "-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not-permitted (my_action.py:15): *"])
    marked = user_projects.BUILDS.replace(
        "def test_builds", '@pytest.mark.cpjob(role_policy={"Statement": {"Effect": "Allow", '
        '"Action": "*", "Resource": "*"}})\n    def test_builds'
    )  # fmt: skip
    project.makepyfile(test_it=marked)
    user_projects.run(project.path, "-q").assert_outcomes(passed=1)


REPORTS_FROM_OUTSIDE = """
import sys, boto3
from botocore.exceptions import ClientError
for client, call in (
    (boto3.client("codepipeline"), lambda c: c.put_job_success_result(jobId=sys.argv[1])),
    (boto3.client("sns"), lambda c: c.publish(TopicArn=sys.argv[2], Message="m")),
):
    try:
        call(client)
    except ClientError as error:
        print(error.response["Error"]["Code"])
"""


@pytest.mark.cpjob(role_policy=[])
def test_the_role_of_another_process_is_the_option(
    cpjob: CodePipelineStub, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("flask", reason="the endpoint needs the extra server")
    endpoint = request.getfixturevalue("cpjob_endpoint")
    job = cpjob.add_lambda_job()
    topic = "arn:aws:sns:us-east-1:123456789012:news"

    done = endpoint.run([sys.executable, "-c", REPORTS_FROM_OUTSIDE, job.id, topic])

    assert done.stdout.split() == ["AccessDeniedException", "AuthorizationError"], done.stderr
    told = findings_of(cpjob)
    assert told.count("- not-permitted: ") == 2
    assert ".py:" not in told


def test_the_refused_call_stays_in_a_shortened_timeline(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import boto3

        SOURCE = {"a.txt": "a"}

        def handler(event, context):
            job = event["CodePipeline.job"]
            keys = job["data"]["artifactCredentials"]
            session = boto3.Session(
                keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
            )
            at = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
            s3 = session.client("s3", region_name="us-east-1")
            s3.get_object(Bucket=at["bucketName"], Key=at["objectKey"])
            s3.head_object(Bucket=at["bucketName"], Key=at["objectKey"])
            s3.get_object(Bucket=at["bucketName"], Key=at["objectKey"], Range="bytes=0-9")
            codepipeline = boto3.client("codepipeline", region_name="us-east-1")
            codepipeline.list_pipelines()

        def test_it(cpjob):
            job = cpjob.add_lambda_job(
                input_artifacts={"Source": SOURCE}, role_policy=[], function_name="fn"
            )
            job.invoke(handler)
        """
    )

    result = user_projects.run(pytester.path)

    text = result.stdout.str()
    shown = text[text.index("cpjob timeline of job") :].splitlines()
    end = next(number for number, line in enumerate(shown) if line.startswith("  !  "))
    assert shown[1 : end + 1] == [
        "Invoke:AWS:Lambda:1: InProgress",
        "  +0s     event delivered to the function",
        "  ... 2 more",
        "  +0s     s3.GetObject input artifact 'Source' with the job's credentials",
        "          (test_it.py:15)",
        "  +0s     ListPipelines (test_it.py:17) -> AccessDeniedException: User:",
        "          arn:aws:sts::123456789012:assumed-role/FunctionRole/function is not",
        "          authorized to perform: codepipeline:ListPipelines because no",
        "          identity-based policy allows the codepipeline:ListPipelines action",
        "  +0s     the handler raised ClientError('An error occurred",
        "          (AccessDeniedException) when calling the ListPipelines operation: ...",
        "  !       not-permitted (test_it.py:17), raised (test_it.py:17)",
    ]
