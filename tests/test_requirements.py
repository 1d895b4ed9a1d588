"""Too old a dependency: said at its first use, with what was found and what is needed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import boto3
import botocore
import cbor2
import hypothesis
import moto
import pytest

from pytest_cpjob import CodePipelineStub, CpjobError, requirements
from pytest_cpjob.cli.parser import main
from pytest_cpjob.endpoint.server import EndpointServer
from pytest_cpjob.requirements import FLOORS, require


@pytest.mark.parametrize("module", [boto3, botocore], ids=lambda module: module.__name__)
def test_a_stub_refuses_too_old_a_boto3(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module.__name__
    monkeypatch.setattr(module, "__version__", "1.9.253")

    with pytest.raises(CpjobError) as caught:
        CodePipelineStub()

    assert str(caught.value) == (
        f"{name} 1.9.253 is too old for pytest-cpjob, which needs {name} {FLOORS[name]} or later\n"
        f"- way out: pip install --upgrade '{name}>={FLOORS[name]}'"
    )


def test_moto_is_asked_for_its_version_once_artifacts_need_it(
    cpjob: CodePipelineStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto, "__version__", "4.2.14")
    cpjob.add_job()

    with pytest.raises(CpjobError, match=r"^moto 4\.2\.14 is too old .* needs moto 5\.0\.16 or"):
        cpjob.add_job(input_artifacts=["Source"])

    assert len(cpjob.jobs) == 1


def test_hypothesis_is_asked_for_its_version_where_strategies_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    importlib.import_module("pytest_cpjob.strategies")
    monkeypatch.delitem(sys.modules, "pytest_cpjob.strategies.values")
    monkeypatch.setattr(hypothesis, "__version__", "6.111.2")

    with pytest.raises(CpjobError, match=r"^hypothesis 6\.111\.2 is too old "):
        importlib.import_module("pytest_cpjob.strategies.values")


def test_cbor2_is_asked_for_its_version_where_the_endpoint_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cbor2, "__version__", "5.6.4", raising=False)

    with pytest.raises(CpjobError, match=r"^cbor2 5\.6\.4 is too old "):
        EndpointServer()


def test_pyyaml_is_asked_for_its_version_where_jobs_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = requirements._installed
    monkeypatch.setattr(
        requirements, "_installed", lambda name: "5.4" if name == "pyyaml" else installed(name)
    )
    path = tmp_path / "jobs.yaml"
    path.write_text("{}", "utf-8")

    assert main(["serve", "--jobs", str(path)]) == 2

    assert "pyyaml 5.4 is too old " in capsys.readouterr().err


def test_what_was_not_imported_yet_is_asked_of_its_metadata(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import importlib.metadata

        installed = importlib.metadata.version
        importlib.metadata.version = lambda name: (
            "1.20.0" if name == "botocore" else "29.1" if name == "faker" else installed(name)
        )
        """
    )
    pytester.makepyfile(
        """
        def test_documents(cpjob_details_factory):
            cpjob_details_factory()

        def test_faker(cpjob_faker):
            pass
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:faker", "-p", "no:randomly")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "E  *CpjobError: botocore 1.20.0 is too old for pytest-cpjob, which needs botocore *",
            "E  *CpjobError: faker 29.1 is too old for pytest-cpjob, which needs faker 30.0.0 or*",
        ]
    )


def test_a_version_may_leave_out_its_last_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "__version__", "8.0")

    require("pytest")


@pytest.mark.parametrize("version", ["5.0.16", "5.0.16.post1", "5.1", "5.10.0.dev3", "6", "main"])
def test_what_is_new_enough_or_says_no_number_passes(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto, "__version__", version)

    require("moto")


@pytest.mark.parametrize("version", ["5.0.15", "5.0", "4.99.99", "5.0.15.post9"])
def test_versions_are_compared_number_by_number(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto, "__version__", version)

    with pytest.raises(CpjobError, match="is too old"):
        require("moto")
