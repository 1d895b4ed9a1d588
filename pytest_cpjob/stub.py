"""The stub: CodePipeline's job service, active in this process while it is entered.

This is what a test's author calls, and all that they see; the parts behind it are in `harness`.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.contract.reports import error_of
from pytest_cpjob.documents.argument_lists import takes
from pytest_cpjob.documents.eventbridge import scheduled_event
from pytest_cpjob.documents.job_arguments import ActionTypeArgument
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.harness import Harness
from pytest_cpjob.job import Job
from pytest_cpjob.job_builder import (
    AddJobArguments,
    AddLambdaJobArguments,
    AddThirdPartyJobArguments,
)
from pytest_cpjob.runners.handlers import Handler
from pytest_cpjob.runners.invocations import invoke_function
from pytest_cpjob.runners.lambda_runtime import FUNCTION_TIMEOUT
from pytest_cpjob.service.call_log import Call
from pytest_cpjob.service.jobs import Kind
from pytest_cpjob.service.masked_copies import masked_copy
from pytest_cpjob.service.results import Result
from pytest_cpjob.settings import Settings, resolve

if TYPE_CHECKING:
    from typing_extensions import Unpack


class CodePipelineStub:
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
        self._set_up(
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
    def _with(cls, settings: Settings) -> CodePipelineStub:
        """Make a stub of options that were resolved already, as the plugin does."""
        stub = cls.__new__(cls)
        stub._set_up(settings)
        return stub

    def _set_up(self, settings: Settings) -> None:
        self._harness = Harness(settings)
        self._is_fresh = True
        self._invocations = itertools.count()
        self._schedules = itertools.count()

    # -- entering and leaving ----------------------------------------------------------------------

    def __enter__(self) -> CodePipelineStub:
        self._start()
        observer = self._harness.observer
        observer.test_code.add(sys._getframe(1).f_code)
        capture_output(observer.wrote, self._harness.undo)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._harness.settle()
            if error is None:
                self.check()
        finally:
            self._harness.stop()

    def _start(self) -> None:
        """Answer every client in the process from now on; each start begins with no jobs.

        Raises:
            CpjobError: a stub is active already.
        """
        if not self._is_fresh and not self._harness.is_active:
            self._set_up(self._harness.settings)
        self._harness.start()
        self._is_fresh = False

    # -- jobs --------------------------------------------------------------------------------------

    @takes(AddJobArguments)
    def add_job(self, **arguments: Unpack[AddJobArguments]) -> Job:
        """Queue a job of a custom action for a worker that polls.

        Args:
            job_id: a lower-case UUID; drawn from the seed when left out, as all that is left out.
            action_type: `"Category:Owner:Provider:Version"` or its dict, owner `Custom`.
            configuration: the action's configuration, strings to strings.
            input_artifacts: name -> content: `{path: str | bytes}`, a directory or file `Path`,
                `bytes` as they are, `None` for a missing object; or a list of names.
            output_artifacts: names.
            artifact_bucket: the bucket's name.
            encryption_key: `True`, or a key id, key ARN or alias ARN.
            continuation_token: as if an earlier job had continued with it.
            allow: findings that are not reported of this job and of what continues it.

        Raises:
            ValueError: AWS could not send such a job; the text names the argument, the rule and
                the value. Nothing was added.
        """
        __tracebackhide__ = True
        return self._add("custom", arguments)

    @takes(AddLambdaJobArguments)
    def add_lambda_job(self, **arguments: Unpack[AddLambdaJobArguments]) -> Job:
        """Make a job that CodePipeline invokes a Lambda function with; run it by `job.invoke`.

        Args:
            user_parameters: the action's UserParameters: text as it is, or what becomes JSON text.
            function_name: the function's name.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        __tracebackhide__ = True
        return self._add("lambda", arguments)

    @takes(AddThirdPartyJobArguments)
    def add_third_party_job(self, **arguments: Unpack[AddThirdPartyJobArguments]) -> Job:
        """Queue a job of a partner action, owner `ThirdParty`.

        Args:
            client_id: the partner's client, a UUID, as the poll names it.
            client_token: the token that the partner keeps for this client, 1 to 256 characters.
            job_id: a lower-case UUID unless given; 1 to 512 characters.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        __tracebackhide__ = True
        return self._add("third-party", arguments)

    def _add(self, kind: Kind, arguments: Mapping[str, Any]) -> Job:
        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError("the stub is not active: add jobs inside `with CodePipelineStub()`")
        return Job(self._harness, self._harness.builder.add(kind, arguments))

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
        __tracebackhide__ = True
        self._harness.service.add_action_type(action_type, properties or {}, inputs, outputs)

    # -- what happened -----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds of job clock since the stub was entered."""
        return self._harness.service.clock.now

    @property
    def jobs(self) -> list[Job]:
        """Every job, continued ones too, in the order in which they were created."""
        records = list(self._harness.service.registry.jobs.values())
        return [Job(self._harness, record) for record in records]

    @property
    def calls(self) -> list[Call]:
        """Every AWS call of the code under test, in the order in which they ended."""
        service = self._harness.service
        hide = masking(service)
        return [masked_copy(call, hide) for call in service.call_log.calls()]

    @property
    def results(self) -> list[Result]:
        """Every result reported, in order."""
        service = self._harness.service
        hide = masking(service)
        return [masked_copy(result, hide) for result in list(service.registry.results)]

    # -- what the test does ------------------------------------------------------------------------

    def client(self, service: str = "codepipeline", *, region: str | None = None) -> Any:
        """Return a client of the test's own: it sees everything, and is never held to the contract.

        It meets no fault and is not in `calls`. For S3, KMS and others moto must be active, which
        it is once a job has artifacts. The region is the stub's, unless another is given.
        """
        return self._harness.client(service, region or self._harness.settings.region)

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
        __tracebackhide__ = True
        self._harness.service.faults.add(
            operation, error, times=times, service=service, after=after
        )

    def advance(self, seconds: float) -> None:
        """Move the job clock on: time-outs, redelivery and the end of credentials come due.

        Raises:
            ValueError: `seconds` is negative or no finite number.
        """
        __tracebackhide__ = True
        self._harness.service.clock.advance(seconds)

    def invoke(
        self,
        handler: Handler | str,
        event: object = None,
        *,
        timeout: float = FUNCTION_TIMEOUT,
        cold: bool = False,
    ) -> Any:
        """Run code in Lambda that is not an action itself, such as a poller; return its answer.

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
        __tracebackhide__ = True
        given = self.scheduled_event() if event is None else event
        number = next(self._invocations)
        return invoke_function(self._harness, handler, given, number, timeout=timeout, cold=cold)

    def scheduled_event(self) -> dict[str, Any]:
        """Return the event that an EventBridge schedule invokes a function with.

        Each has an id of its own.
        """
        settings = self._harness.settings
        stream = self._harness.stream.at("scheduled event", next(self._schedules))
        return scheduled_event(stream, settings.region, settings.account_id)

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

        __tracebackhide__ = True
        WorkerRun(self._harness, idle_polls).run(target)

    def check(self) -> None:
        """Hold what the code did against the contract, now.

        What is reported here is not reported again at the end.

        Raises:
            ContractError: there are findings; the text says each one, and how to allow it.
        """
        __tracebackhide__ = True
        found = self._harness.inspection.new_findings()
        if found:
            raise error_of(
                found,
                in_pytest=bool(self._harness.settings.test_id),
                directory=self._harness.observer.directory,
            )

    def __repr__(self) -> str:
        state = "active" if self._harness.is_active else "not active"
        return f"<CodePipelineStub {state}, {len(self._harness.service.registry.jobs)} jobs>"
