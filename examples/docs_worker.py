"""A job worker for a custom action that turns a project's Markdown into HTML.

The shape of workers that run for themselves, on an instance or in a container: poll for jobs,
acknowledge each, ask for its details, work, report. Workers come in numbers and go without warning,
so it matters what each does when another was faster, when its job has ended meanwhile, when its
work outlives the job's credentials, and when the answer to a call is lost.

The action type is `Build:Custom:Docs:1`; its queryable property `Project` lets each worker poll for
the jobs of one project.
"""

from __future__ import annotations

import html
import io
import logging
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

logger = logging.getLogger(__name__)

ACTION_TYPE: Final = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
TRIES: Final = 3
"""How often a call is made that a job depends on; each is tried again by botocore as well."""


def page_of(markdown: str) -> str:
    """Turn a Markdown file into a page; real ones take their time."""
    return f"<!doctype html>\n<pre>{html.escape(markdown)}</pre>\n"


class DocsWorker:
    """Builds the docs of one project.

    Args:
        project: which project's jobs to poll for.
        region: the pipelines' region.
        convert: turns a Markdown file into a page.
    """

    def __init__(
        self, project: str, *, region: str, convert: Callable[[str], str] = page_of
    ) -> None:
        self._project = project
        self._region = region
        self._convert = convert
        self._codepipeline = boto3.client("codepipeline", region_name=region)

    def run(self, pause: float = 30) -> None:
        """Work until the process is ended."""
        while True:
            try:
                done = self.poll_once()
            except (BotoCoreError, ClientError):
                logger.exception("could not poll")
                done = 0
            if done == 0:
                time.sleep(pause)

    def poll_once(self) -> int:
        """Poll, and work on what there is; give how many jobs that was."""
        return sum(self.work_on(job) for job in self.poll())

    def poll(self) -> list[dict[str, Any]]:
        """Take the next job from the queue, if there is one."""
        jobs: list[dict[str, Any]] = self._codepipeline.poll_for_jobs(
            actionTypeId=ACTION_TYPE, maxBatchSize=1, queryParam={"Project": self._project}
        )["jobs"]
        return jobs

    def work_on(self, job: Mapping[str, Any]) -> bool:
        """Do one job from acknowledgement to report; False if it is another worker's."""
        if not self.acknowledge(job):
            return False
        try:
            pages = self.build(job["id"])
        except Exception as error:
            logger.exception("job %s failed", job["id"])
            message = str(error)[:5000] or type(error).__name__
            self.report(
                self._codepipeline.put_job_failure_result,
                jobId=job["id"],
                failureDetails={"type": "JobFailed", "message": message},
            )
        else:
            self.report(
                self._codepipeline.put_job_success_result,
                jobId=job["id"],
                executionDetails={"summary": f"pages built: {pages}", "percentComplete": 100},
                outputVariables={"pages": str(pages)},
            )
        return True

    def acknowledge(self, job: Mapping[str, Any]) -> bool:
        """Claim a job; False if another worker has claimed it first."""
        answer_lost = False
        for _ in range(TRIES):
            try:
                answer = self._codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
            except HTTPClientError:
                answer_lost = True
            except self._codepipeline.exceptions.InvalidNonceException:
                # Whoever was faster: this very worker, if its first try has arrived.
                logger.info("job %s is %s", job["id"], "ours" if answer_lost else "another's")
                return answer_lost
            else:
                return bool(answer["status"] == "InProgress")
        return False

    def build(self, job_id: str) -> int:
        """Turn the input artifact into the output artifact, and give the number of pages."""
        data = self.details(job_id)
        (source,), (target,) = data["inputArtifacts"], data["outputArtifacts"]
        body = self.artifact_client(data).get_object(**object_of(source))["Body"].read()
        pages = {}
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for name in archive.namelist():
                if name.endswith(".md"):
                    pages[f"{name[:-3]}.html"] = self._convert(archive.read(name).decode("utf-8"))
        site = io.BytesIO()
        with zipfile.ZipFile(site, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in pages.items():
                archive.writestr(name, page)
        # Credentials are good for 15 minutes, and the work may have taken longer: ask again.
        data = self.details(job_id)
        self.artifact_client(data).put_object(
            **object_of(target), **encryption_of(data), Body=site.getvalue()
        )
        return len(pages)

    def details(self, job_id: str) -> dict[str, Any]:
        """Give a job's data, with new credentials for its artifacts."""
        answer = self._codepipeline.get_job_details(jobId=job_id)
        data: dict[str, Any] = answer["jobDetails"]["data"]
        return data

    def artifact_client(self, data: Mapping[str, Any]) -> Any:
        """Make the one client that may open the job's artifacts."""
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
