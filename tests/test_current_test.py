"""The `cpjob` fixture belongs to the test that asks for it, whatever else runs in the process."""

from __future__ import annotations

import pytest

from pytest_cpjob.plugin import current_test

INNER = """
import pytest

def test_inner(cpjob):
    assert cpjob.add_lambda_job().id
    {end}
"""


@pytest.mark.parametrize("end", ["pass", "pytest.exit('enough')", "raise RuntimeError"])
def test_a_run_inside_a_test_leaves_the_test_its_own(
    end: str, pytester: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    pytester.makepyfile(INNER.format(end=end))
    pytester.runpytest_inprocess("-p", "no:cacheprovider")

    cpjob = request.getfixturevalue("cpjob")

    assert cpjob._harness.settings.test_id == request.node.nodeid


def test_a_run_inside_a_test_may_load_the_plugin_from_its_conftest(
    pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest("pytest_plugins = ['pytest_cpjob.plugin']")
    pytester.makepyfile(INNER.format(end="pass"))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)

    cpjob = request.getfixturevalue("cpjob")

    assert cpjob._harness.settings.test_id == request.node.nodeid


def test_each_test_has_documents_of_its_own_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        seen = {}

        @pytest.mark.parametrize("number", range(3))
        def test_drawn(cpjob, number):
            seen[number] = cpjob.add_job().id

        def test_late(request):
            seen["late"] = request.getfixturevalue("cpjob").add_job().id

        def test_all_differ():
            assert len(set(seen.values())) == 4
        """
    )
    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=5)


def test_fixtures_that_use_it_end_before_it_and_earlier_ones_after_it(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest

        stubs = []

        @pytest.fixture
        def earlier():
            yield
            with pytest.raises(Exception, match="not active"):
                stubs[-1].add_job()

        @pytest.fixture
        def later(cpjob):
            stubs.append(cpjob)
            yield
            cpjob.add_job()

        @pytest.mark.parametrize("number", range(2))
        def test_order(earlier, later, number):
            pass
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_a_plugin_that_sets_up_no_test_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_test, "_item", None)

    with pytest.raises(LookupError, match="with CodePipelineStub"):
        current_test.current_test()
