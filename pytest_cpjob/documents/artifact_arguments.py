"""Artifacts as a test writes them, by name or as dicts, turned into facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, cast

from pytest_cpjob.aws.text import plain
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.refusals import check, refuse
from pytest_cpjob.documents.streams import Stream

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact, LambdaArtifact

ArtifactKind = Literal["input", "output"]

_MOST: Final = 5
_BUCKET: Final = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_IP_ADDRESS: Final = r"[0-9]+(?:\.[0-9]+){3}"
_BUCKET_RULE = (
    "S3 requires 3 to 63 lower-case letters, digits, dots and hyphens, "
    "with a letter or digit at both ends"
)
_LONGEST_KEY: Final = 1024
_WAY_OUT = "write a name such as 'SourceArtifact', or an Artifact dict as boto3 returns it"
_LIST_WAY_OUT = "write a list of names such as 'SourceArtifact', or of Artifact dicts"
_MEMBERS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    # Path in an Artifact dict; allowed members; required members.
    ("", ("name", "revision", "location"), ("name",)),
    (".location", ("type", "s3Location"), ("type", "s3Location")),
    (".location.s3Location", ("bucketName", "objectKey"), ()),
)


def bucket_name(argument: str, value: object) -> str:
    """Return a bucket name that follows S3's naming rules.

    Raises:
        ValueError: with the argument, the rule and the value.
    """
    if (
        not isinstance(value, str)
        or not re.fullmatch(_BUCKET, value)
        or ".." in value
        or re.fullmatch(_IP_ADDRESS, value)
    ):
        refuse(argument, _BUCKET_RULE, value)
    return plain(value)


def object_key(argument: str, value: object) -> str:
    """Return an object key of a length that S3 accepts.

    Raises:
        ValueError: with the argument, the rule and the value.
    """
    rule = f"S3 requires 1 to {_LONGEST_KEY} bytes of UTF-8"
    if not isinstance(value, str):
        refuse(argument, rule, value)
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        refuse(argument, rule, value)
    if not 1 <= length <= _LONGEST_KEY:
        refuse(argument, rule, value)
    return plain(value)


def artifacts(
    given: object,
    kind: ArtifactKind,
    default: Sequence[str],
    *,
    stream: Stream,
    pipeline_name: str,
    bucket: str,
) -> tuple[ArtifactFacts, ...]:
    """Return a job's input or output artifacts; what the test leaves out is drawn.

    Raises:
        ValueError: naming the argument and the artifact in it, the rule and the value.
    """
    argument = f"{kind}_artifacts"
    if given is None:
        given = default
    if not isinstance(given, (list, tuple)):
        way_out = _LIST_WAY_OUT
        if isinstance(given, str):
            way_out = f"write [{given[:60]!r}]"
        elif isinstance(given, Mapping):
            way_out = (
                "artifacts have no content here: write a list of names or of Artifact dicts; "
                "cpjob.add_job(input_artifacts={name: content}) takes content"
            )
        refuse(argument, "Member must be a list", given, way_out)
    if len(given) > _MOST:
        refuse(argument, f"Member must have length less than or equal to {_MOST}", given)
    return tuple(
        [
            _artifact(f"{argument}[{number}]", one, kind, stream, pipeline_name, bucket)
            for number, one in enumerate(given)
        ]
    )


def from_source(
    artifact: ArtifactFacts, argument: str, revision: object, key: object, stream: Stream
) -> ArtifactFacts:
    """Return an input with the key and the revision that a test says its source gave it.

    `None` for the revision means what the key's kind of source has: a version id of S3's where it
    keeps the extension of the source's object, else the commit id that was drawn already.

    Raises:
        ValueError: naming the argument, the rule and the value.
    """
    values = stream.at("source", artifact.name).values
    chosen = artifact.revision
    if key is not None:
        artifact = artifact._replace(key=object_key(f"{argument}.key", key))
        if "." in artifact.key.rpartition("/")[2]:
            chosen = values.s3_version_id()
    if revision is True:
        chosen = values.commit_id()
    elif revision is False:
        chosen = None
    elif revision is not None:
        check(f"{argument}.revision", "Revision", revision)
        chosen = plain(cast("str", revision))
    return artifact._replace(revision=chosen)


def refuse_duplicates(inputs: Sequence[ArtifactFacts], outputs: Sequence[ArtifactFacts]) -> None:
    """Reject an artifact name that a job would have twice.

    Raises:
        ValueError: naming both places and the name.
    """
    seen: dict[str, str] = {}
    for argument, listed in (("input_artifacts", inputs), ("output_artifacts", outputs)):
        for number, one in enumerate(listed):
            here = f"{argument}[{number}]"
            if one.name in seen:
                rule = f"artifact names must be unique, and {seen[one.name]} has this one"
                refuse(here, rule, one.name)
            seen[one.name] = here


def _artifact(
    argument: str,
    given: object,
    kind: ArtifactKind,
    stream: Stream,
    pipeline_name: str,
    bucket: str,
) -> ArtifactFacts:
    if isinstance(given, str):
        check(argument, "ArtifactName", given)
        name = plain(given)
        location: Mapping[str, str] = {}
    elif isinstance(given, Mapping):
        name, location = _from_dict(argument, given)
    else:
        refuse(argument, "Member must be a string or a dict", given, _WAY_OUT)
    values = stream.at(kind, name).values
    key = values.artifact_object_key(pipeline_name, name)
    if isinstance(given, str):
        revision = values.commit_id() if kind == "input" else None
    else:
        revision = cast("Artifact | LambdaArtifact", given).get("revision")
        revision = None if revision is None else plain(revision)
    return ArtifactFacts(
        name, location.get("bucketName", bucket), location.get("objectKey", key), revision
    )


def _from_dict(argument: str, given: Mapping[object, object]) -> tuple[str, Mapping[str, str]]:
    """Return the name in an Artifact dict, and its bucket and key if it has them."""
    at: object = given
    for path, known, needed in _MEMBERS:
        if path:
            at = cast("Mapping[str, object]", at).get(path.rpartition(".")[2])
        if at is None:
            break
        if not isinstance(at, Mapping):
            refuse(f"{argument}{path}", "Member must be a structure", at, _WAY_OUT)
        for member in at:
            if member not in known:
                refuse(f"{argument}{path}", f"AWS has no member {str(member)[:60]!r} here", at)
        for member in needed:
            if at.get(member) is None:
                refuse(f"{argument}{path}.{member}", "Member must not be null", at, _WAY_OUT)
    check(argument, "Artifact", given)
    name = plain(cast("str", given["name"]))
    if at is None:
        return name, {}
    where, place = f"{argument}.location.s3Location", cast("Mapping[str, object]", at)
    return name, {
        "bucketName": bucket_name(f"{where}.bucketName", place["bucketName"]),
        "objectKey": object_key(f"{where}.objectKey", place["objectKey"]),
    }
