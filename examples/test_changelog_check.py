"""The tests of `changelog_check`, and how one line of them finds out `changelog_check_warm`.

`cpjob_warm` runs a test twice: as it is, and with the handler run for another job of the same kind
before, in the same process.
"""

from __future__ import annotations

import changelog_check
import changelog_check_warm
import pytest

from pytest_cpjob import CodePipelineStub, ContractError, Job, JobFailure, JobSuccess

CHANGELOG = "# Changes\n\n## 1.2.0\n\n- Faster.\n"


def add_job(cpjob: CodePipelineStub, changelog: str = CHANGELOG) -> Job:
    return cpjob.add_lambda_job(
        user_parameters="1.2.0", input_artifacts={"Source": {"CHANGELOG.md": changelog}}
    )


@pytest.mark.cpjob_warm
def test_a_version_with_an_entry_passes(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob)

    job.invoke(changelog_check.lambda_handler)

    assert job.success == JobSuccess()


@pytest.mark.cpjob_warm
def test_a_version_without_an_entry_does_not(cpjob: CodePipelineStub) -> None:
    job = add_job(cpjob, changelog="## 1.1.0\n\n## 1.2.0rc1\n")

    job.invoke(changelog_check.lambda_handler)

    assert job.failure == JobFailure("JobFailed", "CHANGELOG.md has no entry for 1.2.0")


def test_the_mistake_is_not_seen_by_one_job(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelog_check_warm, "s3", None)  # a cold start
    job = add_job(cpjob)

    job.invoke(changelog_check_warm.lambda_handler)

    assert job.success == JobSuccess()


@pytest.mark.cpjob_warm("warm")
def test_the_mistake_is_found_out_by_the_second_job(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelog_check_warm, "s3", None)
    job = add_job(cpjob)

    job.invoke(changelog_check_warm.lambda_handler)

    assert "AccessDenied" in job.failure.message
    with pytest.raises(ContractError, match="another job's artifactCredentials") as caught:
        cpjob.check()
    assert caught.value.names == ("own-role",)
