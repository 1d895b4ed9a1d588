"""The variations of sweeps: other jobs, faults, starts, orders and retries.

Each variation changes the arguments of `add_job` and similar methods, sets up a fault, or both.
All of them are jobs that AWS could send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, content_of, holding
from pytest_cpjob.artifacts.hostile import HOSTILE_ARTIFACTS
from pytest_cpjob.settings import OptionError

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.contents import InputContent
    from pytest_cpjob.documents.facts import JobFacts
    from pytest_cpjob.service.jobs import Kind

Arguments = dict[str, Any]
"""The arguments of one of the `add_*` methods; `contents` has those of the inputs, by name."""


def _nothing(kind: Kind, arguments: Arguments) -> None:
    """Change nothing: keep the job as the test wrote it."""


def _as_it_is(facts: JobFacts) -> JobFacts:
    return facts


class UnfitSweepError(OptionError):
    """A sweep names what the pipelines of its test do not have; seen when the test runs.

    Attributes:
        marker: the name of the sweep's marker.
        reason: what does not fit.
    """

    def __init__(self, marker: str, reason: str) -> None:
        super().__init__(marker, reason)
        self.marker = marker
        self.reason = reason

    def __str__(self) -> str:
        return f"@pytest.mark.{self.marker}: {self.reason}"


class Variation(NamedTuple):
    """One run of a swept test.

    Attributes:
        name: the name in the test's id.
        change: changes the arguments of a job, in place.
        change_facts: returns the changed facts of a job.
        fault: operation, error, service and whether it takes effect, as `fail` takes them; it
            also applies to the matching operation of partners.
        warm: whether the handler is first run for another job.
        marker: the marker that has selected it.
        action: the action that it is for, by `Stage/Action` or its name; None for every job.
        order: in which order parallel actions of a run are performed.
        failing_call: which of the action's calls fails, counted from 1, before its stage is
            retried; 0 for none.
        is_lost: whether that call takes effect, and only its answer is lost.
    """

    name: str
    change: Callable[[Kind, Arguments], None] = _nothing
    change_facts: Callable[[JobFacts], JobFacts] = _as_it_is
    fault: tuple[str, str, str, bool] | None = None
    warm: bool = False
    marker: str = ""
    action: str | None = None
    order: tuple[str, ...] = ()
    failing_call: int = 0
    is_lost: bool = False

    def __str__(self) -> str:
        return self.name

    def is_for(self, stage: str, action: str) -> bool:
        """Whether it is for an action's jobs."""
        return self.action in (None, action, f"{stage}/{action}")

    @property
    def changes_arguments(self) -> bool:
        """Whether it changes a job's arguments."""
        return self.change is not _nothing

    @property
    def has_fault(self) -> bool:
        """Whether calls run into a fault."""
        return self.fault is not None or self.failing_call > 0

    @property
    def faulty_operations(self) -> tuple[str, ...]:
        """The operations with the fault: the one of workers, and the matching one of partners."""
        if self.fault is None:
            return ()
        operation = self.fault[0]
        twin = operation.replace("Job", "ThirdPartyJob")  # S3 operations do not contain "Job"
        return tuple(dict.fromkeys((operation, twin)))


def _with_key(kind: Kind, arguments: Arguments) -> None:
    if arguments["encryption_key"] is None:
        arguments["encryption_key"] = True


def _in_region(region: str) -> Callable[[Kind, Arguments], None]:
    def change(kind: Kind, arguments: Arguments) -> None:
        # A key that the test names belongs to its own region.
        if arguments["region"] is None and not isinstance(arguments["encryption_key"], str):
            arguments["region"] = region

    return change


def _without_user_parameters(kind: Kind, arguments: Arguments) -> None:
    if kind == "lambda":
        arguments["user_parameters"] = None
        configuration = arguments["configuration"]
        if isinstance(configuration, Mapping):
            arguments["configuration"] = {
                key: text for key, text in configuration.items() if key != "UserParameters"
            }


def _resumed(kind: Kind, arguments: Arguments) -> None:
    if arguments["continuation_token"] is None:
        arguments["continuation_token"] = (
            '{"previous_job_id": "11111111-abcd-1111-abcd-111111abcdef"}'
        )


def _longest_names(kind: Kind, arguments: Arguments) -> None:
    for name, length in (("pipeline_name", 100), ("stage_name", 100), ("action_name", 100)):
        if arguments[name] is None:
            arguments[name] = f"{name.replace('_', '-')}-".ljust(length, "x")
    if arguments["artifact_bucket"] is None:
        arguments["artifact_bucket"] = "codepipeline-".ljust(63, "x")


def _reversed(kind: Kind, arguments: Arguments) -> None:
    arguments["contents"] = dict(reversed(arguments["contents"].items()))
    if arguments["output_artifacts"] is not None:
        arguments["output_artifacts"] = list(reversed(arguments["output_artifacts"]))


def _with_another_input(kind: Kind, arguments: Arguments) -> None:
    if len(arguments["contents"]) < 5:
        arguments["contents"] = {"AnotherArtifact": SAMPLE_SOURCE, **arguments["contents"]}


def _with_unicode_file(kind: Kind, arguments: Arguments) -> None:
    contents: dict[str, InputContent] = {}
    for name, given in arguments["contents"].items():
        content = content_of(given)
        if isinstance(content, dict):
            content = {**content, "übersicht/日本語.txt": "unicode"}
        contents[name] = holding(given, content)
    arguments["contents"] = contents


def _inputs_are(content: bytes | None) -> Callable[[Kind, Arguments], None]:
    def change(kind: Kind, arguments: Arguments) -> None:
        arguments["contents"] = {
            name: holding(given, content) for name, given in arguments["contents"].items()
        }

    return change


def _without_revisions(facts: JobFacts) -> JobFacts:
    return facts._replace(inputs=tuple(each._replace(revision=None) for each in facts.inputs))


PLAIN: Final = Variation("plain")

JOB_VARIANTS: Final = (
    PLAIN,
    Variation("encryption-key", _with_key),
    Variation("without-user-parameters", _without_user_parameters),
    Variation("null-revision", change_facts=_without_revisions),
    Variation("artifacts-reversed", _reversed),
    Variation("another-input-first", _with_another_input),
    Variation("continuation-token", _resumed),
    Variation("aws-cn", _in_region("cn-north-1")),
    Variation("aws-us-gov", _in_region("us-gov-west-1")),
    Variation("longest-names", _longest_names),
    Variation("unicode-file-name", _with_unicode_file),
)
"""Other documents that AWS could send for the same job."""

FAULTS: Final = (
    Variation("details-throttled", fault=("GetJobDetails", "ThrottlingException", "", False)),
    Variation("poll-throttled", fault=("PollForJobs", "ThrottlingException", "", False)),
    Variation("acknowledge-lost", fault=("AcknowledgeJob", "lost", "", True)),
    Variation("success-throttled", fault=("PutJobSuccessResult", "ThrottlingException", "", False)),
    Variation("success-lost", fault=("PutJobSuccessResult", "lost", "", True)),
    Variation("success-timed-out", fault=("PutJobSuccessResult", "lost", "", False)),
    Variation("failure-throttled", fault=("PutJobFailureResult", "ThrottlingException", "", False)),
    Variation("get-access-denied", fault=("GetObject", "AccessDenied", "s3", False)),
    Variation("get-expired-credentials", fault=("GetObject", "ExpiredToken", "s3", False)),
    Variation("get-timed-out", fault=("GetObject", "lost", "s3", False)),
    Variation("put-access-denied", fault=("PutObject", "AccessDenied", "s3", False)),
    Variation("put-timed-out", fault=("PutObject", "lost", "s3", False)),
    Variation("missing-object", _inputs_are(None)),
    Variation("corrupt-zip", _inputs_are(HOSTILE_ARTIFACTS["corrupt"])),
    Variation("truncated-zip", _inputs_are(HOSTILE_ARTIFACTS["truncated"])),
)
"""Faults that a handler's calls may run into."""

WARM: Final = (PLAIN, Variation("warm", warm=True))
"""A cold start, and a warm start: in a process that has run the handler for another job."""
