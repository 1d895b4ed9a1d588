"""A Lambda action that builds a static site: a zip of Markdown in, a zip of HTML out.

The shape of most handlers that touch artifacts: the S3 client is made from the job's own
credentials, the output is encrypted with the pipeline's key when it has one, and output variables
tell the next actions what was built. The source may be anybody's, so it is looked at before any of
it is unpacked.

UserParameters, optional: `{"theme": "dark"}`.
"""

from __future__ import annotations

import html
import json
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import boto3
from botocore.config import Config

codepipeline = boto3.client("codepipeline")

MOST_BYTES: Final = 100 * 1024 * 1024
"""What a source may unpack to."""


class SourceError(Exception):
    """No site can be built from this source."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Build the site of one job, and report how that went, whatever happens."""
    job = event["CodePipeline.job"]
    try:
        variables = build(job["data"])
    except Exception as error:
        codepipeline.put_job_failure_result(
            jobId=job["id"],
            failureDetails={
                "type": "JobFailed",
                "message": str(error)[:5000] or type(error).__name__,
                "externalExecutionId": context.aws_request_id,
            },
        )
    else:
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables=variables)


def build(data: Mapping[str, Any]) -> dict[str, str]:
    """Turn the input artifact into the output artifact, and give the output variables."""
    configuration = data["actionConfiguration"]["configuration"]
    theme = json.loads(configuration.get("UserParameters", "{}")).get("theme", "light")
    (source,), (target,) = data["inputArtifacts"], data["outputArtifacts"]
    s3 = artifact_client(data["artifactCredentials"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        s3.download_file(*location_of(source), str(folder / "source.zip"))
        unpack(folder / "source.zip", folder / "source")
        pages = write_site(folder / "source", folder / "site.zip", theme)
        s3.upload_file(
            str(folder / "site.zip"), *location_of(target), ExtraArgs=encryption_of(data)
        )
    return {"pages": str(pages), "theme": theme}


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


def unpack(archive_file: Path, folder: Path) -> None:
    """Unpack a source that is harmless.

    Raises:
        SourceError: it is not, or it is no whole zip.
    """
    try:
        with zipfile.ZipFile(archive_file) as archive:
            # zipfile unpacks no member beyond the size that the archive's directory promises.
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise SourceError(f"the source unpacks to more than {MOST_BYTES} bytes")
            for member in archive.infolist():
                check_member(member)
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise SourceError(f"the source is no whole zip: {error}") from error


def check_member(member: zipfile.ZipInfo) -> None:
    """Refuse what has no place in a source.

    Raises:
        SourceError: the member leaves its folder, is a link, or has a name in an unknown encoding.
    """
    name, path = member.filename, PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise SourceError(f"{name!r} is outside of the source")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError(f"{name!r} is a link")
    if not (name.isascii() or member.flag_bits & 0x800):
        raise SourceError(f"{name!r} is not said to be UTF-8, and would become a broken address")


def write_site(source: Path, site: Path, theme: str) -> int:
    """Write every Markdown file as a page, and give how many there are.

    Raises:
        SourceError: there is none.
    """
    files = sorted(source.rglob("*.md"))
    if not files:
        raise SourceError("the source has no page: no file ends in .md")
    with zipfile.ZipFile(site, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            name = file.relative_to(source).with_suffix(".html").as_posix()
            archive.writestr(name, page_of(file.read_text("utf-8"), theme))
    return len(files)


def page_of(markdown: str, theme: str) -> str:
    """Turn headings and paragraphs into HTML."""
    blocks = []
    for block in filter(None, (block.strip() for block in markdown.split("\n\n"))):
        tag, text = ("h1", block[2:]) if block.startswith("# ") else ("p", block)
        blocks.append(f"<{tag}>{html.escape(text)}</{tag}>")
    return f'<!doctype html>\n<body class="{html.escape(theme)}">\n' + "\n".join(blocks) + "\n"
