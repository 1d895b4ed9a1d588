"""What a test made is gone with its teardown's report: a long run stays as small as a short one."""

from __future__ import annotations

import gc

import boto3
import pytest

from pytest_cpjob import CodePipelineStub

CLIENT = boto3.client("codepipeline", region_name="us-east-1")
TESTS = """
    import gc
    import tracemalloc
    import weakref

    import tempfile
    import boto3
    import pytest
    from pytest_cpjob.contract import left_files

    CLIENT = boto3.client("codepipeline", region_name="us-east-1")
    HELD = []
    SIZES = []

    def handler(event, context):
        CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

    @pytest.fixture
    def plain():
        '''What pytest itself keeps of a test with one fixture.'''

    def size():
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def test_begins(tmp_path):
        # What other processes write into the machine's is looked through as well.
        left_files._LAMBDAS = tempfile.tempdir = str(tmp_path)
        tracemalloc.start()
"""


def test_a_stub_is_gone_once_its_test_is_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TESTS
        + """
    @pytest.mark.parametrize("passes", [True, False])
    def test_uses_it(cpjob, passes):
        job = cpjob.add_lambda_job(input_artifacts={"Source": {"big": bytes(100_000)}})
        HELD.append(weakref.ref(cpjob._harness))
        job.invoke(handler)
        assert passes

    def test_nothing_is_left():
        gc.collect()
        assert [held() for held in HELD[:1]] == [None]
    """
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:faker")

    result.assert_outcomes(passed=3, failed=1)


def test_a_test_keeps_less_than_half_a_kilobyte_more_than_a_plain_one(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        TESTS
        + """
    @pytest.mark.parametrize("number", range(120))
    def test_plain(plain, number):
        if number in (20, 119):
            SIZES.append(size())

    @pytest.mark.parametrize("number", range(120))
    def test_uses_it(cpjob, number):
        cpjob.add_lambda_job().invoke(handler)
        if number == 20:
            SIZES.append(size())

    def test_ends():
        begun, plain, mine = SIZES[0], SIZES[1], SIZES[2]
        kept_plain = (plain - begun) / 99
        kept = (size() - mine) / 99
        assert kept - kept_plain < 512, (kept, kept_plain)
    """
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:faker", "-x")

    result.assert_outcomes(passed=242)


@pytest.mark.parametrize("with_artifacts", [False, True])
def test_a_stub_leaves_nothing_to_the_garbage_collector(*, with_artifacts: bool) -> None:
    def use_one() -> None:
        artifacts = {"input_artifacts": ["Source"]} if with_artifacts else {}
        with CodePipelineStub() as cpjob:
            job = cpjob.add_lambda_job(**artifacts)
            job.invoke(
                lambda event, context: CLIENT.put_job_success_result(
                    jobId=event["CodePipeline.job"]["id"]
                )
            )
            assert len(job.calls) == 1

    use_one()  # what is made once a process may leave something
    gc.collect()
    gc.disable()
    try:
        use_one()

        assert gc.collect() == 0
    finally:
        gc.enable()
