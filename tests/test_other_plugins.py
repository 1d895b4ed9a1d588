"""Beside plugins that run tests elsewhere, in another order, again, or measured.

Each run here is a user's, with one plugin more and what it could break.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from user_projects import ACTION, BUILDS, run

# Ten tests, each of which leaves what it was given in a file of its name.
DOCUMENTS = """
    import json, os, random
    from pathlib import Path
    import pytest

    @pytest.mark.parametrize("number", range(10))
    def test_one(number, cpjob, cpjob_details_factory, cpjob_faker):
        random.random()
        job = cpjob.add_job(configuration={"Theme": "dark"})
        written = [job.details, cpjob_details_factory(), cpjob_faker.name()]
        (Path(os.environ["DOCUMENTS"]) / str(number)).write_text(json.dumps(written))
"""


@pytest.fixture
def my_action(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with a handler in it."""
    pytester.makepyfile(my_action=ACTION)
    return pytester


def documents(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
    beside: str = "",
) -> dict[str, str]:
    """What each of ten tests was given in a run."""
    pytester.makepyfile(test_documents=DOCUMENTS)
    folder = pytester.mkdir(f"documents{len(list(pytester.path.iterdir()))}")
    monkeypatch.setenv("DOCUMENTS", str(folder))
    result = run(pytester, *arguments, beside=beside)
    assert result.ret == 0
    return {path.name: path.read_text() for path in folder.iterdir()}


# -- pytest-xdist, pytest-randomly -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("beside", "arguments"),
    [
        ("", ["-n", "2"]),
        ("randomly", ["--randomly-seed=3"]),
        ("", ["-k", "7 or 3"]),
    ],
    ids=["xdist", "randomly", "selection"],
)
def test_documents_stay_the_same(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, beside: str, arguments: list[str]
) -> None:
    alone = documents(pytester, monkeypatch)
    again = documents(pytester, monkeypatch, *arguments, beside=beside)

    assert len(set(alone.values())) == 10
    assert again
    assert again.items() <= alone.items()


def test_a_random_seed_is_one_for_all_workers_and_replays(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_documents=DOCUMENTS)
    folders = [pytester.mkdir(name) for name in ("first", "second")]
    monkeypatch.setenv("DOCUMENTS", str(folders[0]))
    header = run(pytester, "-n", "2", "--cpjob-seed=random").stdout.str()
    _, _, replay = header.partition("cpjob: replay these documents with ")
    monkeypatch.setenv("DOCUMENTS", str(folders[1]))

    run(pytester, replay.split()[0]).assert_outcomes(passed=10)

    first, second = ({p.name: p.read_text() for p in folder.iterdir()} for folder in folders)
    assert first == second


def test_findings_of_all_workers_come_together(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import pytest
        import my_action

        @pytest.mark.parametrize("number", range(4))
        def test_forgets(cpjob, number):
            cpjob.add_lambda_job().invoke(my_action.forgets)

        def test_raises(cpjob):
            cpjob.add_lambda_job().invoke(lambda event, context: 1 / 0)
        """
    )

    result = run(my_action, "-n", "2")

    result.assert_outcomes(passed=4, failed=1, errors=4)
    result.stdout.fnmatch_lines(["cpjob: 5 jobs, findings: no-result 4, raised 1"])
    assert result.stdout.str().count("no-result: job ") == 4
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


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

    result = run(pytester, "--randomly-seed=1", "-rE", beside="randomly")

    result.stdout.fnmatch_lines(["*no-result: job *"])
    assert result.parseoutcomes()["passed"] == 1


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

    result = run(my_action, beside="rerunfailures")

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

    result = run(my_action, "--reruns=2", beside="rerunfailures")

    assert result.ret == 1
    assert result.stdout.str().count("no-result: job ") == 1
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

    result = run(my_action, "--cov=my_action", "--cov-report=term")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["my_action.py * 100%"])
