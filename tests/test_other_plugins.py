"""Beside plugins that run tests elsewhere, in another order, again, or measured.

Each run here is a user's, with one plugin more and what it could break.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from user_projects import ACTION, BUILDS, documents_of, run


@pytest.fixture
def my_action(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with a handler in it."""
    pytester.makepyfile(my_action=ACTION)
    return pytester


# -- pytest-randomly, -k ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of ten tests is given in a plain run."""
    return documents_of(tmp_path_factory.mktemp("documents"))


@pytest.mark.parametrize(
    ("beside", "arguments", "count"),
    [("randomly", ["--randomly-seed=3"], 10), ("", ["-k", "7 or 3"], 2)],
    ids=["randomly", "selection"],
)
def test_documents_stay_the_same(
    tmp_path: Path, alone: dict[str, str], beside: str, arguments: list[str], count: int
) -> None:
    again = documents_of(tmp_path, *arguments, beside=beside)

    assert len(set(alone.values())) == 10
    assert len(again) == count
    assert again.items() <= alone.items()


def test_the_global_random_is_randomlys_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import random

        def test_one(cpjob, cpjob_faker, cpjob_details_factory):
            before = random.getstate()
            cpjob.add_lambda_job().event
            cpjob_faker.name()
            cpjob_details_factory()
            assert random.getstate() == before
            cpjob._harness.observer  # and the stub is the test's own
        """
    )

    result = run(pytester.path, "--randomly-seed=1", "-rE", beside="randomly")

    result.stdout.fnmatch_lines(["*no-result: job *"])
    result.assert_outcomes(failed=1)


# -- pytest-rerunfailures --------------------------------------------------------------------------

FLAKY = """
    import json
    import pytest
    import my_action

    seen = []

    @pytest.mark.flaky(reruns=2)
    def test_flaky(cpjob, cpjob_details_factory):
        job = cpjob.add_lambda_job()
        seen.append(json.dumps([job.event, cpjob_details_factory()]))
        {first}
        job.invoke(my_action.lambda_handler)
        assert len(cpjob.jobs) == len(cpjob.calls) == 1
        assert len(seen) == 2
        assert seen[0] == seen[1]
"""


@pytest.mark.parametrize(
    "first",
    ["if len(seen) == 1: assert job.status == 'Succeeded'", "if len(seen) == 1: return"],
    ids=["failed", "had-a-finding"],
)
def test_a_rerun_begins_anew_with_the_same_documents(
    my_action: pytest.Pytester, first: str
) -> None:
    my_action.makepyfile(FLAKY.format(first=first))

    result = run(my_action.path, beside="rerunfailures")

    outcomes = result.parseoutcomes()
    assert outcomes.pop("rerun") == 1
    assert outcomes.keys() == {"passed"}
    result.stdout.no_fnmatch_line("*no-result*")
    result.stdout.no_fnmatch_line("cpjob:*")


def test_a_test_that_fails_each_time_is_told_of_once(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import my_action

        def test_forgets(cpjob):
            cpjob.add_lambda_job().invoke(my_action.forgets)
        """
    )

    result = run(my_action.path, "--reruns=2", beside="rerunfailures")

    assert result.ret == 1
    assert result.stdout.str().count("\nno-result: job ") == 1
    result.stdout.fnmatch_lines(["cpjob: 1 job, findings: no-result 1"])


# -- coverage, pytest-cov --------------------------------------------------------------------------


def test_our_own_modules_are_measured_whole(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(test_builds=BUILDS)
    coverage = [sys.executable, "-m", "coverage"]
    measured = my_action.path / "measured.json"
    # Named in `source_pkgs`, a package is measured where it is installed, too.
    (my_action.path / ".coveragerc").write_text("[run]\nsource_pkgs = pytest_cpjob\n", "utf-8")

    done = my_action.run(*coverage, "run", "-m", "pytest")
    done.assert_outcomes(passed=1)
    my_action.run(*coverage, "json", "-o", measured)

    [(path, lines)] = [
        (my_action.path / name, found["executed_lines"])
        for name, found in json.loads(measured.read_text())["files"].items()
        if Path(name).parts[-2:] == ("plugin", "fixtures.py")
    ]
    source = ast.parse(path.read_text("utf-8"))
    definitions = [
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        for node in source.body
        if isinstance(node, ast.FunctionDef)
    ]
    assert set(definitions) <= set(lines)


def test_a_handler_under_invoke_is_measured(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        my_action=ACTION.partition("    def forgets")[0],
        test_builds=BUILDS.replace("my_action.lambda_handler", '"my_action.lambda_handler"'),
    )

    result = run(my_action.path, "--cov=my_action", "--cov-report=term")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["my_action.py * 100%"])
