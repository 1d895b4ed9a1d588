"""The jobs that a pipeline makes of its actions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from pipeline_definitions import action, declaration, kind

from pytest_cpjob import CodePipelineStub, CpjobError, HandlerError, Pipeline

VARIABLES = {"Build.Tag": "v7"}
OWNER = {"Owner": "Zoë"}


@pytest.fixture
def cpjob() -> Iterator[CodePipelineStub]:
    with CodePipelineStub(allow=["no-result"]) as stub:
        yield stub


@pytest.fixture
def pipeline(cpjob: CodePipelineStub) -> Pipeline:
    return cpjob.add_pipeline(declaration())


def succeed(job: Any, **outputs: str) -> None:
    def handler(event: Any, context: Any) -> None:
        codepipeline = boto3.client("codepipeline")
        codepipeline.put_job_success_result(
            jobId=event["CodePipeline.job"]["id"], outputVariables=outputs
        )

    job.invoke(handler)


def test_a_pipeline_tells_its_name_arn_declaration_and_actions(pipeline: Pipeline) -> None:
    assert pipeline.name == "web"
    assert pipeline.arn == "arn:aws:codepipeline:us-east-1:123456789012:web"
    assert pipeline.declaration == declaration()
    assert list(pipeline.actions) == [
        "Source/Site",
        "Build/Compile",
        "Build/Docs",
        "Release/Announce",
        "Release/Tell",
    ]
    assert pipeline.actions["Docs"] == pipeline.actions["Build/Docs"]
    assert pipeline.actions["Docs"]["configuration"] == {"Theme": "dark"}
    assert "web" in repr(pipeline)


def test_what_a_test_changes_in_a_copy_changes_no_job(pipeline: Pipeline) -> None:
    pipeline.declaration["stages"].clear()
    pipeline.actions["Docs"]["configuration"]["Theme"] = "light"

    assert pipeline.add_job("Docs").details["jobDetails"]["data"]["actionConfiguration"] == {
        "configuration": {"Theme": "dark"}
    }


def test_a_lambda_job_is_what_the_definition_says(pipeline: Pipeline) -> None:
    job = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)
    data = job.event["CodePipeline.job"]["data"]

    assert data["actionConfiguration"]["configuration"] == {
        "FunctionName": "announce",
        "UserParameters": '{"tag": "v7", "by": "Zoë"}',
    }
    assert [each["name"] for each in data["inputArtifacts"]] == ["Site", "Manual"]
    assert [each["name"] for each in data["outputArtifacts"]] == ["Post"]
    places = [each["location"]["s3Location"] for each in data["inputArtifacts"]]
    assert {each["bucketName"] for each in places} == {"web-artifacts"}
    assert places[0]["objectKey"].startswith("web/Site/")
    assert (job.facts.pipeline_name, job.facts.stage_name, job.facts.action_name) == (
        "web",
        "Release",
        "Announce",
    )


def test_a_custom_job_waits_for_its_worker(cpjob: CodePipelineStub, pipeline: Pipeline) -> None:
    job = pipeline.add_job("Docs", input_artifacts={"Code": {"index.md": "# Hi"}})

    [polled] = cpjob.client().poll_for_jobs(actionTypeId=kind("Build", "Docs", "Custom"))["jobs"]

    assert polled["id"] == job.id
    assert polled["data"]["actionConfiguration"]["configuration"] == {"Theme": "dark"}
    assert job.input_artifacts["Code"].files == {"index.md": b"# Hi"}


def test_inputs_that_are_not_given_are_small_samples(pipeline: Pipeline) -> None:
    job = pipeline.add_job(
        "Announce",
        input_artifacts={"Site": {"a": "b"}},
        variables=VARIABLES,
        pipeline_variables=OWNER,
    )

    assert job.input_artifacts["Site"].files == {"a": b"b"}
    assert job.input_artifacts["Manual"].files


def test_all_jobs_of_a_pipeline_are_of_one_execution(pipeline: Pipeline) -> None:
    jobs = [
        pipeline.add_job("Docs"),
        pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER),
        pipeline.add_job("Tell", variables={"Announced.post": "42"}),
    ]

    contexts = [job.details["jobDetails"]["data"]["pipelineContext"] for job in jobs]
    [execution_id] = {each["pipelineExecutionId"] for each in contexts}
    configuration = jobs[2].facts.configuration
    assert configuration["UserParameters"] == f"42 in stable by {execution_id}"
    assert len({each["action"]["actionExecutionId"] for each in contexts}) == 3
    made, read = jobs[0].output_artifacts["Manual"], jobs[1].input_artifacts["Manual"]
    assert (made.bucket, made.key) == (read.bucket, read.key)


def test_what_a_job_has_uploaded_and_reported_the_next_one_has(pipeline: Pipeline) -> None:
    first = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)
    s3 = boto3.session.Session(
        *first.details["jobDetails"]["data"]["artifactCredentials"].values()
    ).client("s3")
    place = first.output_artifacts["Post"]
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"posted")
    succeed(first, post="42")

    second = pipeline.add_job("Tell")

    assert second.input_artifacts["Post"].content == b"posted"
    assert second.facts.configuration["UserParameters"].startswith("42 in stable by ")
    told = pipeline.add_job("Tell", variables={"Announced.post": "43"})
    assert told.facts.configuration["UserParameters"].startswith("43 ")


def test_a_missing_variable_is_an_error_that_lists_what_to_give(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="refers to variables that have no value") as missing:
        pipeline.add_job("Announce")

    assert str(missing.value).splitlines() == [
        "Release/Announce refers to variables that have no value:",
        "- #{Build.Tag} in UserParameters: give it with variables={'Build.Tag': ...}",
        "- #{variables.Owner} in UserParameters: give it with pipeline_variables={'Owner': ...}",
    ]


def test_a_quote_in_a_variable_breaks_the_json_as_in_aws(pipeline: Pipeline) -> None:
    job = pipeline.add_job(
        "Announce", variables={"Build.Tag": 'say "hi"'}, pipeline_variables=OWNER
    )

    with pytest.raises(json.JSONDecodeError):
        json.loads(job.facts.configuration["UserParameters"])


def test_an_inserted_reference_is_not_resolved_again(pipeline: Pipeline) -> None:
    job = pipeline.add_job(
        "Announce",
        variables={"Build.Tag": "#{codepipeline.PipelineExecutionId}"},
        pipeline_variables=OWNER,
    )

    assert '"#{codepipeline.PipelineExecutionId}"' in job.facts.configuration["UserParameters"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"input_artifacts": {"Sit": b""}}, "has no input artifact 'Sit'; its inputs: 'Site', "),
        ({"variables": {"Buld.Tag": "x"}}, "no action has the namespace 'Buld'; did you mean 'B"),
        ({"input_artifacts": ["Site"]}, r"input_artifacts: expected a dict, got \['Site'\]"),
        ({"variables": "Build.Tag"}, "variables: expected a dict, got 'Build.Tag'"),
        ({"variables": {"Tag": "x"}}, "variables: expected 'Namespace.Key', got 'Tag'"),
        ({"variables": {"Build.Tag": 7}}, r"variables\['Build.Tag'\]: variables are text, got 7"),
        ({"pipeline_variables": {"Own": "x"}}, "no variable 'Own'; did you mean 'Owner'"),
        ({"allow": ["no-results"]}, "unknown finding 'no-results'; did you mean 'no-result'"),
    ],
)
def test_what_the_action_does_not_have_is_refused(
    pipeline: Pipeline, arguments: dict[str, Any], text: str
) -> None:
    given = {"variables": VARIABLES, "pipeline_variables": OWNER, **arguments}

    with pytest.raises(ValueError, match=text):
        pipeline.add_job("Announce", **given)


def test_an_unknown_action_is_told_with_the_nearest(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="no action 'Anounce'; did you mean 'Announce'"):
        pipeline.add_job("Anounce")
    with pytest.raises(KeyError, match="no action 'Release/Anounce'"):
        pipeline.actions["Release/Anounce"]


def test_a_name_of_two_actions_wants_its_stage(cpjob: CodePipelineStub) -> None:
    given = declaration()
    action(given, "Tell")["name"] = "Docs"
    pipeline = cpjob.add_pipeline(given)

    with pytest.raises(ValueError, match="'Docs' is in several stages: Build/Docs, Release/Docs"):
        pipeline.add_job("Docs")
    assert pipeline.add_job("Build/Docs").facts.stage_name == "Build"


def test_an_action_of_aws_has_no_job(pipeline: Pipeline) -> None:
    with pytest.raises(CpjobError, match=r"Build/Compile is an action of AWS's own \(CodeBuild\)"):
        pipeline.add_job("Compile")


def test_a_function_that_the_definition_does_not_make_has_no_code(pipeline: Pipeline) -> None:
    job = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)

    with pytest.raises(
        HandlerError,
        match=r"makes no function 'announce'.*; job.invoke\(handler\) runs another$",
    ):
        job.invoke()


def test_revisions_and_keys_are_those_of_the_source(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_pipeline(declaration()).add_job("Docs")

    code = job.input_artifacts["Code"]
    assert code.key.endswith(".zip")
    assert len(code.revision or "") == 32
    given = declaration()
    action(given, "Site").update(
        actionTypeId=kind("Source", "CodeCommit"),
        configuration={"RepositoryName": "web", "BranchName": "main"},
    )
    given["name"] = "other"
    code = cpjob.add_pipeline(given).add_job("Docs").input_artifacts["Code"]
    assert not code.key.endswith(".zip")
    assert len(code.revision or "") == 40


def test_an_s3_sources_key_keeps_a_tars_extension(cpjob: CodePipelineStub) -> None:
    given = declaration()
    action(given, "Site")["configuration"]["S3ObjectKey"] = "web/site.tar.gz"

    code = cpjob.add_pipeline(given).add_job("Docs").input_artifacts["Code"]

    assert code.key.endswith(".tar.gz")
    assert len(code.revision or "") == 32


def test_an_images_revision_is_its_digest(cpjob: CodePipelineStub) -> None:
    given = declaration()
    action(given, "Site").update(
        actionTypeId=kind("Source", "ECR"), configuration={"RepositoryName": "web"}
    )

    code = cpjob.add_pipeline(given).add_job("Docs").input_artifacts["Code"]

    assert (code.revision or "").startswith("sha256:")
    assert not code.key.endswith(".zip")


def test_region_bucket_and_key_are_those_of_the_action(cpjob: CodePipelineStub) -> None:
    given = declaration()
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    given["artifactStores"] = {
        "us-east-1": given.pop("artifactStore"),
        "eu-west-1": {
            "type": "S3",
            "location": "web-artifacts-eu",
            "encryptionKey": {"id": key, "type": "KMS"},
        },
    }
    action(given, "Announce")["region"] = "eu-west-1"
    pipeline = cpjob.add_pipeline(given)

    job = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)

    assert job.facts.region == "eu-west-1"
    assert job.encryption_key == key
    assert job.input_artifacts["Site"].bucket == "web-artifacts-eu"
    assert job.input_artifacts["Site"].kms_key_id == key
    assert pipeline.add_job("Docs").encryption_key is None


def test_the_credentials_are_of_the_actions_role(cpjob: CodePipelineStub) -> None:
    given = declaration()
    action(given, "Announce")["roleArn"] = "arn:aws:iam::123456789012:role/path/announce-action"
    pipeline = cpjob.add_pipeline(given)
    job = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)
    other = pipeline.add_job("Tell", variables={"Announced.post": "42"})

    for each, role in ((job, "announce-action"), (other, "web-pipeline")):
        credentials = each.details["jobDetails"]["data"]["artifactCredentials"].values()
        client = boto3.session.Session(*credentials).client("codepipeline", "us-east-1")
        with pytest.raises(client.exceptions.ClientError, match=f"assumed-role/{role}/"):
            client.get_job_details(jobId=each.id)


def test_get_pipelines_answer_brings_region_and_account(cpjob: CodePipelineStub) -> None:
    answer = {
        "pipeline": {**declaration(), "version": 3},
        "metadata": {"pipelineArn": "arn:aws:codepipeline:eu-west-1:210987654321:web"},
    }

    pipeline = cpjob.add_pipeline(answer)

    assert pipeline.arn == "arn:aws:codepipeline:eu-west-1:210987654321:web"
    assert pipeline.add_job("Docs").facts.account_id == "210987654321"
    assert cpjob.add_pipeline(answer, region="eu-west-3").arn.split(":")[3] == "eu-west-3"


def test_the_same_seed_gives_the_same_jobs() -> None:
    def documents() -> list[Any]:
        with CodePipelineStub(seed=7, allow=["no-result"]) as stub:
            pipeline = stub.add_pipeline(declaration())
            job = pipeline.add_job("Announce", variables=VARIABLES, pipeline_variables=OWNER)
            return [job.details, job.event]

    assert documents() == documents()


def test_a_continued_job_is_the_same_action(pipeline: Pipeline) -> None:
    job = pipeline.add_job("Tell", variables={"Announced.post": "42"}, continuation_token="t1")

    assert job.event["CodePipeline.job"]["data"]["continuationToken"] == "t1"


def test_an_inactive_stub_takes_no_pipeline_and_no_job() -> None:
    with CodePipelineStub() as stub:
        pipeline = stub.add_pipeline(declaration())
    with pytest.raises(CpjobError, match="the stub is not active"):
        stub.add_pipeline(declaration())
    with pytest.raises(CpjobError, match="the stub is not active"):
        pipeline.add_job("Docs")


MISTAKES = """
    def test_the_definition(cpjob):
        cpjob.add_pipeline({"name": "web", "stages": []})

    def test_the_action(cpjob):
        cpjob.add_pipeline("web.json").add_job("Anounce")

    def test_the_variables(cpjob):
        cpjob.add_pipeline("web.json").add_job("Announce")
"""


def test_a_mistake_shows_no_frame_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MISTAKES)
    (pytester.path / "web.json").write_text(json.dumps(declaration()), encoding="utf-8")

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(failed=3)
    result.stdout.no_fnmatch_line("*pytest_cpjob*.py:*")
    result.stdout.fnmatch_lines_random(
        [
            "E *ValueError: the definition: CreatePipeline would refuse this pipeline, by * rules:",
            "E *ValueError: action: the pipeline has no action 'Anounce'; did you mean 'Announce'?",
            "E *- #{Build.Tag} in UserParameters: give it with variables={'Build.Tag': ...}",
        ]
    )
