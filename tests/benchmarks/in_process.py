"""The rows of one process: documents, calls, stubs, whole tests, queues, checks."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cpjob.aws.environment import hide_machine, variables_of_machine
from pytest_cpjob.patching import Undo
from tests.benchmarks import sides
from tests.benchmarks.action import by_hand
from tests.benchmarks.measuring import Row, alone, always, compared


def rows(parts: str) -> Iterator[Row]:
    """Measure the parts of these letters, on a machine that has something configured."""
    undo = Undo()
    hide_machine(undo, "us-east-1", variables_of_machine())
    try:
        for letter, measure in {"b": documents, "c": calls, "d": stubs, "e": whole_tests}.items():
            if letter in parts:
                yield from measure()
        if "h" in parts:
            yield from watching()
    finally:
        undo.all()


def documents() -> Iterator[Row]:
    """(b) One GetJobDetails document."""
    ours, what = always(sides.make_document), "a GetJobDetails document"
    yield compared(
        "b", what, "`copy.deepcopy` of it", ours, always(sides.copied), budget=2.0, inner=500
    )
    polyfactory = always(sides.by_polyfactory())
    yield compared("b", what, "polyfactory's, of types-boto3's shape", ours, polyfactory, inner=20)


def calls() -> Iterator[Row]:
    """(c) One answered call."""
    answer = sides.make_document()
    by_stubber = sides.stubbed("get_job_details", answer, jobId=answer["jobDetails"]["id"])
    what, docs = "an answered GetJobDetails", ["Build", "Custom", "Docs", "1"]
    yield compared(
        "c", what, "botocore's Stubber", sides.answered_call, by_stubber, budget=0.40, inner=300
    )
    poll = dict(zip(("category", "owner", "provider", "version"), docs, strict=True))
    yield compared(
        "c",
        "an answered PollForJobs, empty",
        "botocore's Stubber",
        sides.empty_poll,
        sides.stubbed("poll_for_jobs", {"jobs": []}, actionTypeId=poll),
        budget=0.30,
        inner=300,
    )
    yield compared("c", what, "a call to moto", sides.answered_call, sides.call_to_moto, inner=50)


def stubs() -> Iterator[Row]:
    """(d) Entering and leaving a stub, without and with artifacts.

    The yardstick is a `mock_aws` that was used before: each start then resets what it has loaded.
    """
    sides.with_artifacts_by_hand()
    yield compared(
        "d",
        "enter and leave `cpjob`",
        "`mock_aws`",
        always(sides.enter_and_leave),
        always(sides.enter_and_leave_moto),
        budget=1 / 50,
        inner=50,
        is_first=True,
    )
    yield alone(
        "d",
        "enter and leave with an artifact",
        always(sides.with_artifacts),
        budget=0.001,
        inner=20,
        is_first=True,
    )
    yield compared(
        "d",
        "the same with an artifact",
        "`mock_aws`, a bucket, a put",
        always(sides.with_artifacts),
        always(sides.with_artifacts_by_hand),
        inner=5,
    )


def whole_tests() -> Iterator[Row]:
    """(e) One whole Lambda test, one without artifacts, and a whole pipeline."""
    yield alone(
        "e",
        "a Lambda test without artifacts",
        always(sides.short_test),
        budget=0.0007,
        inner=50,
        is_first=True,
    )
    yield compared(
        "e",
        "a whole Lambda test, zip in and out",
        "wired by hand on `mock_aws`",
        always(sides.whole_test),
        always(by_hand),
        budget=1 / 20,
        inner=5,
        is_first=True,
    )
    yield alone(
        "e",
        "a run of a pipeline with five stages, warm",
        sides.pipeline_run,
        budget=0.15,
        rounds=7,
        is_first=True,
    )


def watching() -> Iterator[Row]:
    """(h) What the contract's checks and the record cost."""
    for what, work, inner in (
        ("a Lambda test without artifacts", sides.short_test, 50),
        ("a whole Lambda test, zip in and out", sides.whole_test, 10),
    ):
        ours, theirs = always(work), sides.unchecked(work)
        yield compared("h", what, "without the contract's checks", ours, theirs, inner=inner)
    yield compared(
        "h",
        "an answered GetJobDetails",
        "without the record",
        sides.answered_call,
        sides.unrecorded_call,
        inner=300,
    )
