"""A job worker with a thread for each job: watches services until they have proved themselves.

The shape of workers whose jobs mostly wait. The main thread polls, for as many jobs as it has
threads left, and starts a thread for each, which takes its job from acknowledgement to report. A
job may last for hours, so credentials for its report are asked for when they are needed.

The action type is `Test:Custom:Soak:1`, with the property `Minutes`. The input artifact has a file
`services.json`, a list of addresses; the output artifact gets `report.json`.
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

logger = logging.getLogger(__name__)

ACTION_TYPE: Final = {"category": "Test", "owner": "Custom", "provider": "Soak", "version": "1"}
PAUSE: Final = 30
"""Seconds between two polls, and between two looks at a service."""

TRIES: Final = 3
"""How often a call is made that a job depends on; each is tried again by botocore as well."""


def is_healthy(address: str) -> bool:
    """Whether a service answers as it should."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class SoakWorker:
    """Works on several jobs at once.

    Args:
        region: the pipelines' region.
        threads: how many jobs at most.
        is_healthy: looks at a service.
    """

    def __init__(
        self, *, region: str, threads: int = 4, is_healthy: Callable[[str], bool] = is_healthy
    ) -> None:
        self._region = region
        self._threads = threads
        self._is_healthy = is_healthy
        self._running: list[threading.Thread] = []
        self._codepipeline = boto3.client("codepipeline", region_name=region)

    def run(self) -> None:
        """Work until the process is ended."""
        while True:
            try:
                self.start_jobs()
            except (BotoCoreError, ClientError):
                logger.exception("could not poll")
            time.sleep(PAUSE)

    def start_jobs(self) -> None:
        """Poll for as many jobs as there are threads left, and start each in its own."""
        self._running = [thread for thread in self._running if thread.is_alive()]
        free = self._threads - len(self._running)
        if free == 0:
            return
        polled = self._codepipeline.poll_for_jobs(actionTypeId=ACTION_TYPE, maxBatchSize=free)
        for job in polled["jobs"]:
            thread = threading.Thread(target=self.work_on, args=(job,), name=f"job {job['id']}")
            self._running.append(thread)
            thread.start()

    def work_on(self, job: Mapping[str, Any]) -> None:
        """Do one job from acknowledgement to report, whatever happens: nobody joins the thread."""
        if not self.acknowledge(job):
            return
        codepipeline, job_id = self._codepipeline, job["id"]
        try:
            failed = self.soak(job["data"])
            self.write_report(job_id, failed)
            if failed:
                raise RuntimeError(f"not healthy: {', '.join(failed)}")
        except Exception as error:
            message = str(error)[:5000] or type(error).__name__
            failure = {"type": "JobFailed", "message": message}
            self.report(codepipeline.put_job_failure_result, jobId=job_id, failureDetails=failure)
        else:
            self.report(codepipeline.put_job_success_result, jobId=job_id)

    def acknowledge(self, job: Mapping[str, Any]) -> bool:
        """Claim a job; False if another worker has claimed it first, or it cannot be done."""
        answer_lost = False
        for _ in range(TRIES):
            try:
                answer = self._codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            except self._codepipeline.exceptions.InvalidNonceException:
                # Whoever was faster: this very worker, if its first try has arrived.
                return answer_lost
            except HTTPClientError:
                answer_lost = True
            except ClientError:
                logger.exception("job %s could not be acknowledged", job["id"])
                return False
            else:
                return bool(answer["status"] == "InProgress")
        return False

    def soak(self, data: Mapping[str, Any]) -> list[str]:
        """Look at the services again and again, and give those that were unwell, if any were."""
        minutes = int(data["actionConfiguration"]["configuration"]["Minutes"])
        (source,) = data["inputArtifacts"]
        body = self.artifact_client(data).get_object(**object_of(source))["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            services = json.loads(archive.read("services.json"))
        for _ in range(minutes * 60 // PAUSE):
            if failed := [each for each in services if not self._is_healthy(each)]:
                return failed
            time.sleep(PAUSE)
        return []

    def write_report(self, job_id: str, failed: list[str]) -> None:
        """Write the output artifact, with credentials of now: the job's first are long expired."""
        data = self._codepipeline.get_job_details(jobId=job_id)["jobDetails"]["data"]
        (target,) = data["outputArtifacts"]
        report = io.BytesIO()
        with zipfile.ZipFile(report, "w") as archive:
            archive.writestr("report.json", json.dumps({"failed": failed}))
        self.artifact_client(data).put_object(
            **object_of(target), **encryption_of(data), Body=report.getvalue()
        )

    def artifact_client(self, data: Mapping[str, Any]) -> Any:
        """Make the one client that may open the job's artifacts; each thread has its session."""
        credentials = data["artifactCredentials"]
        session = boto3.session.Session(
            aws_access_key_id=credentials["accessKeyId"],
            aws_secret_access_key=credentials["secretAccessKey"],
            aws_session_token=credentials["sessionToken"],
            region_name=self._region,
        )
        return session.client("s3", config=Config(signature_version="s3v4"))

    def report(self, put: Callable[..., Any], **result: Any) -> None:
        """Report a result until CodePipeline has it."""
        for _ in range(TRIES):
            try:
                put(**result)
            except self._codepipeline.exceptions.InvalidJobStateException:
                # The report before this one arrived, or the job has timed out.
                logger.warning("job %s takes no result any more", result["jobId"])
                return
            except (HTTPClientError, ClientError) as error:
                logger.warning("no report on job %s: %s", result["jobId"], error)
            else:
                return


def object_of(artifact: Mapping[str, Any]) -> dict[str, str]:
    """Give an artifact's place as S3's operations take it."""
    location = artifact["location"]["s3Location"]
    return {"Bucket": location["bucketName"], "Key": location["objectKey"]}


def encryption_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Encrypt as the pipeline does: with its own key, or else with the account's S3 key."""
    if "encryptionKey" not in data:
        return {"ServerSideEncryption": "aws:kms"}
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": data["encryptionKey"]["id"]}
