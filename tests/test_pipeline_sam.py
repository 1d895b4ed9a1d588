"""SAM and CDK templates: roles that nobody wrote, policy templates, code beside the template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_definitions import load

from pytest_cpjob import CodePipelineStub, ContractError, HandlerError
from pytest_cpjob.iam.policies import NO_RESOURCE, Permissions

PIPELINE = """
  Artifacts: {Type: AWS::S3::Bucket, Properties: {BucketName: the-artifacts}}
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: web
      RoleArn: arn:aws:iam::123456789012:role/web
      ArtifactStore: {Type: S3, Location: !Ref Artifacts}
      Stages:
        - Name: Source
          Actions:
            - Name: Site
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: 1}
              Configuration: {S3Bucket: sources, S3ObjectKey: a.zip}
              OutputArtifacts: [Name: Code]
        - Name: Release
          Actions:
            - Name: Announce
              ActionTypeId: {Category: Invoke, Owner: AWS, Provider: Lambda, Version: 1}
              Configuration: {FunctionName: !Ref Announce, UserParameters: hi}
              InputArtifacts: [Name: Code]
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.12
    Timeout: 30
    Environment: {Variables: {TABLE: !Ref Table, LEVEL: low}}
Resources:
  Table: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: posts}}
  Announce:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/announce
      Handler: app.handler
      Environment: {Variables: {LEVEL: high}}
      Policies: POLICIES
"""
HANDLER = """
import os
import boto3
from words import greeting

codepipeline = boto3.client("codepipeline")
table = os.environ["TABLE"]


def handler(event, context):
    job = event["CodePipeline.job"]
    said = job["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    codepipeline.put_job_success_result(
        jobId=job["id"],
        outputVariables={
            "table": table,
            "level": os.environ["LEVEL"],
            "said": greeting + said,
            "left": str(context.get_remaining_time_in_millis()),
        },
    )
"""
REPORTS = "[CodePipelineLambdaExecutionPolicy: {}]"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "src" / "announce"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(HANDLER, encoding="utf-8")
    (folder / "words.py").write_text("greeting = 'oh, '\n", encoding="utf-8")


@pytest.fixture
def cpjob() -> Iterator[CodePipelineStub]:
    with CodePipelineStub() as stub:
        yield stub


def write(policies: str = REPORTS, template: str = SAM) -> str:
    text = template.replace("POLICIES", policies) + PIPELINE
    Path("template.yaml").write_text(text, encoding="utf-8")
    return "template.yaml"


def permissions(policies: str, template: str = SAM) -> Permissions:
    loaded = load(write(policies, template))
    [name] = loaded.functions
    function = loaded.function_of(name)
    assert function is not None
    assert function.permissions is not None
    return function.permissions


def test_the_code_that_the_template_names_is_run_with_its_variables(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVEL", "mine")
    job = cpjob.add_pipeline(write()).add_job("Announce").invoke()

    assert job.result.output_variables == {
        "table": "posts",
        "level": "high",
        "said": "oh, hi",
        "left": "30000",
    }


def test_nothing_of_the_code_stays(cpjob: CodePipelineStub) -> None:
    import sys

    before = dict(sys.modules), list(sys.path)
    cpjob.add_pipeline(write()).add_job("Announce").invoke()

    assert "app" not in sys.modules
    assert "words" not in sys.modules
    assert (set(before[0]) - set(sys.modules), sys.path) == (set(), before[1])


def test_a_handler_of_the_tests_finds_the_variables_that_the_test_has_not_set(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("LEVEL", "mine")
    seen = {}

    def handler(event: Any, context: Any) -> None:
        seen.update(table=os.environ["TABLE"], level=os.environ["LEVEL"])

    cpjob.add_pipeline(write()).add_job("Announce", allow=["no-result"]).invoke(handler)

    assert seen == {"table": "posts", "level": "mine"}
    assert "TABLE" not in os.environ


def test_the_template_s_time_out_ends_the_function(cpjob: CodePipelineStub) -> None:
    import time

    def handler(event: Any, context: Any) -> None:
        time.sleep(31)

    job = cpjob.add_pipeline(write()).add_job("Announce", allow=["no-result", "raised"])
    with pytest.raises(HandlerError, match=r"Task timed out after 30\.00 seconds"):
        job.invoke(handler)


def test_inline_code_and_a_zip_file_are_run(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    import zipfile

    code = HANDLER.replace("from words import greeting", "greeting = ''")
    inline = "".join(f"\n        {line}" for line in code.splitlines())
    template = SAM.replace("CodeUri: src/announce", f"InlineCode: |{inline}")
    template = template.replace("app.handler", "index.handler")
    job = cpjob.add_pipeline(write(template=template)).add_job("Announce").invoke()
    assert job.result.output_variables["said"] == "hi"

    with zipfile.ZipFile("announce.zip", "w") as archive:
        archive.writestr("app.py", code)
    template = SAM.replace("src/announce", "announce.zip")
    job = cpjob.add_pipeline(write(template=template)).add_job("Announce").invoke()
    assert job.result.output_variables["said"] == "hi"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("src/announce", "src/nowhere", "has its code at 'src/nowhere', which does not exist"),
        ("CodeUri: src/announce", "CodeUri: s3://b/k", "has its code in a bucket, not beside"),
        ("python3.12", "nodejs20.x", "runs on nodejs20.x, and only Python is run"),
        ("app.handler", "ap.handler", "there is no ap.py in "),
        ("app.handler", "app.handle", "app.py in .* has no function 'handle'"),
        ("app.handler", "app", "the Handler 'app' is not 'file.function'"),
    ],
)
def test_code_that_cannot_be_run_is_told(
    cpjob: CodePipelineStub, before: str, after: str, why: str
) -> None:
    pipeline = cpjob.add_pipeline(write(template=SAM.replace(before, after)))

    with pytest.raises(HandlerError, match=rf"{why}.*; job.invoke\(handler\) runs another$"):
        pipeline.add_job("Announce", allow=["no-result", "raised"]).invoke()


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        ("app.handle", "app.py in {folder} has no function 'handle'"),
        ("ap.handler", "there is no ap.py in {folder}"),
    ],
)
def test_a_handler_that_is_not_found_is_told_by_its_cause_alone(
    cpjob: CodePipelineStub, tmp_path: Path, handler: str, why: str
) -> None:
    pipeline = cpjob.add_pipeline(write(template=SAM.replace("app.handler", handler)))
    job = pipeline.add_job("Announce", allow=["no-result", "raised"])

    with pytest.raises(HandlerError) as caught:
        job.invoke()

    folder = tmp_path / "src" / "announce"
    assert str(caught.value) == (
        f"{why.format(folder=folder)}: there is no code to run for function"
        f" {job.facts.configuration['FunctionName']!r}; the template's Handler and CodeUri name it;"
        " job.invoke(handler) runs another"
    )
    shown = str(caught.getrepr(chain=True, style="short"))
    assert "During handling" not in shown
    assert "function_code.py" not in shown


def test_a_job_without_a_pipeline_wants_its_handler(cpjob: CodePipelineStub) -> None:
    with pytest.raises(HandlerError, match=r"does not say which code it runs.*invoke\(handler\)"):
        cpjob.add_lambda_job().invoke()


def test_a_module_that_the_test_has_imported_is_used_as_it_is(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "src" / "announce")
    monkeypatch.setenv("TABLE", "mine")
    import app

    monkeypatch.setattr(app, "greeting", "patched ")
    try:
        job = cpjob.add_pipeline(write()).add_job("Announce").invoke()
        assert job.result.output_variables["said"] == "patched hi"
    finally:
        import sys

        for name in ("app", "words"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("policies", "answer"),
    [
        ("[]", "denied"),
        (REPORTS, "allowed"),
        ("AWSCodePipelineCustomActionAccess", "allowed"),
        ("[{Statement: [{Effect: Allow, Action: 'codepipeline:*', Resource: '*'}]}]", "allowed"),
        ("[CodePipelineReadOnlyPolicy: {PipelineName: web}]", "denied"),
        ("[S3CrudPolicy: {BucketName: !Ref Artifacts}]", "denied"),
        ("[SomeNewPolicy: {}]", "can't tell"),
        ("[!ImportValue a-policy]", "can't tell"),
        ("[AmazonS3FullAccess]", "can't tell"),
        ("[AWSXrayWriteOnlyAccess]", "denied"),
    ],
)
def test_the_role_that_sam_makes_is_known(policies: str, answer: str) -> None:
    found = permissions(policies)

    assert found.judge("codepipeline:PutJobSuccessResult", NO_RESOURCE).answer == answer
    assert found.judge("logs:PutLogEvents", NO_RESOURCE).answer == "allowed"


@pytest.mark.parametrize(
    ("adds", "answer"),
    [
        ("Events: {Queue: {Type: SQS, Properties: {Queue: !ImportValue queue}}}", "can't tell"),
        ("DeadLetterQueue: {Type: SQS, TargetArn: !ImportValue queue}", "can't tell"),
        ("EventInvokeConfig: {MaximumRetryAttempts: 0}", "can't tell"),
        ("Events: {Tick: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}", "denied"),
    ],
)
def test_what_sam_adds_to_a_role_may_allow_other_services(adds: str, answer: str) -> None:
    found = permissions(f"[]\n      {adds}")

    assert found.judge("sqs:SendMessage", NO_RESOURCE).answer == answer
    assert found.judge("codepipeline:PutJobSuccessResult", NO_RESOURCE).answer == "denied"


def test_a_connector_may_allow_other_services() -> None:
    connector = "Resources:\n  Link: {Type: AWS::Serverless::Connector, Properties: {}}"

    found = permissions("[]", SAM.replace("Resources:", connector, 1))

    assert found.judge("sqs:SendMessage", NO_RESOURCE).answer == "can't tell"


def test_a_missing_permission_of_a_sam_function_is_found() -> None:
    with CodePipelineStub(allow=["raised"]) as cpjob:
        job = cpjob.add_pipeline(write("[]")).add_job("Announce")
        with pytest.raises(ClientError, match="AccessDeniedException"):
            job.invoke()
        with pytest.raises(ContractError) as found:
            cpjob.check()

    told = str(found.value)
    assert "not-permitted (src/announce/app.py:13): codepipeline.PutJobSuccessResult" in told
    assert "role AnnounceRole does not allow codepipeline:PutJobSuccessResult" in told


def test_a_cdk_template_brings_its_policies_and_its_asset(tmp_path: Path) -> None:
    """As `cdk synth` writes it: names by Fn::Join, policies of their own, assets beside it."""
    (tmp_path / "src" / "announce").rename(tmp_path / "asset.abc123")
    join = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/",
                              "service-role/AWSLambdaBasicExecutionRole"]]}  # fmt: skip
    from pytest_cpjob.pipelines.yaml_loader import load_yaml

    document: Any = load_yaml("Resources:" + PIPELINE)
    stages = document["Resources"]["Pipeline"]["Properties"]["Stages"]
    stages[1]["Actions"][0]["Configuration"]["FunctionName"] = {"Ref": "AnnounceF1"}
    document["Resources"].update(
        {
            "AnnounceServiceRole1": {
                "Type": "AWS::IAM::Role",
                "Properties": {"ManagedPolicyArns": [join]},
            },
            "AnnounceServiceRoleDefaultPolicy2": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "AnnounceServiceRoleDefaultPolicy2",
                    "PolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": [
                                    "codepipeline:PutJobFailureResult",
                                    "codepipeline:PutJobSuccessResult",
                                ],
                                "Resource": "*",
                            }
                        ]
                    },
                    "Roles": [{"Ref": "AnnounceServiceRole1"}],
                },
            },
            "AnnounceF1": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {"S3Bucket": "cdk-assets", "S3Key": "abc123.zip"},
                    "Handler": "app.handler",
                    "Runtime": "python3.12",
                    "Role": {"Fn::GetAtt": ["AnnounceServiceRole1", "Arn"]},
                    "Environment": {"Variables": {"TABLE": "posts", "LEVEL": "high"}},
                },
                "Metadata": {"aws:asset:path": "asset.abc123"},
            },
        }
    )
    Path("Web.template.json").write_text(json.dumps(document), encoding="utf-8")

    with CodePipelineStub() as cpjob:
        pipeline = cpjob.add_pipeline("Web.template.json")
        assert pipeline.add_job("Announce").invoke().status == "Succeeded"
        name = pipeline.actions["Announce"]["configuration"]["FunctionName"]
        assert name.startswith("Web-AnnounceF1-")


def test_a_boundary_limits_the_role() -> None:
    boundary = """
  Limit:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Statement: {Effect: Allow, Action: "logs:*", Resource: "*"}}
"""
    template = SAM + "      PermissionsBoundary: !Ref Limit\n" + boundary
    loaded = load(write(template=template))
    [name] = loaded.functions
    function = loaded.function_of(name)
    assert function is not None
    assert function.permissions is not None

    verdict = function.permissions.judge("codepipeline:PutJobSuccessResult", NO_RESOURCE)

    assert (verdict.answer, verdict.by_boundary) == ("denied", True)
