"""A job as a test sees it: what it is, what happened to it, and how to run a handler on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.documents.facts import JobFacts
from pytest_cpjob.errors import CpjobError, UnexpectedResult
from pytest_cpjob.harness import Harness
from pytest_cpjob.runners.handlers import Handler
from pytest_cpjob.runners.invocations import Limits, context_of, invoke_job, timeout_of
from pytest_cpjob.service.jobs import JobRecord, Status
from pytest_cpjob.service.masked_copies import masked_copy
from pytest_cpjob.service.results import JobFailure, JobSuccess, Result
from pytest_cpjob.threads import wait_until

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.job_artifacts import Direction, JobArtifacts
    from pytest_cpjob.documents.type_defs import (
        GetJobDetailsResponse,
        GetThirdPartyJobDetailsResponse,
        LambdaEvent,
    )
    from pytest_cpjob.runners.lambda_runtime import LambdaContext
    from pytest_cpjob.service.call_log import Call
    from pytest_cpjob.service.state_changes import Level


class Job:
    """One job of a `CodePipelineStub`, returned by `add_job` and similar methods.

    Attributes are read when accessed: after the handler ran, `job.status` is the status that its
    calls led to. Two objects are equal if they are the same job.

    >>> job = cpjob.add_lambda_job().invoke(lambda_handler)
    >>> job.status
    'Succeeded'
    """

    def __init__(self, harness: Harness, record: JobRecord) -> None:
        self._harness = harness
        self._record = record

    def __eq__(self, other: object) -> bool:
        return self._record is other._record if isinstance(other, Job) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._record.id)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The job's id, a lower-case UUID."""
        return self._record.id

    @property
    def facts(self) -> JobFacts:
        """What all of the job's documents share: names, ids, region, configuration."""
        return self._record.facts

    @property
    def client_id(self) -> str | None:
        """A partner job's client, as PollForThirdPartyJobs names it."""
        return self._record.client_id

    @property
    def client_token(self) -> str | None:
        """The token that the partner stores for this client and sends with every call."""
        return self._record.client_token

    @property
    def encryption_key(self) -> str | None:
        """The key's id or ARN as in the document, or None."""
        return self._record.facts.encryption_key

    @property
    def input_artifacts(self) -> JobArtifacts:
        """The input artifacts by name."""
        return self._artifacts("input")

    @property
    def output_artifacts(self) -> JobArtifacts:
        """The output artifacts by name."""
        return self._artifacts("output")

    def _artifacts(self, direction: Direction) -> JobArtifacts:
        from pytest_cpjob.artifacts.job_artifacts import JobArtifact, JobArtifacts

        facts = self._record.facts
        return JobArtifacts(
            (
                JobArtifact(
                    artifact,
                    self._harness.store,
                    direction=direction,
                    job_id=self.id,
                    encryption_key=facts.encryption_key,
                )
                for artifact in (facts.inputs if direction == "input" else facts.outputs)
            ),
            direction,
            self.id,
        )

    # -- what became of it -----------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """`Queued`, `Dispatched`, `InProgress`, `TimedOut`, `Succeeded` or `Failed`."""
        return self._record.status

    @property
    def nonce(self) -> str | None:
        """The nonce of the latest hand-out; None before the first."""
        return self._record.nonce

    @property
    def result(self) -> Result | None:
        """The reported result: a `JobSuccess`, a `JobFailure`, or None if there is none yet."""
        result = self._record.result
        return None if result is None else masked_copy(result, masking(self._harness.service))

    @property
    def success(self) -> JobSuccess:
        """The success that the action ended with: that of the last job that continues this one.

        >>> cpjob.add_lambda_job().invoke(lambda_handler).success.output_variables
        {'pages': '1'}

        Raises:
            UnexpectedResult: it ended otherwise, or not at all; the text says how, and shows the
                timeline.
        """
        __tracebackhide__ = True
        result = self.last.result
        if isinstance(result, JobSuccess) and result.continuation_token is None:
            return result
        raise self._unexpected(result)

    @property
    def failure(self) -> JobFailure:
        """The failure that the action ended with: that of the last job that continues this one.

        >>> def fails(event, context):
        ...     codepipeline.put_job_failure_result(
        ...         jobId=event["CodePipeline.job"]["id"],
        ...         failureDetails={"type": "ConfigurationError", "message": "no theme"},
        ...     )
        >>> cpjob.add_lambda_job().invoke(fails).failure.type
        'ConfigurationError'

        Raises:
            UnexpectedResult: it ended otherwise, or not at all; the text says how, and shows the
                timeline.
        """
        __tracebackhide__ = True
        result = self.last.result
        if isinstance(result, JobFailure):
            return result
        raise self._unexpected(result)

    def _unexpected(self, result: Result | None) -> UnexpectedResult:
        """Return the error whose first line is what was reported, with the timeline after it."""
        if result is None:
            said = f"nothing was reported, and the job is {self.last.status}"
        else:
            from pytest_cpjob.contract.outcomes import outcome

            text = masking(self._harness.service)(outcome(result))
            said = "the job reported "
            said += f"the failure {text}" if isinstance(result, JobFailure) else text
        return UnexpectedResult(f"{said}\n{self.timeline}")

    @property
    def last(self) -> Job:
        """The last job of those that continue this one; itself, if none does."""
        job = self._record
        while job.continuation is not None:
            job = job.continuation
        return Job(self._harness, job)

    @property
    def timeline(self) -> str:
        """What happened to the action, a line for each step, as a failing test shows it."""
        from pytest_cpjob.contract.timeline import timeline

        harness = self._harness
        return timeline(
            harness.service,
            self._record,
            harness.inspection.findings,
            width=harness.report_width(),
            directory=harness.observer.directory,
        )

    @property
    def continuation(self) -> Job | None:
        """The job that got this job's continuation token, or None."""
        following = self._record.continuation
        return None if following is None else Job(self._harness, following)

    @property
    def calls(self) -> list[Call]:
        """The calls of the code under test that concerned this job, in order."""
        hide = masking(self._harness.service)
        return [masked_copy(call, hide) for call in self._harness.service.call_log.calls(self.id)]

    # -- its documents ---------------------------------------------------------------------------

    @property
    def details(self) -> GetJobDetailsResponse | GetThirdPartyJobDetailsResponse:
        """What GetJobDetails (for a partner: GetThirdPartyJobDetails) returns, a new dict.

        Reading it does not count as a call or a delivery, and does not renew credentials.
        """
        return self._harness.service.details(self._record)

    @property
    def event(self) -> LambdaEvent:
        """The event with which CodePipeline invokes the Lambda function, a new dict each time.

        Reading it counts as delivery: from then on the job needs a result.

        Raises:
            CpjobError: the job is not a Lambda's.
        """
        self._check_lambda("event")
        return self._harness.service.event(self._record)

    @property
    def context(self) -> LambdaContext:
        """The context object of the function's first invocation.

        Raises:
            CpjobError: the job is not a Lambda's.
        """
        self._check_lambda("context")
        return context_of(self._harness, self._record)

    def state_change_event(self, state: str = "STARTED", *, of: Level = "action") -> dict[str, Any]:
        """Return an EventBridge event "CodePipeline ... Execution State Change" of this job.

        What was reported of the job comes as the action's `execution-result` once it has ended.

        Args:
            state: of an action `STARTED`, `SUCCEEDED`, `FAILED`, `CANCELED` or `ABANDONED`; stages
                and pipelines have more.
            of: `action`, `stage` or `pipeline`.

        Raises:
            ValueError: another state, or another `of`.

        >>> cpjob.add_lambda_job().state_change_event()["detail-type"]
        'CodePipeline Action Execution State Change'
        """
        from pytest_cpjob.service.state_changes import state_change_event

        return state_change_event(self._record, self._harness.service.clock, state, of)

    # -- running it ------------------------------------------------------------------------------

    def invoke(
        self,
        handler: Handler | str | None = None,
        *,
        max_invocations: int = 10,
        retries: int = 0,
        timeout: float | None = None,
        cold: bool = False,
    ) -> Job:
        """Run a Lambda handler on this job as CodePipeline does, and return the last job.

        While results have a continuation token, the handler is invoked again with the next job.
        While it runs, `time.sleep` moves the job clock instead of waiting.

        Args:
            handler: `handler(event, context)`, or its name `"package.module.function"`. A job from
                a `Pipeline` needs none: the default is the code that the template names.
            max_invocations: the maximum number of jobs, continued ones included.
            retries: how often Lambda retries an event whose invocation raised, 0 to 2.
            timeout: the function's time-out in seconds of job clock, 1 to 900; the default is the
                template's, or 900.
            cold: import the package of a handler given by name again, as a cold start does.

        Raises:
            HandlerError: the handler cannot be run, continues after `max_invocations`, or was
                ended by its time-out.
            Exception: what the handler raised, after the last retry.

        >>> cpjob.add_lambda_job().invoke(lambda_handler).status
        'Succeeded'
        """
        __tracebackhide__ = True
        self._check_lambda("invocation")
        if timeout is None:
            timeout = timeout_of(self._harness, self._record)
        limits = Limits(max_invocations, retries, timeout)
        return Job(
            self._harness, invoke_job(self._harness, self._record, handler, limits, cold=cold)
        )

    def wait(self, seconds: float = 30) -> Job:
        """Wait until a worker in another process has ended the action, and return the last job.

        The wait is in real time, and the job clock stands: call `cpjob.advance` for time-outs. The
        action has ended when the last job that continues this one has.

        Args:
            seconds: about the longest wait.

        Raises:
            CpjobError: it has not ended in time; the text says the status, and shows the timeline.
            ValueError: `seconds` is negative or not a finite number.

        >>> with cpjob_endpoint.start(["node", "worker.js"]):  # doctest: +SKIP
        ...     assert job.wait(seconds=30).status == "Succeeded"
        """
        __tracebackhide__ = True
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not number or not 0 <= seconds < math.inf:
            raise ValueError(
                f"seconds: expected a finite number of seconds of real time from 0, got {seconds!r}"
            )
        if wait_until(self._has_ended, seconds):
            return self.last
        with self._harness.service.lock:
            last = self.last
            raise CpjobError(
                f"job {last.id} is still {last.status} after {seconds:g} seconds of real time: is a"
                " worker running that polls for it, or does it need more `seconds`?"
                f"\n{self.timeline}"
            )

    def _has_ended(self) -> bool:
        # A result and the job that continues it are there at once for whoever has the lock.
        with self._harness.service.lock:
            return not self.last._record.is_open

    def _check_lambda(self, what: str) -> None:
        if self._record.kind != "lambda":
            raise CpjobError(
                f"job {self.id} has no {what}: {self.facts.action_type} is for"
                " workers that poll; add_lambda_job makes jobs that a Lambda function is invoked"
                " with"
            )

    def __repr__(self) -> str:
        result = "" if self.result is None else f" {self._outcome(self.result)}"
        return f"<Job {self.id} {self.facts.action_type} {self.status}{result}>"

    def _outcome(self, result: Result) -> str:
        """Return the result as text; secrets are masked before it is cut, so none is cut in two."""
        mask = masking(self._harness.service)
        if isinstance(result, JobFailure):
            return f"{result.type}: {mask(result.message)[:60]!r}"
        if isinstance(result, JobSuccess) and result.continuation_token is not None:
            return f"continuing with {mask(result.continuation_token)[:60]!r}"
        return mask(f"outputs {dict(result.output_variables)!r}")

    def _repr_html_(self) -> str:
        """Return the sequence diagram of the job's action, as a notebook shows it."""
        from pytest_cpjob.report.page import styled_fragment
        from pytest_cpjob.report.records import record_of_job

        harness = self._harness
        return styled_fragment(
            record_of_job(
                harness.service,
                self._record,
                harness.inspection.findings,
                directory=harness.observer.directory,
            )
        )
