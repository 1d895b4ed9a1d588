"""A user's project for `pytester`: a handler, its test, and how to run them beside a plugin."""

from __future__ import annotations

import pytest
from forked_pytest import run_forked

# What the start of a user's pytest would otherwise spend most of its time on, by plugin names.
PLUGINS = (
    "asyncio",
    "faker",
    "hypothesispytest",
    "pytest_mock",
    "randomly",
    "rerunfailures",
    "socket",
)
LEAN = " ".join(f"-p no:{name}" for name in PLUGINS)

ACTION = """
    import boto3

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def lambda_handler(event, context):
        job = event["CodePipeline.job"]
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.session.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        ).client("s3", region_name="us-east-1")
        for source in job["data"]["inputArtifacts"]:
            s3.get_object(**where(source))["Body"].read()
        for target in job["data"]["outputArtifacts"]:
            s3.put_object(**where(target), Body=b"site")
        codepipeline.put_job_success_result(jobId=job["id"])

    def where(artifact):
        at = artifact["location"]["s3Location"]
        return {"Bucket": at["bucketName"], "Key": at["objectKey"]}

    def forgets(event, context):
        pass
"""
BUILDS = """
    import pytest
    import my_action
    from pytest_cpjob import ContractError, UnfakedCallError

    def test_builds(cpjob):
        job = cpjob.add_lambda_job(
            input_artifacts={"Source": {"index.md": "# Hi"}}, output_artifacts=["Site"]
        )
        job = job.invoke(my_action.lambda_handler)
        assert job.status == "Succeeded"
        assert job.output_artifacts["Site"].content == b"site"
"""


def run(pytester: pytest.Pytester, *arguments: str, beside: str = "") -> pytest.RunResult:
    """Run the project's tests as its user would, beside one of `PLUGINS` or none."""
    assert beside in ("", *PLUGINS)
    without = LEAN.replace(f"-p no:{beside}", "") if beside else LEAN
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", without)
        return run_forked(pytester, *arguments)
