"""Pipelines as their authors write them, for tests: one declaration, and templates of its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.loader import load_definition

Change = Callable[[dict[str, Any]], None]


def kind(category: str, provider: str, owner: str = "AWS") -> dict[str, str]:
    return {"category": category, "owner": owner, "provider": provider, "version": "1"}


def names(*artifacts: str) -> list[dict[str, str]]:
    return [{"name": each} for each in artifacts]


def declaration() -> dict[str, Any]:
    """A pipeline with a source, a build, an approval, two Lambda actions and a custom action."""
    return {
        "name": "web",
        "roleArn": "arn:aws:iam::123456789012:role/web-pipeline",
        "artifactStore": {"type": "S3", "location": "web-artifacts"},
        "pipelineType": "V2",
        "variables": [{"name": "Channel", "defaultValue": "stable"}, {"name": "Owner"}],
        "stages": [
            {
                "name": "Source",
                "actions": [
                    {
                        "name": "Site",
                        "actionTypeId": kind("Source", "S3"),
                        "configuration": {"S3Bucket": "sources", "S3ObjectKey": "site.zip"},
                        "outputArtifacts": names("Code"),
                        "namespace": "Src",
                    }
                ],
            },
            {
                "name": "Build",
                "actions": [
                    {
                        "name": "Compile",
                        "actionTypeId": kind("Build", "CodeBuild"),
                        "configuration": {"ProjectName": "web-build"},
                        "inputArtifacts": names("Code"),
                        "outputArtifacts": names("Site"),
                        "namespace": "Build",
                    },
                    {
                        "name": "Docs",
                        "runOrder": 2,
                        "actionTypeId": kind("Build", "Docs", "Custom"),
                        "configuration": {"Theme": "dark"},
                        "inputArtifacts": names("Code"),
                        "outputArtifacts": names("Manual"),
                    },
                ],
            },
            {
                "name": "Release",
                "actions": [
                    {
                        "name": "Announce",
                        "actionTypeId": kind("Invoke", "Lambda"),
                        "configuration": {
                            "FunctionName": "announce",
                            "UserParameters": '{"tag": "#{Build.Tag}", "by": "#{variables.Owner}"}',
                        },
                        "inputArtifacts": names("Site", "Manual"),
                        "outputArtifacts": names("Post"),
                        "namespace": "Announced",
                    },
                    {
                        "name": "Tell",
                        "runOrder": 2,
                        "actionTypeId": kind("Invoke", "Lambda"),
                        "configuration": {
                            "FunctionName": "tell",
                            "UserParameters": "#{Announced.post} in #{variables.Channel} by"
                            " #{codepipeline.PipelineExecutionId}",
                        },
                        "inputArtifacts": names("Post"),
                    },
                ],
            },
        ],
    }


def action(given: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the action of a name in a declaration."""
    [found] = [
        each for stage in given["stages"] for each in stage["actions"] if each["name"] == name
    ]
    return found


def load(definition: object, **given: Any) -> Definition:
    """Read a definition as `cpjob.add_pipeline` does."""
    arguments: dict[str, Any] = {
        "name": None,
        "parameters": None,
        "imports": None,
        "dynamic_references": None,
        "region": None,
        "account_id": None,
        **given,
    }
    return load_definition(
        definition,
        default_region="us-east-1",
        default_account_id="123456789012",
        stream=Stream("test"),
        **arguments,
    )
