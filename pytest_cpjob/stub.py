"""The face: CodePipeline's job service, active in this process while a stub is entered."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from botocore.exceptions import ReadTimeoutError

from pytest_cpjob.artifacts.access import Access
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.aws.environment import hide_machine
from pytest_cpjob.aws.plain_client import own_client
from pytest_cpjob.clients.call_router import CallRouter
from pytest_cpjob.clients.interceptor import ClientInterceptor
from pytest_cpjob.clients.leftover_threads import cut_off, release
from pytest_cpjob.contract.expected_errors import watch_expected_errors
from pytest_cpjob.contract.findings import error_of
from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.observer import Observer
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.documents.job_arguments import (
    ActionTypeArgument,
    account_id_checked,
    region_checked,
)
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.job import Job
from pytest_cpjob.job_builder import AddsJobs, JobIntake
from pytest_cpjob.patching import Undo, restore_late_variables
from pytest_cpjob.requirements import require
from pytest_cpjob.runners.handlers import Handler
from pytest_cpjob.runners.lambda_runtime import (
    FUNCTION_TIMEOUT,
    LambdaContext,
    LambdaFunction,
    LambdaRuntime,
    check_timeout,
)
from pytest_cpjob.service.call_log import Call
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.masked_copies import masked_copy
from pytest_cpjob.service.results import Result
from pytest_cpjob.settings import Settings, resolve
from pytest_cpjob.threads import wait_for_threads

if TYPE_CHECKING:
    from pytest_cpjob.sweeps import Variation

THREAD_PATIENCE: Final = 1.0
"""Seconds of real time that threads have to end after their test."""

_active: CodePipelineStub | None = None
_activation = threading.Lock()


class CodePipelineStub(AddsJobs):
    """CodePipeline's job service for every boto3 client in the process.

    In pytest the `cpjob` fixture is one, active for the test. Elsewhere it is a context manager:

    >>> with CodePipelineStub() as cpjob:                               # doctest: +SKIP
    ...     job = cpjob.add_lambda_job(user_parameters={"theme": "dark"})
    ...     job = job.invoke(lambda_handler)
    ...     assert job.status == "Succeeded"

    Leaving it holds what the code did against the contract, unless an exception is on its way.

    Args:
        seed: where the documents come from; the same seed gives the same documents.
        region: the pipeline's region.
        account_id: the pipeline's account, 12 digits.
        allow: names of findings that are not reported.
        own_role: whether the handler's own role may open the artifact bucket.

    Raises:
        ValueError: an option that cannot be; the text names it.
    """

    def __init__(
        self,
        *,
        seed: object = None,
        region: str | None = None,
        account_id: str | None = None,
        allow: Iterable[str] = (),
        own_role: bool = False,
        **unknown: NoReturn,
    ) -> None:
        self._prepare(
            resolve(
                [
                    {
                        **unknown,
                        "seed": seed,
                        "region": region,
                        "account_id": account_id,
                        "allow": allow,
                        "own_role": own_role,
                    }
                ]
            )
        )

    @classmethod
    def with_settings(cls, settings: Settings) -> CodePipelineStub:
        """Make a stub of options that were resolved already, as the plugin does."""
        stub = cls.__new__(cls)
        stub._prepare(settings)
        return stub

    def _prepare(self, settings: Settings) -> None:
        require("boto3", "botocore")
        region_checked(settings.region)
        account_id_checked(settings.account_id)
        self.settings = settings
        self._entered = False
        self._begin()

    def _begin(self) -> None:
        settings = self.settings
        self.service = JobService(account_id=settings.account_id)
        self.store = ArtifactStore(self._never_judge)
        self.observer = Observer(settings, self.service, self.store)
        self.router = CallRouter(
            self.service,
            account_id=settings.account_id,
            region=settings.region,
            access=self._access,
            is_in_store=self.store.has,
            on_result=self.observer.look_at_outputs,
            on_stopped=self.observer.stopped_calls.append,
        )
        self._stream = Stream(settings.seed, settings.test_id, "stub")
        self.intake = JobIntake(settings, self.service, self.store, self._stream)
        self._faces: dict[str, Job] = {}
        self._interceptor = ClientInterceptor(self.router)
        self._undo = Undo()
        self._invocations = itertools.count()
        self._schedules = itertools.count()
        self._threads_before: frozenset[threading.Thread] = frozenset()

    # -- entering and leaving ----------------------------------------------------------------------

    def __enter__(self) -> CodePipelineStub:
        self.start()
        self.observer.test_code.add(sys._getframe(1).f_code)
        capture_output(self.observer.wrote, self._undo)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.settle()
            if error is None:
                self.check()
        finally:
            self.stop()

    def start(self) -> None:
        """Answer every client in the process from now on; each start begins with no jobs.

        Raises:
            CpjobError: a stub is active already.
        """
        global _active
        with _activation:
            if _active is not None:
                raise CpjobError(
                    "a CodePipelineStub is active already, and there can be one at a time: in a"
                    " test that has the cpjob fixture, use cpjob"
                )
            _active = self
        if self._entered:
            self._begin()
        self._entered = True
        release()
        restore_late_variables()
        self._threads_before = frozenset(threading.enumerate())
        try:
            hide_machine(os.environ, self._undo, self.settings.region)
            watch_expected_errors(self.observer.met, self._undo)
            self._interceptor.install()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take everything back; a second stop does nothing."""
        global _active
        if _active is not self:
            return
        try:
            self._undo.later(self.store.stop)
            self._undo.later(self._interceptor.remove)
            self._undo.all()
            if self.observer.running_threads:
                cut_off(self.observer.running_threads)
        finally:
            _active = None

    @property
    def is_active(self) -> bool:
        """Whether clients are answered by this stub now."""
        return _active is self

    # -- jobs --------------------------------------------------------------------------------------

    def job(self, record: JobRecord) -> Job:
        """Give the one face of a job of the service."""
        face = self._faces.get(record.id)
        if face is None:
            face = self._faces.setdefault(record.id, Job(self, record))
        return face

    # -- what happened -----------------------------------------------------------------------------

    @property
    def jobs(self) -> list[Job]:
        """Every job, continued ones too, in the order in which they came to be."""
        return [self.job(record) for record in list(self.service.registry.jobs.values())]

    @property
    def calls(self) -> list[Call]:
        """Every AWS call of the code under test, in the order in which they ended."""
        hide = masking(self.service)
        return [masked_copy(call, hide) for call in self.service.call_log.calls()]

    @property
    def results(self) -> list[Result]:
        """Every result reported, in order."""
        hide = masking(self.service)
        return [masked_copy(result, hide) for result in list(self.service.registry.results)]

    # -- what the test does ------------------------------------------------------------------------

    def client(self, service: str = "codepipeline", *, region: str | None = None) -> Any:
        """Give a client of the test's own: it sees everything, and is never held to the contract.

        It meets no fault and is not in `calls`. For S3, KMS and others moto must be active, which
        it is once a job has artifacts. The region is the stub's, unless another is given.
        """
        client = own_client(service, region or self.settings.region)
        self._never_judge(client)
        return client

    def add_action_type(
        self,
        action_type: ActionTypeArgument,
        *,
        properties: Mapping[str, Mapping[str, Any]] | None = None,
        inputs: tuple[int, int] = (0, 5),
        outputs: tuple[int, int] = (0, 5),
    ) -> None:
        """Register an action type, so that jobs of it are held to its definition.

        Args:
            action_type: `"Category:Owner:Provider:Version"` or its dict.
            properties: name -> `{"required", "secret", "queryable", "key", "description",
                "type"}`, the flags False where left out.
            inputs: the least and the most input artifacts.
            outputs: the least and the most output artifacts.

        Raises:
            ValueError: AWS would not register it; the text names the field and the rule.
        """
        self.service.add_action_type(action_type, properties or {}, inputs, outputs)

    def fail(
        self,
        operation: str,
        error: str | Exception,
        *,
        times: int = 1,
        service: str = "codepipeline",
        after: bool = False,
    ) -> None:
        """Let the next calls of an operation fail.

        Args:
            operation: the API's name, such as `PutJobSuccessResult`.
            error: a code that the operation models or that is common to AWS, or an exception of
                botocore's such as `ReadTimeoutError(endpoint_url=...)`. It is what the caller sees
                once botocore's own retries are used up.
            times: how many calls meet it.
            service: botocore's name of the service.
            after: whether the call takes effect first and then its answer is lost.

        Raises:
            ValueError: AWS has no such service, operation or error; the text lists the valid ones.
        """
        self.service.faults.add(operation, error, times=times, service=service, after=after)

    def advance(self, seconds: float) -> None:
        """Move the job clock on: time-outs, redelivery and the end of credentials come due.

        Raises:
            ValueError: `seconds` is negative or no finite number.
        """
        self.service.clock.advance(seconds)

    def invoke(
        self,
        handler: Handler | str,
        event: object = None,
        *,
        timeout: float = FUNCTION_TIMEOUT,
        cold: bool = False,
    ) -> Any:
        """Run code in Lambda that is no action itself, such as a poller, and give its answer.

        Context, environment and clock are those of `Job.invoke`.

        Args:
            handler: `handler(event, context)`, or its name `"package.module.function"`.
            event: what it is invoked with; by default the `scheduled_event()`.
            timeout: the function's time-out in seconds of job clock, 1 to 900.
            cold: import the package of a handler given by name anew, as a cold start does.

        Raises:
            ValueError: JSON cannot carry the event, or `timeout` is none of Lambda's.
            HandlerError: the handler cannot be run, or was ended by its time-out.
            Exception: what the handler raised.
        """
        check_timeout(timeout)
        stream = self._stream.at("invocation", next(self._invocations))
        name = handler if isinstance(handler, str) else getattr(handler, "__name__", "function")
        function = LambdaFunction(
            name.rpartition(".")[2], self.settings.region, self.settings.account_id
        )
        context = LambdaContext(function, stream, self.service.clock, timeout)
        with LambdaRuntime(self, timeout) as runtime:
            try:
                loaded = runtime.load(handler, context, cold=cold)
                given = self.scheduled_event() if event is None else event
                return runtime.run(loaded, given, context)
            except (Exception, SystemExit) as error:
                self.observer.met(error)
                raise

    def vary(self, variation: Variation) -> None:
        """Let this test be one run of a sweep: another job, a fault, or a warm start."""
        self.intake.variation = variation
        if variation.fault is not None:
            _, error, service, after = variation.fault
            service = service or "codepipeline"
            met = ReadTimeoutError(endpoint_url=f"https://{service}") if error == "lost" else error
            for operation in variation.faulty_operations:
                fault = self.service.faults.add(
                    operation, met, times=1, service=service, after=after
                )
                fault.may_stay_unmet = True

    @property
    def is_warm(self) -> bool:
        """Whether a handler is to run for another job before."""
        return self.intake.variation is not None and self.intake.variation.warm

    def twin_of(self, record: JobRecord) -> Job:
        """Add another job of the same words, with ids of its own."""
        return self.job(self.intake.add_twin(record))

    def scheduled_event(self) -> dict[str, Any]:
        """Give the event that an EventBridge schedule invokes a function with, each with its id."""
        from pytest_cpjob.documents.eventbridge import scheduled_event

        stream = self._stream.at("scheduled event", next(self._schedules))
        return scheduled_event(stream, self.settings.region, self.settings.account_id)

    def run_worker(self, target: Callable[[], object], *, idle_polls: int = 1) -> None:
        """Run a worker that was written to run for ever, until nothing is left for it to do.

        It ends once it has polled an empty queue `idle_polls` times while no job is queued or
        open. Meanwhile `time.sleep` moves the job clock instead of waiting. Threads that it started
        end the same way, and are waited for.

        Args:
            target: the worker's main function, called in this thread without arguments.
            idle_polls: how many empty polls end it.

        Raises:
            WorkerError: it never idles, or its threads do not end; the text shows its last calls,
                or the threads' names.
            Exception: what the worker raised.
        """
        from pytest_cpjob.runners.worker import WorkerRun

        WorkerRun(self, idle_polls).run(target)

    def check(self) -> None:
        """Hold what the code did against the contract, now.

        What is reported here is not reported again at the end.

        Raises:
            ContractError: there are findings; the text says each one, and how to allow it.
        """
        found = self.observer.new_findings()
        if found:
            raise error_of(found, in_pytest=bool(self.settings.test_id))

    def settle(self) -> None:
        """Wait for the threads that the test has started; those that do not end are found."""
        self.observer.running_threads = wait_for_threads(
            self._threads_before, THREAD_PATIENCE, daemons=True
        )

    # -- for the rooms below ---------------------------------------------------------------------

    def _access(self) -> Access:
        return Access(
            self.service.grants.find,
            self.store.buckets,
            self.settings.own_role,
            self.service.clock.now,
        )

    def _never_judge(self, client: Any) -> None:
        self._interceptor.own_clients.add(client)

    def __repr__(self) -> str:
        state = "active" if self.is_active else "not active"
        return f"<CodePipelineStub {state}, {len(self.service.registry.jobs)} jobs>"


def active() -> CodePipelineStub | None:
    """Give the stub that is active in this process."""
    return _active
