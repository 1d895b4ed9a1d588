"""The documents: what a job looks like in each of the four that AWS sends, and in its parts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest

from pytest_cpjob import (
    ArtifactFactory,
    CodePipelineStub,
    CredentialsFactory,
    JobDetailsFactory,
    LambdaEventFactory,
    PipelineContextFactory,
    ThirdPartyJobDetailsFactory,
)
from pytest_cpjob.aws.codepipeline_model import violations

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
ID = "11111111-2222-4333-8444-555555555555"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING: dict[str, Any] = {
    "job_id": ID,
    "account_id": "012345678901",
    "region": "eu-west-1",
    "pipeline_name": "web",
    "stage_name": "Release",
    "action_name": "Announce",
    "input_artifacts": ["Source"],
    "output_artifacts": ["Site"],
    "artifact_bucket": "artifacts-of-web",
    "encryption_key": KEY,
    "continuation_token": "step 2",
}


def shape_of(operation: str) -> Any:
    return CLIENT.meta.service_model.operation_model(operation).output_shape


def differences(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Each member that the service's model knows and a document lacks (-), or the reverse (+)."""
    if shape.type_name == "structure":
        for name in sorted(set(shape.members) | set(value)):
            where = f"{path}.{name}".lstrip(".")
            if name not in value:
                yield f"-{where}"
            elif name not in shape.members:
                yield f"+{where}"
            else:
                yield from differences(value[name], shape.members[name], where)
    elif shape.type_name == "list":
        for item in value:
            yield from differences(item, shape.member, f"{path}[]")


def nulls(value: object) -> bool:
    if isinstance(value, dict):
        return any(nulls(item) for item in value.values())
    if isinstance(value, list):
        return any(nulls(item) for item in value)
    return value is None


def polled(cpjob: CodePipelineStub, **arguments: Any) -> dict[str, Any]:
    job = cpjob.add_job(**arguments)
    answer: dict[str, Any] = cpjob.client().poll_for_jobs(
        actionTypeId=job.facts.action_type.as_dict()
    )
    del answer["ResponseMetadata"]
    return answer


# -- every member ----------------------------------------------------------------------------------


def test_details_have_every_member_that_the_model_knows(
    cpjob_details_factory: JobDetailsFactory,
) -> None:
    details = cpjob_details_factory(**EVERYTHING)

    # An output artifact has no revision before it is uploaded.
    assert list(differences(details, shape_of("GetJobDetails"))) == [
        "-jobDetails.data.outputArtifacts[].revision"
    ]
    assert violations("GetJobDetailsOutput", details) == []


def test_polled_jobs_have_every_member_that_the_model_knows(cpjob: CodePipelineStub) -> None:
    answer = polled(cpjob, **EVERYTHING)

    assert list(differences(answer, shape_of("PollForJobs"))) == [
        "-jobs[].data.outputArtifacts[].revision"
    ]
    assert violations("PollForJobsOutput", answer) == []


def test_partners_details_have_every_member_but_two_that_partners_are_not_shown(
    cpjob_third_party_details_factory: ThirdPartyJobDetailsFactory,
) -> None:
    details = cpjob_third_party_details_factory(**EVERYTHING)

    assert list(differences(details, shape_of("GetThirdPartyJobDetails"))) == [
        "-jobDetails.data.outputArtifacts[].revision",
        "-jobDetails.data.pipelineContext.pipelineArn",
        "-jobDetails.data.pipelineContext.pipelineExecutionId",
    ]
    assert violations("GetThirdPartyJobDetailsOutput", details) == []


def test_an_event_is_what_lambda_is_sent(cpjob_event_factory: LambdaEventFactory) -> None:
    event = cpjob_event_factory(**EVERYTHING, user_parameters={"to": "all"}, function_name="f")

    job: Any = event["CodePipeline.job"]
    (source,), (site,) = job["data"]["inputArtifacts"], job["data"]["outputArtifacts"]
    place = {"bucketName": "artifacts-of-web"}
    assert job == {
        "id": ID,
        "accountId": "012345678901",
        "data": {
            "actionConfiguration": {
                "configuration": {"FunctionName": "f", "UserParameters": '{"to": "all"}'}
            },
            "inputArtifacts": [source],
            "outputArtifacts": [
                {
                    "name": "Site",
                    "revision": None,
                    "location": {
                        "type": "S3",
                        "s3Location": {
                            **place,
                            "objectKey": site["location"]["s3Location"]["objectKey"],
                        },
                    },
                }
            ],
            "artifactCredentials": job["data"]["artifactCredentials"],
            "continuationToken": "step 2",
            "encryptionKey": {"id": KEY, "type": "KMS"},
        },
    }
    assert len(source["revision"]) == 40
    assert set(job["data"]["artifactCredentials"]) == {
        "accessKeyId",
        "secretAccessKey",
        "sessionToken",
        "expirationTime",
    }
    assert json.loads(json.dumps(event)) == event


def expiration_of(event: Any) -> int:
    expiration: int = event["CodePipeline.job"]["data"]["artifactCredentials"]["expirationTime"]
    return expiration


def test_the_events_credentials_say_when_they_end_in_whole_seconds(
    cpjob_event_factory: LambdaEventFactory, cpjob: CodePipelineStub
) -> None:
    for event in (cpjob_event_factory(), cpjob.add_lambda_job(allow=["no-result"]).event):
        day = datetime.fromtimestamp(expiration_of(event) / 1000 - 15 * 60, timezone.utc)
        assert f"{day:%Y-%m-%d}" == "2026-01-01"
        assert expiration_of(event) % 1000 == 0


def test_credentials_end_by_the_job_clock_and_stay_when_an_event_is_read_again(
    cpjob: CodePipelineStub,
) -> None:
    first = cpjob.add_lambda_job(allow=["no-result"])
    before = expiration_of(first.event)

    cpjob.advance(60.5)
    later = cpjob.add_lambda_job(allow=["no-result"])

    assert expiration_of(first.event) == before
    assert expiration_of(later.event) == before + 60_000


def test_when_credentials_end_follows_the_seed() -> None:
    ends = []
    for seed in (1, 1, 2):
        with CodePipelineStub(seed=seed, allow=["no-result"]) as cpjob:
            ends.append(expiration_of(cpjob.add_lambda_job().event))

    assert ends[0] == ends[1] != ends[2]


# -- what is left out ------------------------------------------------------------------------------


def test_what_a_job_has_not_is_absent_and_never_null(
    cpjob: CodePipelineStub,
    cpjob_details_factory: JobDetailsFactory,
    cpjob_third_party_details_factory: ThirdPartyJobDetailsFactory,
    cpjob_event_factory: LambdaEventFactory,
) -> None:
    none: dict[str, Any] = {"input_artifacts": [], "output_artifacts": []}
    details: Any = cpjob_details_factory(**none)
    partners: Any = cpjob_third_party_details_factory(**none)
    event: Any = cpjob_event_factory(**none)

    documents = [
        details["jobDetails"],
        partners["jobDetails"],
        event["CodePipeline.job"],
        *polled(cpjob)["jobs"],
    ]
    for document in documents:
        assert not nulls(document)
        assert document["data"]["inputArtifacts"] == document["data"]["outputArtifacts"] == []
        assert {"continuationToken", "encryptionKey"}.isdisjoint(document["data"])
    assert set(event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]) == {
        "FunctionName"
    }
    assert {"actionTypeId", "pipelineContext"}.isdisjoint(event["CodePipeline.job"]["data"])
    assert [sorted(document) for document in documents] == [
        ["accountId", "data", "id"],
        ["data", "id", "nonce"],
        ["accountId", "data", "id"],
        ["accountId", "data", "id", "nonce"],
    ]


def test_by_default_a_factorys_job_has_one_input_and_one_output(
    cpjob_details_factory: JobDetailsFactory,
) -> None:
    data = cpjob_details_factory()["jobDetails"]["data"]

    assert [artifact["name"] for artifact in data["inputArtifacts"]] == ["SourceArtifact"]
    assert [artifact["name"] for artifact in data["outputArtifacts"]] == ["BuildArtifact"]
    assert "revision" in data["inputArtifacts"][0]
    assert "revision" not in data["outputArtifacts"][0]


# -- agreement -------------------------------------------------------------------------------------


def test_a_polled_job_and_its_details_differ_by_nonce_and_credentials_alone(
    cpjob: CodePipelineStub,
) -> None:
    (job,) = polled(cpjob, **EVERYTHING)["jobs"]
    details = cpjob.client().get_job_details(jobId=ID)["jobDetails"]

    assert job.pop("nonce") == cpjob.jobs[0].nonce
    assert job["data"].pop("artifactCredentials") != details["data"].pop("artifactCredentials")
    assert job == details


def test_a_lambdas_event_and_its_details_agree(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_lambda_job(**EVERYTHING, user_parameters="x", allow=["no-result"])
    event: Any = job.event["CodePipeline.job"]
    details: Any = job.details["jobDetails"]

    assert details["data"].pop("actionTypeId") == {
        "category": "Invoke",
        "owner": "AWS",
        "provider": "Lambda",
        "version": "1",
    }
    context = details["data"].pop("pipelineContext")
    assert context == {
        "pipelineName": "web",
        "stage": {"name": "Release"},
        "action": {"name": "Announce", **dict(list(context["action"].items())[1:])},
        "pipelineArn": "arn:aws:codepipeline:eu-west-1:012345678901:web",
        "pipelineExecutionId": context["pipelineExecutionId"],
    }
    assert event["data"]["outputArtifacts"][0].pop("revision") is None
    assert isinstance(event["data"]["artifactCredentials"].pop("expirationTime"), int)
    assert event == details


def test_factories_that_are_given_one_job_id_make_documents_of_one_job(
    cpjob_details_factory: JobDetailsFactory,
    cpjob_event_factory: LambdaEventFactory,
) -> None:
    details: Any = cpjob_details_factory(job_id=ID, user_parameters="x", encryption_key=True)
    event: Any = cpjob_event_factory(job_id=ID, user_parameters="x", encryption_key=True)

    there, here = details["jobDetails"]["data"], event["CodePipeline.job"]["data"]
    for output in here["outputArtifacts"]:
        del output["revision"]
    del here["artifactCredentials"]["expirationTime"]
    assert {name: there[name] for name in here} == here


def test_arns_bucket_and_keys_are_of_the_jobs_own_names(
    cpjob_details_factory: JobDetailsFactory,
) -> None:
    data = cpjob_details_factory(
        region="cn-north-1",
        account_id="000000000007",
        pipeline_name="a-rather-long-pipeline-name",
        input_artifacts=["ALongArtifactName"],
        encryption_key=True,
    )["jobDetails"]["data"]

    place = data["inputArtifacts"][0]["location"]["s3Location"]
    assert place["bucketName"].startswith("codepipeline-cn-north-1-")
    assert place["objectKey"].startswith("a-rather-long-pipeli/ALongArtif/")
    context = data["pipelineContext"]
    assert context["pipelineArn"].startswith("arn:aws-cn:codepipeline:cn-north-1:000000000007:a-")
    assert data["encryptionKey"]["id"].startswith("arn:aws-cn:kms:cn-north-1:000000000007:key/")


# -- the same again, and fresh ---------------------------------------------------------------------


def test_two_calls_make_two_jobs(cpjob_details_factory: JobDetailsFactory) -> None:
    ids = {cpjob_details_factory()["jobDetails"]["id"] for _ in range(50)}

    assert len(ids) == 50


def test_a_document_is_the_callers_own(cpjob_details_factory: JobDetailsFactory) -> None:
    first: Any = cpjob_details_factory(job_id=ID, configuration={"Theme": "dark"})
    as_it_was = copy.deepcopy(first)
    for part in first["jobDetails"]["data"].values():
        part.clear()

    assert cpjob_details_factory(job_id=ID, configuration={"Theme": "dark"}) == as_it_was


def test_giving_one_value_changes_no_other(cpjob_details_factory: JobDetailsFactory) -> None:
    drawn: Any = cpjob_details_factory(job_id=ID)["jobDetails"]["data"]
    given: Any = cpjob_details_factory(job_id=ID, stage_name="Release", encryption_key=True)[
        "jobDetails"
    ]["data"]

    assert given.pop("encryptionKey")["type"] == "KMS"
    assert given["pipelineContext"]["stage"].pop("name") == "Release"
    assert drawn["pipelineContext"]["stage"].pop("name") == "Build"
    assert given == drawn


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "expected"), [(None, {}), ("v1", {"revision": "v1"})], ids=["none", "given"]
)
def test_an_artifact_is_its_name_its_place_and_its_revision(
    cpjob_artifact_factory: ArtifactFactory, revision: str | None, expected: dict[str, str]
) -> None:
    made = cpjob_artifact_factory(name="Site", revision=revision, bucket="bucket-7", key="k.zip")

    assert made == {
        "name": "Site",
        "location": {"type": "S3", "s3Location": {"bucketName": "bucket-7", "objectKey": "k.zip"}},
        **expected,
    }


def test_an_artifacts_revision_can_be_a_drawn_commit_id(
    cpjob_artifact_factory: ArtifactFactory,
) -> None:
    artifact = cpjob_artifact_factory(revision=True)

    assert set(artifact["revision"]) <= set("0123456789abcdef")
    assert len(artifact["revision"]) == 40
    assert artifact["name"] == "SourceArtifact"
    assert violations("Artifact", artifact) == []


def test_an_artifact_of_the_factory_can_be_a_jobs(
    cpjob_artifact_factory: ArtifactFactory, cpjob_details_factory: JobDetailsFactory
) -> None:
    artifact = cpjob_artifact_factory(name="Site", key="site.zip")
    data = cpjob_details_factory(input_artifacts=[artifact, "Other"])["jobDetails"]["data"]

    assert data["inputArtifacts"][0] == artifact
    assert data["inputArtifacts"][1]["name"] == "Other"


def test_credentials_are_new_each_time(cpjob_credentials_factory: CredentialsFactory) -> None:
    first, second = cpjob_credentials_factory(), cpjob_credentials_factory()

    assert violations("AWSSessionCredentials", first) == []
    assert not set(first.values()) & set(second.values())


def test_a_pipeline_context_is_of_its_pipeline(
    cpjob_pipeline_context_factory: PipelineContextFactory,
) -> None:
    names: dict[str, Any] = {"pipeline_name": "web", "stage_name": "S", "action_name": "A"}
    context = cpjob_pipeline_context_factory(**names, region="eu-west-1", account_id="000000000007")
    partners = cpjob_pipeline_context_factory(third_party=True, **names)

    assert violations("PipelineContext", context) == []
    assert context["pipelineArn"] == "arn:aws:codepipeline:eu-west-1:000000000007:web"
    assert (context["stage"], context["action"]["name"]) == ({"name": "S"}, "A")
    assert set(context) - set(partners) == {"pipelineArn", "pipelineExecutionId"}
    assert set(partners) < set(context)
