"""Beside what tests use themselves: event loops, mocks, blocked sockets, stopped clocks, unittest.

Each run here is a user's, with one plugin more and what it could break.
"""

from __future__ import annotations

import sys

import pytest
from user_projects import ACTION, BUILDS, run


@pytest.fixture
def my_action(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with a handler in it."""
    pytester.makepyfile(my_action=ACTION)
    return pytester


# -- pytest-asyncio --------------------------------------------------------------------------------


@pytest.fixture
def asyncio_ini(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")


@pytest.mark.usefixtures("asyncio_ini")
def test_an_asynchronous_test_is_served(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import asyncio
        import pytest
        import my_action

        @pytest.fixture
        async def job(cpjob):
            await asyncio.sleep(0)
            return cpjob.add_lambda_job()

        async def test_in_the_loop(cpjob, job):
            job.invoke(my_action.lambda_handler)
            assert job.status == "Succeeded"

        async def test_in_threads_of_the_loop(cpjob):
            jobs = [cpjob.add_lambda_job() for _ in range(5)]
            report = my_action.codepipeline.put_job_success_result
            await asyncio.gather(*(asyncio.to_thread(report, jobId=job.id) for job in jobs))
            assert {job.status for job in jobs} == {"Succeeded"}

        async def test_a_refusal_that_the_test_expects_is_no_finding(cpjob, job):
            with pytest.raises(my_action.codepipeline.exceptions.ClientError, match="jobId"):
                my_action.codepipeline.put_job_success_result(jobId="1234")
            my_action.codepipeline.put_job_success_result(jobId=job.id)
        """
    )
    run(my_action.path, beside="asyncio").assert_outcomes(passed=3)


@pytest.mark.usefixtures("asyncio_ini")
def test_an_asynchronous_test_has_its_findings(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import my_action

        async def test_forgets(cpjob):
            cpjob.add_lambda_job().invoke(my_action.forgets)
        """
    )

    result = run(my_action.path, beside="asyncio")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no-result: job *"])


# -- pytest-mock -----------------------------------------------------------------------------------


SPIED_ON = """
    import botocore.client
    import my_action

    ORIGINAL = botocore.client.BaseClient._make_api_call

    def test_spied_on({fixtures}):
        calls = mocker.spy(botocore.client.BaseClient, "_make_api_call")
        report = mocker.spy(my_action.codepipeline, "put_job_success_result")
        job = cpjob.add_lambda_job()
        job.invoke(my_action.lambda_handler)
        assert job.status == "Succeeded"
        assert calls.call_count == 1
        report.assert_called_once_with(jobId=job.id)

    def test_of_another_job(cpjob):
        cpjob.add_lambda_job().invoke(my_action.lambda_handler)
        assert len(cpjob.calls) == 1

    def test_then_nothing_is_left():
        assert botocore.client.BaseClient._make_api_call is ORIGINAL
"""


@pytest.mark.parametrize("fixtures", ["cpjob, mocker", "mocker, cpjob"])
def test_a_mocker_before_or_after_leaves_nothing_behind(
    my_action: pytest.Pytester, fixtures: str
) -> None:
    my_action.makepyfile(SPIED_ON.format(fixtures=fixtures))
    run(my_action.path, beside="pytest_mock").assert_outcomes(passed=3)


def test_a_call_that_a_mock_swallowed_is_missed(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import my_action

        def test_mocked_away(cpjob, mocker):
            mocker.patch.object(my_action, "codepipeline")
            cpjob.add_lambda_job().invoke(my_action.lambda_handler)
        """
    )

    result = run(my_action.path, beside="pytest_mock")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no-result: job *"])


# -- pytest-socket ---------------------------------------------------------------------------------


def test_jobs_and_artifacts_need_no_socket(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        BUILDS
        + """
    def test_other_services_are_stopped_by_us_before_a_socket_is_opened(cpjob):
        sts = my_action.boto3.client("sts", region_name="us-east-1")
        with pytest.raises(UnfakedCallError):
            sts.get_caller_identity()
        with pytest.raises(ContractError, match="unfaked-call"):
            cpjob.check()
    """
    )
    run(my_action.path, "--disable-socket", beside="socket").assert_outcomes(passed=2)


def test_the_endpoint_needs_loopback_only(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from urllib.request import urlopen

        def test_health(cpjob_endpoint):
            assert urlopen(cpjob_endpoint.url, timeout=10).status == 200
        """
    )
    run(pytester.path, "--allow-hosts=127.0.0.1", beside="socket").assert_outcomes(passed=1)


# -- time-machine, freezegun -----------------------------------------------------------------------

AT_WORK = """
    def test_a_worker_sleeps_on_the_job_clock(cpjob):
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")
        cpjob.run_worker(work)
        assert job.status == "Succeeded"
        assert [call.at for call in cpjob.calls][2] == 60

    def work():
        docs = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
        client = my_action.codepipeline
        while True:
            for job in client.poll_for_jobs(actionTypeId=docs)["jobs"]:
                client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                time.sleep(60)
                client.put_job_success_result(jobId=job["id"])
            time.sleep(30)

    def test_time_outs_follow_the_job_clock(cpjob):
        job = cpjob.add_lambda_job()
        assert datetime.datetime.now().year in (2001, 2040)
        cpjob.advance(20 * 60)
        assert job.status == "TimedOut"

    def check_afterwards():
        assert datetime.datetime.now().year not in (2001, 2040)
        assert abs(datetime.datetime.now().timestamp() - time.time()) < 60

    test_afterwards_time_goes_on = check_afterwards
"""
FROZEN = {
    "time_machine": (
        "import datetime, time, time_machine",
        "time_machine.travel({moment!r}, tick=False)",
    ),
    "freezegun": ("import datetime, time, freezegun", "freezegun.freeze_time({moment!r})"),
}


@pytest.mark.parametrize("moment", ["2001-02-03 04:05:06Z", "2040-02-03 04:05:06Z"])
@pytest.mark.parametrize("library", FROZEN)
def test_the_job_clock_is_not_the_clock_that_stands_still(
    my_action: pytest.Pytester, library: str, moment: str
) -> None:
    imports, call = FROZEN[library]
    stopped = f"@{call.format(moment=moment)}\n    def test"
    my_action.makepyfile(f"    {imports}\n" + (BUILDS + AT_WORK).replace("def test", stopped))
    run(my_action.path).assert_outcomes(passed=4)


# -- unittest --------------------------------------------------------------------------------------

CASES = """
    import sys
    import unittest
    import my_action
    from pytest_cpjob import CodePipelineStub

    class Action(unittest.TestCase):
        def setUp(self):
            self.cpjob = CodePipelineStub(seed=7)
            self.cpjob.__enter__()
            self.addCleanup(self.cpjob.__exit__, None, None, None)

        def test_reports(self):
            job = self.cpjob.add_lambda_job().invoke(my_action.lambda_handler)
            self.assertEqual(job.status, "Succeeded")

        def test_forgets(self):
            self.cpjob.add_lambda_job().invoke(my_action.forgets)

        def test_none(self):
            self.assertEqual(self.cpjob.jobs, [])

    class Within(unittest.TestCase):
        def test_a_with_block(self):
            with CodePipelineStub() as cpjob:
                cpjob.add_lambda_job().invoke(my_action.lambda_handler)
            self.assertEqual(len(cpjob.results), 1)

        def test_forgets(self):
            with self.assertRaisesRegex(AssertionError, "no-result: job "):
                with CodePipelineStub() as cpjob:
                    cpjob.add_lambda_job().invoke(my_action.forgets)

    if sys.version_info >= (3, 11):
        class Entered(unittest.TestCase):
            def setUp(self):
                self.cpjob = self.enterContext(CodePipelineStub())

            def test_reports(self):
                job = self.cpjob.add_lambda_job().invoke(my_action.lambda_handler)
                self.assertEqual(job.status, "Succeeded")
"""
CASES_PASS = 5 if sys.version_info >= (3, 11) else 4


def test_a_test_case_makes_its_stub_in_set_up(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(test_cases=CASES)

    result = run(my_action.path)

    # pytest counts what a clean-up raises as the test's own failure.
    result.assert_outcomes(passed=CASES_PASS, failed=1)
    result.stdout.fnmatch_lines(["*no-result: job *"])


def test_a_test_case_needs_no_pytest_to_run(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(test_cases=CASES)

    result = my_action.run(sys.executable, "-m", "unittest", "-v", "test_cases")

    result.stderr.fnmatch_lines(
        [
            "*ContractError: no-result: job *",
            f"Ran {CASES_PASS + 1} tests*",
            "FAILED (failures=1)",
        ]
    )


def test_a_fixture_gives_a_test_case_the_stub(my_action: pytest.Pytester) -> None:
    my_action.makepyfile(
        """
        import unittest
        import pytest
        import my_action

        class TestAction(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take_stub(self, cpjob):
                self.cpjob = cpjob

            def test_reports(self):
                job = self.cpjob.add_lambda_job().invoke(my_action.lambda_handler)
                self.assertEqual(job.status, "Succeeded")

            def test_is_refused(self):
                job = self.cpjob.add_lambda_job(allow=["no-result"])
                with self.assertRaises(my_action.codepipeline.exceptions.ValidationException):
                    my_action.codepipeline.put_job_success_result(jobId="1234")
        """
    )
    run(my_action.path).assert_outcomes(passed=2)
