"""At pytest's start the plugin loads pytest and the standard library, and no AWS library."""

from __future__ import annotations

import sys

import pytest
from user_projects import run_program

pytest_plugins = ["pytester"]

HEAVY = {"aiobotocore", "boto3", "botocore", "faker", "moto"}


def run(pytester: pytest.Pytester) -> None:
    """Run the one test without the other plugins that import faker: its own, and randomly."""
    result = pytester.runpytest_subprocess("-p", "no:faker", "-p", "no:randomly")
    result.assert_outcomes(passed=1)


def test_importing_the_plugin_imports_no_aws_library() -> None:
    program = f"import sys, pytest_cpjob.plugin; print(sorted({HEAVY!r} & set(sys.modules)))"

    assert run_program(program).stdout.strip() == "[]"


def test_importing_the_plugin_imports_few_modules_beside_pythons_own() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import pytest_cpjob.plugin;"
        " print(*sorted(set(sys.modules) - before - sys.stdlib_module_names))"
    )

    imported = run_program(program).stdout.split()

    # What each start of pytest pays for: another module has to be worth it.
    assert imported == [
        "pytest_cpjob",
        "pytest_cpjob.clients",
        "pytest_cpjob.clients.import_guard",
        "pytest_cpjob.defaults",
        "pytest_cpjob.patching",
        "pytest_cpjob.plugin",
        "pytest_cpjob.plugin.current_test",
        "pytest_cpjob.plugin.fixtures",
        "pytest_cpjob.plugin.loading",
        "pytest_cpjob.plugin.options",
        "pytest_cpjob.plugin.progress",
    ]


def test_a_run_without_our_fixtures_imports_no_aws_library(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_nothing_was_imported(request):
            assert request.config.pluginmanager.has_plugin("cpjob")
            assert sorted({HEAVY!r} & set(sys.modules)) == []
        """
    )
    run(pytester)


def test_a_document_needs_faker_and_no_aws_library(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_parsing_only(cpjob_details_factory, cpjob_event_factory):
            assert cpjob_details_factory(pipeline_name="web")["jobDetails"]
            assert cpjob_event_factory()["CodePipeline.job"]
            assert sorted({(HEAVY - {"faker"})!r} & set(sys.modules)) == []
        """
    )
    run(pytester)


def test_a_job_without_artifacts_needs_neither_moto_nor_what_reads_artifacts(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import sys

        import boto3

        codepipeline = boto3.client("codepipeline", region_name="us-east-1")

        def handler(event, context):
            codepipeline.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

        def test_it_succeeds(cpjob):
            assert cpjob.add_lambda_job().invoke(handler).status == "Succeeded"
            assert not {
                "moto",
                "pytest_cpjob.artifacts.archives",
                "pytest_cpjob.artifacts.contents",
                "pytest_cpjob.contract.timeline",
                "pytest_cpjob.documents.captured",
                "pytest_cpjob.documents.type_defs",
                "pytest_cpjob.pipelines",
                "pytest_cpjob.sweeps",
            } & set(sys.modules)
        """
    )
    run(pytester)


def test_our_modules_pass_by_pytests_import_hook(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_they_are_loaded_as_python_loads_any(cpjob):
            loaders = {
                type(module.__spec__.loader).__name__
                for name, module in sys.modules.items()
                if name.startswith(("pytest_cpjob.service", "pytest_cpjob.stub"))
            }
            assert loaders == {"SourceFileLoader"}

        def test_others_are_rewritten_as_ever(request):
            assert type(sys.modules[__name__].__spec__.loader).__name__ != "SourceFileLoader"
        """
    )
    script = pytester.makepyfile(
        script="""
        import sys, pytest
        print("ended with", int(pytest.main(["-q", "-p", "no:faker", "-p", "no:randomly"])))
        ours = "pytest_cpjob.plugin.loading"
        left = [each for each in sys.meta_path if type(each).__module__ == ours]
        print("left behind", left)
        """
    )

    printed = pytester.run(sys.executable, script).stdout

    printed.fnmatch_lines(["2 passed*", "ended with 0", "left behind []"])


def test_the_plugin_adds_no_autouse_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_no_fixture_of_ours_is_used(request):
            assert not [name for name in request.fixturenames if name.startswith("cpjob")]
        """
    )
    run(pytester)
