"""A captured document, real or redacted, read as the arguments that would have made its job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from pytest_cpjob.documents.facts import LAMBDA, ActionType
from pytest_cpjob.documents.refusals import check, refuse

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact

_DOCUMENTS: Final = (
    "give a Lambda event, an answer of GetJobDetails or GetThirdPartyJobDetails, or an element of"
    " PollForJobs' jobs, as a dict"
)
_PIPELINE_ARN: Final = re.compile(r"arn:[a-z-]+:codepipeline:([a-z0-9-]+):(\d{12}):.+")
_ARN: Final = re.compile(r"arn:[a-z-]+:[a-z]+:([a-z0-9-]+):\d{12}:.+")
_BUCKET: Final = re.compile(r"codepipeline-([a-z]{2}(?:-[a-z]+)+-\d)-.+")
_EXECUTION_IDS: Final = {
    # Where in the pipeline's context; the fact; its shape.
    ("pipelineExecutionId",): ("pipeline_execution_id", "PipelineExecutionId"),
    ("action", "actionExecutionId"): ("action_execution_id", "ActionExecutionId"),
}


class CapturedDocument(NamedTuple):
    """What a document says of its job; what it does not say is absent.

    Attributes:
        kind: which of the `add_*` methods adds such jobs.
        arguments: what that method would have been called with.
        inputs: the input artifacts by name, each with its bucket, key and revision.
        executions: the facts that no argument gives.
        nonce: of the hand-out that it was captured from.
    """

    kind: Literal["custom", "third-party", "lambda"]
    arguments: dict[str, Any]
    inputs: dict[str, Artifact]
    executions: dict[str, Any]
    nonce: str | None


def read_document(
    document: object, *, region: str | None, default_region: str, default_account_id: str
) -> CapturedDocument:
    """Read a document of AWS's, in any of its four forms; members it should not have are ignored.

    Raises:
        ValueError: it is none of them, or a member is missing or cannot be; the text names it.
    """
    job, is_event = _job(document)
    data = _mapping(job, "data")
    action_type = LAMBDA if is_event else ActionType.parse(_known(data, "actionTypeId"))
    context = _mapping(data, "pipelineContext", optional=True)
    configuration = _mapping(data, "actionConfiguration", optional=True).get("configuration") or {}
    inputs = [_artifact(one) for one in data.get("inputArtifacts") or ()]
    outputs = [_artifact(one) for one in data.get("outputArtifacts") or ()]
    key = _mapping(data, "encryptionKey", optional=True).get("id")
    arn = _PIPELINE_ARN.fullmatch(str(context.get("pipelineArn")))
    arguments = {
        "job_id": job["id"],
        "account_id": job.get("accountId") or (arn[2] if arn else default_account_id),
        "region": region or _region(arn, [*inputs, *outputs], key, configuration) or default_region,
        "pipeline_name": context.get("pipelineName"),
        "stage_name": _mapping(context, "stage", optional=True).get("name"),
        "action_name": _mapping(context, "action", optional=True).get("name"),
        "action_type": action_type,
        "configuration": configuration,
        "output_artifacts": outputs,
        "encryption_key": key,
        "continuation_token": data.get("continuationToken"),
    }
    nonce = job.get("nonce")
    if nonce is not None:
        check("document: nonce", "Nonce", nonce)
    return CapturedDocument(
        _kind(action_type), arguments, {one["name"]: one for one in inputs}, _ids(context), nonce
    )


def _job(document: object) -> tuple[Mapping[str, Any], bool]:
    """Return the one job of a document, and whether it came as a Lambda event."""
    found: object = document
    is_event = False
    if isinstance(document, Mapping):
        if "CodePipeline.job" in document:
            found, is_event = document["CodePipeline.job"], True
        elif "jobDetails" in document:
            found = document["jobDetails"]
        elif isinstance(document.get("jobs"), (list, tuple)):
            jobs = document["jobs"]
            if len(jobs) != 1:
                rule = f"the answer of PollForJobs has {len(jobs)} jobs"
                refuse("document", rule, document, "give one element of its jobs")
            found = jobs[0]
    if not isinstance(found, Mapping) or "data" not in found or found.get("id") is None:
        kind = type(document).__name__
        raise ValueError(f"document: this {kind} is not a document of a job; {_DOCUMENTS}")
    return found, is_event


def _kind(action_type: ActionType) -> Literal["custom", "third-party", "lambda"]:
    if action_type == LAMBDA:
        return "lambda"
    return "third-party" if action_type.owner == "ThirdParty" else "custom"


def _mapping(parent: Mapping[str, Any], name: str, *, optional: bool = False) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is None and optional:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"document: {name}: Member must be a structure; {_DOCUMENTS}")
    return value


def _known(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an action type without what older captures have besides, such as `__type`."""
    return {key: value for key, value in _mapping(data, name).items() if key in ActionType._fields}


def _artifact(given: object) -> Artifact:
    """Return an artifact with those members that AWS's model has."""
    if not isinstance(given, Mapping):
        raise ValueError("document: an artifact: Member must be a structure")
    place = _mapping(_mapping(given, "location"), "s3Location")
    artifact: dict[str, Any] = {
        "name": given.get("name"),
        "location": {
            "type": "S3",
            "s3Location": {name: place.get(name) for name in ("bucketName", "objectKey")},
        },
    }
    if given.get("revision") is not None:
        artifact["revision"] = given["revision"]
    check("document: artifact", "Artifact", artifact)
    return cast("Artifact", artifact)


def _ids(context: Mapping[str, Any]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for path, (fact, shape) in _EXECUTION_IDS.items():
        value: Any = context
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            check(f"document: {'.'.join(path)}", shape, value)
            ids[fact] = value
    return ids


def _region(
    arn: re.Match[str] | None,
    artifacts: list[Artifact],
    key: object,
    configuration: Mapping[str, Any],
) -> str | None:
    """Return the region that a document tells: its pipeline's, bucket's, key's or function's."""
    if arn is not None:
        return arn[1]
    for artifact in artifacts:
        found = _BUCKET.fullmatch(artifact["location"]["s3Location"]["bucketName"])
        if found is not None:
            return found[1]
    for named in (key, configuration.get("FunctionName")):
        found = _ARN.fullmatch(str(named))
        if found is not None:
            return found[1]
    return None
