"""A partner's worker: scans its customers' sources for files without a licence.

The shape of third-party actions. A poll says no more than which client has which job. The partner
keeps a token for each client, given to it when the customer connected; the token opens the job's
details, and the nonce to acknowledge it with comes with them.

The action type is `Test:ThirdParty:LicenceScan:1`.
"""

from __future__ import annotations

import io
import json
import logging
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

logger = logging.getLogger(__name__)

ACTION_TYPE: Final = {
    "category": "Test",
    "owner": "ThirdParty",
    "provider": "LicenceScan",
    "version": "1",
}
MARK: Final = b"SPDX-License-Identifier:"
LONGEST_MESSAGE: Final = 5000
TRIES: Final = 3
"""How often a call is made that a job depends on; each is tried again by botocore as well."""


class PartnerWorker:
    """Works on the jobs of all clients that it has a token for.

    Args:
        tokens: client id -> client token; the partner's own store.
        region: the pipelines' region.
    """

    def __init__(self, tokens: Mapping[str, str], *, region: str) -> None:
        self._tokens = tokens
        self._region = region
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
        """Poll, and work on what there is; give how many jobs were done."""
        polled = self._codepipeline.poll_for_third_party_jobs(
            actionTypeId=ACTION_TYPE, maxBatchSize=10
        )
        return sum(self.work_on(offer["clientId"], offer["jobId"]) for offer in polled["jobs"])

    def work_on(self, client_id: str, job_id: str) -> bool:
        """Do one job from its details to the report; False if it is not ours to do."""
        token = self._tokens.get(client_id)
        if token is None:
            logger.warning("client %s of job %s is not known here", client_id, job_id)
            return False
        try:
            details = self._codepipeline.get_third_party_job_details(
                jobId=job_id, clientToken=token
            )["jobDetails"]
            if not self.acknowledge(job_id, details["nonce"], token):
                return False
        except (BotoCoreError, ClientError) as error:
            # The customer has connected anew, the job has ended, another worker was faster, or
            # CodePipeline has no time: whatever it is, the job is none of ours yet.
            logger.warning("job %s is left alone: %s", job_id, error)
            return False
        try:
            unlicensed = self.scan(details["data"])
        except Exception as error:
            logger.exception("job %s failed", job_id)
            self.fail(job_id, token, str(error) or type(error).__name__)
        else:
            if unlicensed:
                self.fail(job_id, token, "no licence: " + ", ".join(unlicensed))
            else:
                self.succeed(job_id, token)
        return True

    def acknowledge(self, job_id: str, nonce: str, token: str) -> bool:
        """Claim a job; False if it is in no state to be worked on."""
        answer_lost = False
        for _ in range(TRIES):
            try:
                answer = self._codepipeline.acknowledge_third_party_job(
                    jobId=job_id, nonce=nonce, clientToken=token
                )
            except HTTPClientError:
                answer_lost = True
            except self._codepipeline.exceptions.InvalidNonceException:
                # Whoever was faster: this very worker, if its first try has arrived.
                return answer_lost
            else:
                return bool(answer["status"] == "InProgress")
        return False

    def scan(self, data: Mapping[str, Any]) -> list[str]:
        """Look at every file of every input, and write the report if the pipeline wants one."""
        credentials = data["artifactCredentials"]
        session = boto3.session.Session(
            aws_access_key_id=credentials["accessKeyId"],
            aws_secret_access_key=credentials["secretAccessKey"],
            aws_session_token=credentials["sessionToken"],
            region_name=self._region,
        )
        s3 = session.client("s3", config=Config(signature_version="s3v4"))
        unlicensed = []
        for artifact in data["inputArtifacts"]:
            body = s3.get_object(**object_of(artifact))["Body"].read()
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                unlicensed += [
                    member.filename
                    for member in archive.infolist()
                    if not member.is_dir() and MARK not in archive.read(member)
                ]
        for artifact in data["outputArtifacts"]:
            report = io.BytesIO()
            with zipfile.ZipFile(report, "w") as archive:
                archive.writestr("report.json", json.dumps({"unlicensed": unlicensed}))
            s3.put_object(**object_of(artifact), **encryption_of(data), Body=report.getvalue())
        return unlicensed

    def succeed(self, job_id: str, token: str) -> None:
        """Report that all is well; partners have no output variables."""
        self.report(
            self._codepipeline.put_third_party_job_success_result,
            jobId=job_id,
            clientToken=token,
            executionDetails={"summary": "every file has a licence", "percentComplete": 100},
        )

    def fail(self, job_id: str, token: str, message: str) -> None:
        """Report what was found, as much of it as a message may hold."""
        self.report(
            self._codepipeline.put_third_party_job_failure_result,
            jobId=job_id,
            clientToken=token,
            failureDetails={"type": "JobFailed", "message": message[:LONGEST_MESSAGE]},
        )

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
