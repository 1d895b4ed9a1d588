"""A Lambda action that merges two artifacts into one, and writes down what came from where.

The shape of handlers with several inputs and outputs: artifacts are found by their names, archives
are copied from file to file and never held in memory, and the outputs are uploaded side by side in
threads, encrypted with the pipeline's key.

Inputs `App` and `Docs`; outputs `Bundle` (all files of both) and `Manifest` (`manifest.json`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import IO, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

codepipeline = boto3.client("codepipeline")

TRANSFER = TransferConfig()


class ConflictError(Exception):
    """Both inputs have a file of the same path."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Merge the inputs of one job, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        files = merge(job["data"])
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
        )
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"],
            executionDetails={"summary": f"{files} files", "percentComplete": 100},
        )


def merge(data: Mapping[str, Any]) -> int:
    """Write both outputs from both inputs, and give the number of files."""
    inputs = {artifact["name"]: location_of(artifact) for artifact in data["inputArtifacts"]}
    outputs = {artifact["name"]: location_of(artifact) for artifact in data["outputArtifacts"]}
    s3 = artifact_client(data["artifactCredentials"])
    with ExitStack() as stack:
        app, docs, bundle, manifest = (
            stack.enter_context(tempfile.TemporaryFile()) for _ in range(4)
        )
        s3.download_fileobj(*inputs["App"], app)
        s3.download_fileobj(*inputs["Docs"], docs)
        origins = write_bundle({"App": app, "Docs": docs}, bundle)
        with zipfile.ZipFile(manifest, "w") as archive:
            archive.writestr("manifest.json", json.dumps(origins, indent=2))
        with ThreadPoolExecutor() as threads:
            uploads = []
            for name, file in (("Bundle", bundle), ("Manifest", manifest)):
                file.seek(0)
                uploads.append(
                    threads.submit(
                        s3.upload_fileobj,
                        file,
                        *outputs[name],
                        ExtraArgs=encryption_of(data),
                        Config=TRANSFER,
                    )
                )
        wait_for(uploads)
    return len(origins)


def write_bundle(inputs: Mapping[str, IO[bytes]], bundle: IO[bytes]) -> dict[str, dict[str, str]]:
    """Copy every file of the inputs, and give for each path its origin and SHA-256.

    Raises:
        ConflictError: a path is in both.
    """
    origins: dict[str, dict[str, str]] = {}
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as target:
        for name, file in inputs.items():
            with zipfile.ZipFile(file) as source:
                for member in source.infolist():
                    path = member.filename
                    if member.is_dir():
                        continue
                    if path in origins:
                        raise ConflictError(f"{path!r} is in {origins[path]['from']} and {name}")
                    with source.open(member) as reader, target.open(path, "w") as writer:
                        shutil.copyfileobj(reader, writer)
                    with source.open(member) as reader:
                        digest = hashlib.sha256()
                        while chunk := reader.read(1024 * 1024):
                            digest.update(chunk)
                    origins[path] = {"from": name, "sha256": digest.hexdigest()}
    return origins


def wait_for(uploads: Iterable[Future[None]]) -> None:
    """Let the error of an upload, which its thread keeps to itself, be raised here."""
    for upload in uploads:
        upload.result()


def artifact_client(credentials: Mapping[str, str]) -> Any:
    """Make the one client that may open the job's artifacts; KMS wants signature version 4."""
    session = boto3.session.Session(
        aws_access_key_id=credentials["accessKeyId"],
        aws_secret_access_key=credentials["secretAccessKey"],
        aws_session_token=credentials["sessionToken"],
    )
    return session.client("s3", config=Config(signature_version="s3v4"))


def location_of(artifact: Mapping[str, Any]) -> tuple[str, str]:
    """Give an artifact's bucket and key."""
    location = artifact["location"]["s3Location"]
    return location["bucketName"], location["objectKey"]


def encryption_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Encrypt as the pipeline does: with its own key, or else with the account's S3 key."""
    if "encryptionKey" not in data:
        return {"ServerSideEncryption": "aws:kms"}
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": data["encryptionKey"]["id"]}
