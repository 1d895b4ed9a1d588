"""The tests of a whole pipeline, `site_release/template.yaml`, run in memory.

The two Lambda functions run from where the template says their code is; the custom action's worker
is named. Source, build and deployment are stand-ins.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import translation_worker
from botocore.exceptions import ClientError

from pytest_cpjob import CodePipelineStub, ContractError, Pipeline, StandIn

TEMPLATE = Path(__file__).parent / "site_release" / "template.yaml"
GOOD = {"index.html": '<a href="about.html">Hello</a>', "about.html": "<p>Hello</p>"}


def add_pipeline(cpjob: CodePipelineStub, **arguments: Any) -> Pipeline:
    return cpjob.add_pipeline(TEMPLATE, **arguments)


def performers(pages: Mapping[str, str] = GOOD) -> dict[str, Any]:
    return {
        "Render": StandIn(
            output_artifacts={"Site": pages}, output_variables={"Url": "https://example.com"}
        ),
        "Translate": translation_worker.main,
    }


def test_a_good_site_is_released(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).run(performers())

    assert execution.status == "Succeeded"
    assert len(execution.actions["Links"].jobs) == 2
    assert execution.actions["Links"].output_variables == {"pages": "2"}
    assert execution.actions["Translate"].resolved_configuration == {
        "Language": "de",
        "Pages": "2",
    }
    assert execution.artifacts["Translated"].files["about.html"] == b"<p>Hallo</p>"


def test_the_language_is_a_variable_of_the_pipeline(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).run(performers(), variables={"Language": "fr"})

    assert execution.artifacts["Translated"].files["about.html"] == b"<p>Bonjour</p>"


def test_one_check_fails_and_the_other_goes_on_to_its_end(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).run(performers({**GOOD, "about.html": "<p>I recieve it</p>"}))

    assert execution.status == "Failed"
    assert execution.actions["Spelling"].error_message == "about.html: recieve"
    assert execution.actions["Links"].status == "Succeeded"
    assert execution.actions["Translate"].status is None


def test_a_retry_runs_only_what_has_failed(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).run(performers(), variables={"Language": "nl"})
    assert execution.actions["Translate"].error_code == "ConfigurationError"

    translation_worker.WORDS["nl"] = {b"Hello": b"Hallo"}
    try:
        execution.retry("Check")
    finally:
        del translation_worker.WORDS["nl"]

    assert execution.status == "Succeeded"
    assert [each.status for each in execution.actions["Translate"].attempts] == [
        "Failed",
        "Succeeded",
    ]
    assert len(execution.actions["Links"].attempts) == 1


@pytest.mark.cpjob_action_orders("Check/Links", "Check/Spelling")
def test_the_order_of_the_checks_does_not_matter(cpjob: CodePipelineStub) -> None:
    assert add_pipeline(cpjob).run(performers()).status == "Succeeded"


@pytest.mark.cpjob_stage_retries("Check/Links", calls=2)
def test_a_retry_repairs_whatever_call_of_the_check_fails(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).run(performers())

    assert execution.status == "Succeeded"
    assert execution.artifacts["Translated"].files["about.html"] == b"<p>Hallo</p>"


def test_the_editor_rejects_it(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).start(performers())
    cpjob.advance(60)  # the links' second page comes 30 seconds after the first
    assert execution.actions["Editor"].status == "InProgress"

    execution.approve("Editor", "Rejected", "Hallo sounds wrong")

    assert execution.status == "Failed"
    assert execution.actions["Deploy/Bucket"].status is None


def test_it_is_stopped_while_it_waits_for_the_editor(cpjob: CodePipelineStub) -> None:
    execution = add_pipeline(cpjob).start(performers())
    cpjob.advance(60)

    execution.stop(abandon=True, reason="not on a Friday")

    assert (execution.status, execution.status_summary) == ("Stopped", "not on a Friday")
    assert execution.actions["Editor"].status == "Abandoned"


def test_an_artifact_that_was_renamed_in_the_template_is_found(
    cpjob: CodePipelineStub, tmp_path: Path
) -> None:
    """The functions look for `Site`, which the template now calls `Html`."""
    pipeline = cpjob.add_pipeline(changed(tmp_path, "Name: Site}", "Name: Html}"))
    render = StandIn(output_variables={"Url": "https://example.com"})

    execution = pipeline.run({**performers(), "Render": render, "Spelling": StandIn()})

    assert execution.status == "Failed"
    assert execution.actions["Links"].error_message == "there is no artifact Site, only Html"


def test_a_function_that_may_not_report_is_found(cpjob: CodePipelineStub, tmp_path: Path) -> None:
    policy = "CodePipelineLambdaExecutionPolicy: {}"
    pipeline = cpjob.add_pipeline(changed(tmp_path, policy, "S3ReadPolicy: {BucketName: www}"))

    with pytest.raises(ClientError, match="AccessDeniedException"):
        pipeline.run({**performers(), "Spelling": StandIn()})

    with pytest.raises(ContractError, match="not-permitted"):
        cpjob.check()


def changed(folder: Path, old: str, new: str) -> Path:
    """Return a copy of the template, its functions beside it, with something changed."""
    copied = shutil.copytree(TEMPLATE.parent, folder / "site_release") / TEMPLATE.name
    text = copied.read_text(encoding="utf-8")
    assert old in text
    copied.write_text(text.replace(old, new), encoding="utf-8")
    return copied
