"""Terraform's `show -json`: a state, and a plan of which much is known after the apply only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_definitions import action, load

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.iam.policies import NO_RESOURCE

HERE = "arn:aws:iam::210987654321"


def resource(address: str, values: dict[str, Any]) -> dict[str, Any]:
    kind, _, name = address.rpartition("module.site.")[2].partition(".")
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "values": values,
        "sensitive_values": {},
    }


def an_action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "category": category,
        "owner": "AWS",
        "provider": provider,
        "version": "1",
        "configuration": None,
        "input_artifacts": [],
        "output_artifacts": [],
        "namespace": "",
        "region": "",
        "role_arn": None,
        "run_order": 1,
        "timeout_in_minutes": None,
        **more,
    }


def stages() -> list[dict[str, Any]]:
    return [
        {
            "name": "Source",
            "action": [
                an_action(
                    "Site",
                    "Source",
                    "S3",
                    configuration={"S3Bucket": "sources", "S3ObjectKey": "a.zip"},
                    output_artifacts=["Code"],
                )
            ],
        },
        {
            "name": "Release",
            "action": [
                an_action(
                    "Announce",
                    "Invoke",
                    "Lambda",
                    configuration={"FunctionName": "announce", "UserParameters": "hi"},
                    input_artifacts=["Code"],
                    namespace="Announced",
                )
            ],
        },
    ]


def state() -> dict[str, Any]:
    reports = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "codepipeline:PutJobSuccessResult", "Resource": "*"}
        ],
    }
    pipeline = {
        "name": "web",
        "arn": "arn:aws:codepipeline:eu-west-1:210987654321:web",
        "id": "web",
        "role_arn": f"{HERE}:role/web",
        "pipeline_type": "V2",
        "execution_mode": "SUPERSEDED",
        "artifact_store": [
            {
                "location": "web-artifacts",
                "type": "S3",
                "region": "",
                "encryption_key": [{"id": f"arn:aws:kms:eu-west-1:210987654321:key/{'1' * 8}"
                                    "-1111-1111-1111-111111111111", "type": "KMS"}],
            }
        ],
        "stage": stages(),
        "variable": [{"name": "Channel", "default_value": "beta", "description": ""}],
        "trigger": [],
    }  # fmt: skip
    return {
        "format_version": "1.0",
        "terraform_version": "1.9.0",
        "values": {
            "root_module": {
                "resources": [resource("aws_codepipeline.web", pipeline)],
                "child_modules": [
                    {
                        "address": "module.site",
                        "resources": [
                            resource(
                                "module.site.aws_lambda_function.announce",
                                {
                                    "function_name": "announce",
                                    "handler": "app.handler",
                                    "runtime": "python3.12",
                                    "role": f"{HERE}:role/announce",
                                    "filename": "announce",
                                    "timeout": 60,
                                    "environment": [{"variables": {"TABLE": "posts"}}],
                                },
                            ),
                            resource(
                                "module.site.aws_iam_role.announce",
                                {
                                    "name": "announce",
                                    "arn": f"{HERE}:role/announce",
                                    "id": "announce",
                                    "inline_policy": [],
                                    "managed_policy_arns": [],
                                },
                            ),
                            resource(
                                "module.site.aws_iam_role_policy.report",
                                {"role": "announce", "policy": json.dumps(reports)},
                            ),
                            resource(
                                "module.site.aws_iam_role_policy_attachment.logs",
                                {
                                    "role": "announce",
                                    "policy_arn": "arn:aws:iam::aws:policy/service-role/"
                                    "AWSLambdaBasicExecutionRole",
                                },
                            ),
                        ],
                    }
                ],
            }
        },
    }


def plan() -> dict[str, Any]:
    """The plan of the same: no ARNs, and references in the configuration instead."""
    document = state()
    document["planned_values"] = document.pop("values")
    [child] = document["planned_values"]["root_module"]["child_modules"]
    resources = [*document["planned_values"]["root_module"]["resources"], *child["resources"]]
    for each in resources:
        each["address"] = each["address"].removeprefix("module.site.")
        for unknown in ("arn", "id"):
            each["values"].pop(unknown, None)
    document["planned_values"]["root_module"] = {"resources": resources}
    pipeline, function, role, policy, logs = (each["values"] for each in resources)
    del pipeline["role_arn"], function["role"], policy["role"], logs["role"]
    del pipeline["stage"][1]["action"][0]["configuration"]["UserParameters"]
    del pipeline["artifact_store"][0]["encryption_key"][0]["id"]
    resources.append(resource("aws_kms_key.artifacts", {"description": "x"}))
    assert role["name"] == "announce"

    def refers(to: str) -> dict[str, Any]:
        return {"references": [to, to.rpartition(".")[0]]}

    expressions: dict[str, dict[str, Any]] = {
        "aws_codepipeline.web": {
            "role_arn": refers("aws_iam_role.pipeline.arn"),
            "artifact_store": [{"encryption_key": [{"id": refers("aws_kms_key.artifacts.arn")}]}],
            "stage": [{}, {"action": [{"configuration": {"references": ["aws_sns_topic.t.arn"]}}]}],
        },
        "aws_lambda_function.announce": {"role": refers("aws_iam_role.announce.arn")},
        "aws_iam_role_policy.report": {"role": refers("aws_iam_role.announce.id")},
        "aws_iam_role_policy_attachment.logs": {"role": refers("aws_iam_role.announce.name")},
    }
    document["configuration"] = {
        "root_module": {
            "resources": [
                {
                    "address": address,
                    "type": address.partition(".")[0],
                    "name": address.partition(".")[2],
                    "expressions": each,
                }
                for address, each in expressions.items()
            ]
        }
    }
    unknown = {"stage": [{}, {"action": [{"configuration": {"UserParameters": True}}]}]}
    document["resource_changes"] = [
        {"address": "aws_codepipeline.web", "change": {"after_unknown": unknown}}
    ]
    return document


UNKNOWN = "aws_codepipeline.web.stage[1].action[0].configuration.UserParameters"


def test_a_state_is_read() -> None:
    loaded = load(state())

    assert (loaded.region, loaded.account_id) == ("eu-west-1", "210987654321")
    assert loaded.declaration["variables"] == [{"name": "Channel", "defaultValue": "beta"}]
    assert action(loaded.declaration, "Announce") == {
        "name": "Announce",
        "actionTypeId": {
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
        },
        "runOrder": 1,
        "configuration": {"FunctionName": "announce", "UserParameters": "hi"},
        "inputArtifacts": [{"name": "Code"}],
        "outputArtifacts": [],
        "namespace": "Announced",
    }
    function = loaded.function_of("announce")
    assert function is not None
    assert function.code.environment == {"TABLE": "posts"}
    assert function.permissions is not None
    assert len(function.permissions.statements) == 2


@pytest.mark.parametrize("name", ["web", "aws_codepipeline.web"])
def test_a_pipeline_is_chosen_by_its_name_or_address(name: str) -> None:
    assert load(state(), name=name).declaration["name"] == "web"


def test_a_plan_is_read_with_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="needs what its definition does not tell") as told:
        load(plan())
    assert f"give it with parameters={{'{UNKNOWN}': ...}}" in str(told.value)

    loaded = load(plan(), parameters={UNKNOWN: "hi"})

    configuration = action(loaded.declaration, "Announce")["configuration"]
    assert configuration == {"FunctionName": "announce", "UserParameters": "hi"}
    key = loaded.declaration["artifactStore"]["encryptionKey"]["id"]
    assert key.startswith("arn:aws:kms:us-east-1:123456789012:key/")
    function = loaded.function_of("announce")
    assert function is not None
    assert function.permissions is not None
    assert {each.where for each in function.permissions.statements} == {
        "the definition: aws_iam_role_policy.report.policy.Statement[0]",
        "AWS's managed policy AWSLambdaBasicExecutionRole.Statement[0]",
    }


def judged(document: dict[str, Any], action: str) -> str:
    function = load(document, parameters={UNKNOWN: "hi"}).function_of("announce")
    assert function is not None
    assert function.permissions is not None
    return function.permissions.judge(action, NO_RESOURCE).answer


def test_a_policy_that_is_attached_to_several_roles_is_read() -> None:
    document = state()
    [child] = document["values"]["root_module"]["child_modules"]
    policy_arn = "arn:aws:iam::aws:policy/AWSCodePipelineCustomActionAccess"

    assert judged(document, "codepipeline:GetJobDetails") == "denied"
    child["resources"].append(
        resource(
            "module.site.aws_iam_policy_attachment.work",
            {"name": "work", "roles": ["other", "announce"], "policy_arn": policy_arn},
        )
    )
    assert judged(document, "codepipeline:GetJobDetails") == "allowed"


def test_a_policy_whose_role_a_plan_does_not_tell_may_be_the_functions() -> None:
    document = plan()

    assert judged(document, "codepipeline:GetJobDetails") == "denied"
    for each in document["configuration"]["root_module"]["resources"]:
        if each["address"] == "aws_iam_role_policy.report":
            each["expressions"]["role"] = {"references": ["var.role"]}
    assert judged(document, "codepipeline:GetJobDetails") == "can't tell"


def test_its_code_is_run_under_its_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "announce").mkdir()
    (tmp_path / "announce" / "app.py").write_text(
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('codepipeline').put_job_failure_result(\n"
        "        jobId=event['CodePipeline.job']['id'],\n"
        "        failureDetails={'type': 'JobFailed', 'message': 'no'},\n"
        "    )\n"
    )
    Path("state.json").write_text(json.dumps(state()), encoding="utf-8")

    with CodePipelineStub(allow=["raised", "not-permitted"]) as cpjob:
        job = cpjob.add_pipeline("state.json").add_job("Announce")
        with pytest.raises(ClientError, match="codepipeline:PutJobFailureResult"):
            job.invoke()
        assert job.facts.region == "eu-west-1"


def test_stores_of_several_regions_are_a_map() -> None:
    document = state()
    [pipeline] = document["values"]["root_module"]["resources"]
    pipeline["values"]["artifact_store"] = [
        {"location": "one", "type": "S3", "region": "eu-west-1", "encryption_key": []},
        {"location": "two", "type": "S3", "region": "us-east-1", "encryption_key": []},
    ]

    stores = load(document).declaration["artifactStores"]

    assert {region: each["location"] for region, each in stores.items()} == {
        "eu-west-1": "one",
        "us-east-1": "two",
    }


def test_a_state_without_a_pipeline_is_told() -> None:
    with pytest.raises(ValueError, match="the definition: there is no pipeline in it"):
        load({"values": {"root_module": {"resources": []}}})
