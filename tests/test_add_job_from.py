"""A job made of a captured document: what it says is kept, credentials are drawn anew."""

from __future__ import annotations

import copy
import json
from typing import Any

import boto3
import pytest

from pytest_cpjob import CodePipelineStub

EVERYTHING: dict[str, Any] = {
    "account_id": "012345678901",
    "region": "eu-west-1",
    "pipeline_name": "web",
    "stage_name": "Release",
    "action_name": "Announce",
    "input_artifacts": {"Site": {"index.html": "<h1>"}},
    "output_artifacts": ["Report"],
    "encryption_key": True,
    "continuation_token": "step 2",
}


def captured(add: str, document: str, **arguments: Any) -> Any:
    """A document of another account's job, as its owner would have captured it."""
    with CodePipelineStub(seed=add, allow=["no-result"]) as theirs:
        job = getattr(theirs, add)(**EVERYTHING, **arguments)
        if document == "poll":
            action_type = job.details["jobDetails"]["data"]["actionTypeId"]
            (polled,) = theirs.client().poll_for_jobs(actionTypeId=action_type)["jobs"]
            return polled
        return getattr(job, document)


def job_of(document: Any) -> Any:
    """The job of a document, without what is drawn anew."""
    job = copy.deepcopy(document)
    for member in ("CodePipeline.job", "jobDetails"):
        job = job.get(member, job)
    del job["data"]["artifactCredentials"]
    return job


@pytest.fixture
def event() -> Any:
    return captured("add_lambda_job", "event", user_parameters={"to": "all"})


def test_a_lambda_event_is_the_jobs_own_again(event: Any) -> None:
    with CodePipelineStub(allow=["no-result"]) as cpjob:
        job = cpjob.add_job_from(event)

        assert job_of(job.event) == job_of(event)
        theirs = event["CodePipeline.job"]["data"]["artifactCredentials"]
        ours = job.event["CodePipeline.job"]["data"]["artifactCredentials"]
        assert theirs["accessKeyId"] != ours["accessKeyId"]
        assert (job.facts.region, job.status) == ("eu-west-1", "InProgress")


def test_details_are_the_jobs_own_again_for_every_kind_of_job() -> None:
    documents = [
        captured("add_job", "details", configuration={"Theme": "dark"}),
        captured("add_lambda_job", "details", function_name="announce"),
        captured("add_third_party_job", "details"),
    ]
    with CodePipelineStub() as cpjob:
        jobs = [cpjob.add_job_from(json.loads(json.dumps(each))) for each in documents]

        kinds = [job.facts.action_type.owner for job in jobs]
        assert kinds == ["Custom", "AWS", "ThirdParty"]
        assert [job_of(job.details) for job in jobs] == [job_of(each) for each in documents]


def test_a_polled_job_is_handed_out_as_it_was_with_its_nonce() -> None:
    polled = captured("add_job", "poll")
    polled["nonce"] = "not-a-number"
    action_type = polled["data"]["actionTypeId"]
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job_from(polled)
        client = cpjob.client()
        (first,) = client.poll_for_jobs(actionTypeId=action_type)["jobs"]
        cpjob.advance(300)
        (again,) = client.poll_for_jobs(actionTypeId=action_type)["jobs"]
        status = client.acknowledge_job(jobId=job.id, nonce=again["nonce"])["status"]

    assert job_of(first) == job_of(polled)
    assert again["nonce"] not in ("not-a-number", "")
    assert status == "InProgress"


def test_the_answer_of_a_poll_for_one_job_will_do() -> None:
    polled = captured("add_job", "poll")
    with CodePipelineStub() as cpjob:
        assert cpjob.add_job_from({"jobs": [polled]}).id == polled["id"]
        with pytest.raises(ValueError, match="has 2 jobs"):
            cpjob.add_job_from({"jobs": [polled, polled]})


def test_the_handler_runs_on_the_captured_job_with_the_content_it_is_given(event: Any) -> None:
    def handler(event: Any, context: Any) -> None:
        job = event["CodePipeline.job"]
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.client(
            "s3",
            region_name="eu-west-1",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        at = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
        assert s3.get_object(Bucket=at["bucketName"], Key=at["objectKey"])["Body"].read() == b"mine"
        boto3.client("codepipeline").put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": "seen"}
        )

    with CodePipelineStub() as cpjob:
        job = cpjob.add_job_from(event, input_artifacts={"Site": b"mine"})
        assert job.invoke(handler).status == "Failed"


def test_an_input_without_content_holds_a_sample_under_the_documents_key(event: Any) -> None:
    with CodePipelineStub(allow=["no-result"]) as cpjob:
        site = cpjob.add_job_from(event).input_artifacts["Site"]
        (said,) = event["CodePipeline.job"]["data"]["inputArtifacts"]

        assert site.key == said["location"]["s3Location"]["objectKey"]
        assert "README.md" in site.files
        assert site.revision == said["revision"]


def test_the_same_job_twice_is_refused(event: Any) -> None:
    with CodePipelineStub(allow=["no-result"]) as cpjob:
        job = cpjob.add_job_from(event)
        with pytest.raises(ValueError, match=f"job {job.id!r} already exists"):
            cpjob.add_job_from(event)
        assert cpjob.jobs == [job]


def test_an_old_capture_lacks_what_it_lacks() -> None:
    """As in AWS's samples of 2015: `__type` members, no ARN, no ids, no revision."""
    old = {
        "id": "11111111-abcd-1111-abcd-111111abcdef",
        "accountId": "111111111111",
        "nonce": "3",
        "data": {
            "actionTypeId": {
                "__type": "ActionTypeId",
                "category": "Test",
                "owner": "Custom",
                "provider": "MyJenkinsProviderName",
                "version": "1",
            },
            "actionConfiguration": {
                "__type": "ActionConfiguration",
                "configuration": {"ProjectName": "MyJenkinsExampleTestProject"},
            },
            "artifactCredentials": {"__type": "AWSSessionCredentials"},
            "inputArtifacts": [
                {
                    "__type": "Artifact",
                    "location": {
                        "s3Location": {
                            "bucketName": "codepipeline-us-west-2-1234567890",
                            "objectKey": "MySecondPipeline/MyAppBuild/EXAMPLE",
                        },
                        "type": "S3",
                    },
                    "name": "MyAppBuild",
                }
            ],
            "outputArtifacts": [],
            "pipelineContext": {
                "__type": "PipelineContext",
                "action": {"name": "MyJenkinsTest-Action"},
                "pipelineName": "MySecondPipeline",
                "stage": {"name": "Testing"},
            },
        },
    }
    with CodePipelineStub() as cpjob:
        job = cpjob.add_job_from(old)

        assert (job.facts.region, job.facts.account_id) == ("us-west-2", "111111111111")
        assert (job.facts.stage_name, job.input_artifacts["MyAppBuild"].revision) == (
            "Testing",
            None,
        )


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "document: this dict is not a document of a job; give a Lambda event"),
        ("{}", "document: this str is not a document of a job"),
        (None, "document: this NoneType is not a document of a job"),
        ({"id": "1", "data": []}, "document: data: Member must be a structure"),
        ({"id": "1", "data": {}}, "document: actionTypeId: Member must be a structure"),
        ({"detail-type": "Scheduled Event", "id": "1"}, "document: this dict is not a document"),
    ],
)
def test_what_is_no_document_of_a_job_is_refused(document: Any, says: str) -> None:
    with CodePipelineStub() as cpjob:
        with pytest.raises(ValueError, match=r"^document: ") as caught:
            cpjob.add_job_from(document)
        assert str(caught.value).startswith(says)
        assert cpjob.jobs == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"input_artifacts": {"Sight": b""}}, "input_artifacts['Sight']: the document has no such"),
        ({"client_token": "secret"}, "client_token: only a partner's job has one"),
        ({"region": "mars"}, "region"),
    ],
)
def test_an_argument_that_does_not_go_with_the_document_is_refused(
    event: Any, arguments: dict[str, Any], says: str
) -> None:
    with CodePipelineStub() as cpjob:
        with pytest.raises(ValueError, match=r"document has|partner's job|region") as caught:
            cpjob.add_job_from(event, **arguments)
        assert str(caught.value).startswith(says)
        assert cpjob.jobs == []
