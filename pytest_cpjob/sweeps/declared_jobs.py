"""Variations of the jobs that a pipeline's definition makes.

Their inputs are objects that other actions have written. A variation gives such a job objects of
its own, so that the other actions, and the artifacts of the execution, stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_cpjob.artifacts.archives import read_files
from pytest_cpjob.artifacts.contents import InputContent
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.errors import ArtifactError
from pytest_cpjob.service.jobs import Kind

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import Artifact


def vary_declared(
    change: Callable[[Kind, dict[str, Any]], None],
    kind: Kind,
    arguments: dict[str, Any],
    inputs: Sequence[Artifact],
    store: ArtifactStore,
    values: Draws,
) -> list[Artifact]:
    """Change the arguments of a definition's job, in place; return its inputs' places.

    Args:
        change: what a variation changes.
        inputs: the places that the definition gives.
        values: draws the keys of new objects.
    """
    given = arguments["contents"]
    found: dict[str, InputContent] = {
        each["name"]: given[each["name"]] if each["name"] in given else _content(each, store)
        for each in inputs
    }
    arguments["contents"] = dict(found)
    change(kind, arguments)
    places = {each["name"]: each for each in inputs}
    changed: dict[str, InputContent] = {}
    moved: list[Artifact] = []
    for name, content in arguments["contents"].items():
        if name in found and content is found[name]:
            moved.append(places[name])
            if name in given:
                changed[name] = content
        else:
            changed[name] = content
            moved.append(_place(name, places.get(name), arguments, values))
    arguments["contents"] = changed
    return moved


def _content(artifact: Artifact, store: ArtifactStore) -> InputContent:
    """Return what an input holds: its files, its bytes if it is no archive, None if it has none."""
    place = artifact["location"]["s3Location"]
    facts = ArtifactFacts(artifact["name"], place["bucketName"], place["objectKey"], None)
    content = store.get(facts) if facts.bucket in store.buckets else None
    if content is None:
        return None
    try:
        return read_files(content, what=facts.name)
    except ArtifactError:
        return content


def _place(
    name: str, original: Artifact | None, arguments: dict[str, Any], values: Draws
) -> Artifact:
    """Return a place for a changed input, or for one that the definition does not have."""
    key = values.artifact_object_key(str(arguments["pipeline_name"]), name)
    if original is None:
        bucket = str(arguments["artifact_bucket"])
        return {
            "name": name,
            "location": {"type": "S3", "s3Location": {"bucketName": bucket, "objectKey": key}},
        }
    moved = copy.deepcopy(original)
    place = moved["location"]["s3Location"]
    ending = ".zip" if place["objectKey"].endswith(".zip") else ""
    place["objectKey"] = key + ending
    return moved
