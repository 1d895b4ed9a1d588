"""The stub: CodePipeline's job service, active in this process inside its `with` block.

This is the API for authors of tests; the parts behind it are in `harness`.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

from pytest_cpjob.contract.masking import masking
from pytest_cpjob.contract.output_capture import capture_output
from pytest_cpjob.documents.argument_lists import takes
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.harness import Harness
from pytest_cpjob.job import Job
from pytest_cpjob.job_builder import (
    AddJobArguments,
    AddJobFromArguments,
    AddLambdaJobArguments,
    AddThirdPartyJobArguments,
)
from pytest_cpjob.runners.invocations import invoke_function
from pytest_cpjob.runners.lambda_runtime import FUNCTION_TIMEOUT
from pytest_cpjob.service.masked_copies import masked_copy
from pytest_cpjob.settings import Settings, resolve
from pytest_cpjob.threads import as_test

if TYPE_CHECKING:
    # Where the user has not installed these stubs, the clients are of type Any.
    from types_boto3_codepipeline import CodePipelineClient
    from typing_extensions import Unpack

    from pytest_cpjob.defaults import FindingName, WarningName
    from pytest_cpjob.documents.job_arguments import ActionTypeArgument
    from pytest_cpjob.pipelines.operations import PipelineOperations, Pipelines
    from pytest_cpjob.pipelines.pipeline import Pipeline
    from pytest_cpjob.pipelines.sources import DefinitionArgument
    from pytest_cpjob.runners.handlers import Handler
    from pytest_cpjob.service.call_log import Call
    from pytest_cpjob.service.jobs import Kind
    from pytest_cpjob.service.results import Result
    from pytest_cpjob.settings import RolePolicy


class CodePipelineStub:
    """CodePipeline's job service for every boto3 client in the process.

    In pytest, the `cpjob` fixture is one, active during the test. Elsewhere, use `with`:

    >>> with CodePipelineStub() as cpjob:  # doctest: +SKIP
    ...     job = cpjob.add_lambda_job(user_parameters={"theme": "dark"})
    ...     job = job.invoke(lambda_handler)
    ...     assert job.status == "Succeeded"

    On leaving, it checks what the code did against the contract, unless an exception was raised.

    Args:
        seed: the seed of the documents; the same seed gives the same documents.
        region: the pipeline's region.
        account_id: the pipeline's account, 12 digits.
        allow: names of findings that are not reported.
        own_role: whether the handler's own role may open the artifact bucket.
        role_policy: what that role may do: a policy document, a list of them, or a file's path.

    Raises:
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self,
        *,
        seed: object = None,
        region: str | None = None,
        account_id: str | None = None,
        allow: Iterable[FindingName | WarningName] = (),
        own_role: bool = False,
        role_policy: RolePolicy | None = None,
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
                        "role_policy": role_policy,
                    }
                ]
            )
        )

    @classmethod
    def _with(cls, settings: Settings) -> CodePipelineStub:
        """Return a stub with options that are already resolved, as the plugin does."""
        stub = cls.__new__(cls)
        stub._set_up(settings)
        return stub

    def _set_up(self, settings: Settings) -> None:
        self._harness = Harness(settings)
        self._pipelines: Pipelines | None = None
        self._is_fresh = True
        self._invocations = itertools.count()
        self._schedules = itertools.count()

    # -- entering and leaving ----------------------------------------------------------------------

    def __enter__(self) -> CodePipelineStub:
        self._start()
        observer = self._harness.observer
        observer.test_code.add(sys._getframe(1).f_code)
        capture_output(observer, self._harness.undo)
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
        """Answer every client in the process from now on; each start begins without jobs.

        Raises:
            CpjobError: a stub is already active.
        """
        if not self._is_fresh and not self._harness.is_active:
            self._set_up(self._harness.settings)
        self._harness.start()
        # Until it stops only: the service would keep the stub, and the stub it, past the test.
        service = self._harness.service
        service.pipelines = self._pipeline_operations
        self._harness.undo.later(lambda: setattr(service, "pipelines", None))
        self._is_fresh = False

    # -- jobs --------------------------------------------------------------------------------------

    @takes(AddJobArguments)
    def add_job(self, **arguments: Unpack[AddJobArguments]) -> Job:
        """Queue a job of a custom action for a worker that polls.

        Args:
            job_id: a lower-case UUID; like all omitted arguments, drawn from the seed by default.
            action_type: `"Category:Owner:Provider:Version"` or its dict, owner `Custom`.
            configuration: the action's configuration, strings to strings.
            input_artifacts: name -> content: `{path: str | bytes}`, a directory or file `Path`,
                unchanged `bytes`, `None` for a missing object, or an `InputArtifact` of one of
                these with a revision and a key; or a list of names.
            output_artifacts: names, or Artifact dicts, which may have a `revision`.
            artifact_bucket: the bucket's name.
            encryption_key: `True`, or a key id, key ARN or alias ARN.
            continuation_token: the token of an earlier job that this one continues.
            allow: findings that are not reported for this job and for those that continue it.

        Raises:
            ValueError: AWS could not send such a job; the message names argument, rule and value.
                Nothing was added.

        >>> job = cpjob.add_job(action_type="Build:Custom:Docs:1", configuration={"Theme": "dark"})
        >>> job.status
        'Queued'
        """
        __tracebackhide__ = True
        return self._add("custom", arguments)

    @takes(AddLambdaJobArguments)
    def add_lambda_job(self, **arguments: Unpack[AddLambdaJobArguments]) -> Job:
        """Add a job with which CodePipeline invokes a Lambda function; run it by `job.invoke`.

        Args:
            user_parameters: the action's UserParameters: text, or a value that becomes JSON text.
            function_name: the function's name.
            role_policy: what the function's own role may do: a policy document, a list of them, or
                a file's path.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.

        >>> job = cpjob.add_lambda_job(user_parameters={"theme": "dark"}).invoke(lambda_handler)
        >>> job.status
        'Succeeded'
        """
        __tracebackhide__ = True
        return self._add("lambda", arguments)

    @takes(AddThirdPartyJobArguments)
    def add_third_party_job(self, **arguments: Unpack[AddThirdPartyJobArguments]) -> Job:
        """Queue a job of a partner action, owner `ThirdParty`.

        Args:
            client_id: the partner's client, a UUID, as the poll names it.
            client_token: the token that the partner stores for this client, 1 to 256 characters.
            job_id: a lower-case UUID unless given; 1 to 512 characters.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.

        >>> cpjob.add_third_party_job(client_token="secret").client_token
        'secret'
        """
        __tracebackhide__ = True
        return self._add("third-party", arguments)

    @takes(AddJobFromArguments)
    def add_job_from(
        self, document: Mapping[str, Any], **arguments: Unpack[AddJobFromArguments]
    ) -> Job:
        """Add the job that a captured or redacted document is of.

        What the document says is kept: ids, account, region, names, configuration, the artifacts'
        bucket, keys and revisions, continuation token, encryption key, and the nonce for the first
        hand-out. Credentials are drawn anew.

        Args:
            document: a Lambda event, an answer of GetJobDetails or GetThirdPartyJobDetails, or one
                element of PollForJobs' `jobs`, as a dict.
            input_artifacts: contents by the names that the document has, as for `add_job`; an
                artifact without one holds a small sample source.
            region: where the document does not tell, which a Lambda event may not; by default the
                region in its bucket's name, else the stub's.
            client_id: a partner's client.
            client_token: the token that the partner keeps for this client.
            allow: findings that are not reported of this job and of what continues it.

        Raises:
            ValueError: it is none of these documents, AWS could not send it, or its job is there
                already. Nothing was added.

        >>> job = cpjob.add_job_from(json.loads(Path("event.json").read_text()))  # doctest: +SKIP
        """
        __tracebackhide__ = True
        self._check_active()
        return Job(self._harness, self._harness.builder.add_from(document, arguments))

    def _add(self, kind: Kind, arguments: Mapping[str, Any]) -> Job:
        __tracebackhide__ = True
        self._check_active()
        return Job(self._harness, self._harness.builder.add(kind, arguments))

    def _check_active(self) -> None:
        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError("the stub is not active: add jobs inside `with CodePipelineStub()`")

    def add_action_type(
        self,
        action_type: ActionTypeArgument,
        *,
        properties: Mapping[str, Mapping[str, Any]] | None = None,
        inputs: tuple[int, int] = (0, 5),
        outputs: tuple[int, int] = (0, 5),
    ) -> None:
        """Register an action type, so that its jobs are checked against its definition.

        Args:
            action_type: `"Category:Owner:Provider:Version"` or its dict.
            properties: name -> `{"required", "secret", "queryable", "key", "description",
                "type"}`; flags default to False.
            inputs: the minimum and maximum number of input artifacts.
            outputs: the minimum and maximum number of output artifacts.

        Raises:
            ValueError: AWS would not register it; the message names the field and the rule.

        >>> cpjob.add_action_type(
        ...     "Build:Custom:Docs:1", properties={"Theme": {"required": True, "queryable": True}}
        ... )
        """
        __tracebackhide__ = True
        self._harness.service.add_action_type(action_type, properties or {}, inputs, outputs)

    def add_pipeline(
        self,
        definition: DefinitionArgument,
        *,
        name: str | None = None,
        parameters: Mapping[str, object] | None = None,
        imports: Mapping[str, object] | None = None,
        dynamic_references: Mapping[str, object] | None = None,
        region: str | None = None,
        account_id: str | None = None,
    ) -> Pipeline:
        """Take a pipeline from where its author keeps it; its `add_job` makes the jobs of it.

        Args:
            definition: a dict or a file (JSON or YAML): the API's PipelineDeclaration,
                GetPipeline's answer, a CloudFormation, SAM or CDK template, or what
                `terraform show -json` prints; or a list of templates that are deployed together.
            name: which pipeline, where there are several: its name, logical id or address.
            parameters: the template's parameters; `"Resource.Attribute"` for what is not known.
            imports: values of `Fn::ImportValue`, by export name.
            dynamic_references: values by the text between `{{resolve:` and `}}`.
            region: the pipeline's; by default what the definition says, or the stub's.
            account_id: the same.

        Raises:
            ValueError: it cannot be read, lacks what the pipeline needs, or CreatePipeline would
                refuse it; the text lists everything that is wrong.
            CpjobError: a template is YAML, and PyYAML, which moto brings, is missing or too old.

        >>> pipeline = cpjob.add_pipeline(definition)
        >>> pipeline.add_job("Publish").invoke(lambda_handler).status
        'Succeeded'
        """
        from pytest_cpjob.pipelines.adding import add_pipeline

        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError(
                "the stub is not active: add pipelines inside `with CodePipelineStub()`"
            )
        pipeline, cautions = add_pipeline(
            self._harness,
            self._all_pipelines().registry,
            definition,
            name=name,
            parameters=parameters,
            imports=imports,
            dynamic_references=dynamic_references,
            region=region,
            account_id=account_id,
        )
        for caution in cautions:
            warnings.warn(caution, stacklevel=2)
        return pipeline

    def _all_pipelines(self) -> Pipelines:
        if self._pipelines is None:
            from pytest_cpjob.pipelines.operations import pipelines_of

            self._pipelines = pipelines_of(self._harness)
        return self._pipelines

    def _pipeline_operations(self) -> PipelineOperations:
        return self._all_pipelines().operations

    # -- what happened -----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds of job clock since the stub was entered."""
        return self._harness.service.clock.now

    @property
    def jobs(self) -> list[Job]:
        """All jobs, continued ones too, in order of creation."""
        records = list(self._harness.service.registry.jobs.values())
        return [Job(self._harness, record) for record in records]

    @property
    def calls(self) -> list[Call]:
        """All AWS calls of the code under test, in the order in which they ended."""
        service = self._harness.service
        hide = masking(service)
        return [masked_copy(call, hide) for call in service.call_log.calls()]

    @property
    def results(self) -> list[Result]:
        """All reported results, in order."""
        service = self._harness.service
        hide = masking(service)
        return [masked_copy(result, hide) for result in list(service.registry.results)]

    # -- what the test does ------------------------------------------------------------------------

    @overload
    def client(
        self, service: Literal["codepipeline"] = ..., *, region: str | None = ...
    ) -> CodePipelineClient: ...

    @overload
    def client(self, service: str, *, region: str | None = ...) -> Any: ...

    def client(self, service: str = "codepipeline", *, region: str | None = None) -> Any:
        """Return a boto3 client for the test itself, to which the contract does not apply.

        It has access to everything, gets no faults and is not in `calls`. For S3, KMS and others,
        moto must be active, as it is once a job has artifacts. The region is the stub's unless
        given.

        >>> cpjob.client().list_action_types()["actionTypes"]
        []
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
        message: str | None = None,
    ) -> None:
        """Make the next calls of an operation fail.

        Args:
            operation: the API's name, such as `PutJobSuccessResult`.
            error: a code that the operation models or that is common in AWS, or a botocore
                exception such as `ReadTimeoutError(endpoint_url=...)`. The caller gets it as if
                after botocore's own retries.
            times: how many calls fail.
            service: botocore's name of the service.
            after: whether the call first takes effect, and only its answer is lost.
            message: the text of the error, for handlers that match it; an exception has its own.

        Raises:
            ValueError: AWS has no such service, operation or error; the message lists valid ones.

        >>> cpjob.fail("PutJobSuccessResult", "ThrottlingException")
        >>> with pytest.raises(codepipeline.exceptions.ClientError, match="Throttling"):
        ...     cpjob.add_lambda_job().invoke(lambda_handler)
        """
        __tracebackhide__ = True
        self._harness.service.faults.add(
            operation, error, times=times, service=service, after=after, message=message
        )

    def advance(self, seconds: float) -> None:
        """Move the job clock forward, which may cause time-outs, redelivery and expiry.

        Raises:
            ValueError: `seconds` is negative or not a finite number.

        >>> cpjob.advance(900)
        >>> cpjob.now
        900.0
        """
        __tracebackhide__ = True
        self._harness.service.clock.advance(seconds)

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call a function at a time of the job clock, while a handler or a worker waits.

        The clock is moved by sleeps and other waits of the code that runs, and by `advance`. AWS
        calls of the action are the test's, not the code's; what it raises reaches the test. An
        action that is still pending when the test ends is not an error.

        Args:
            seconds: the time, as in `now`; actions at equal times are called in the order in which
                they were set up.
            action: called without arguments.

        Raises:
            ValueError: the time is past, or not a finite number, or `action` is not callable.

        >>> seen = []
        >>> cpjob.at(60, lambda: seen.append(cpjob.now))
        >>> job = cpjob.add_lambda_job().invoke(lambda event, context: time.sleep(90))
        >>> seen
        [60.0]
        """
        __tracebackhide__ = True
        if not callable(action):
            raise ValueError(f"action: expected a function without arguments, got {action!r}")
        self._harness.service.clock.at(seconds, as_test(action))

    def invoke(
        self,
        handler: Handler | str,
        event: object = None,
        *,
        timeout: float = FUNCTION_TIMEOUT,
        cold: bool = False,
    ) -> Any:
        """Run a Lambda function that is not an action, such as a poller; return what it returns.

        Context, environment and clock are those of `Job.invoke`.

        Args:
            handler: `handler(event, context)`, or its name `"package.module.function"`.
            event: the event to invoke it with; by default a `scheduled_event()`.
            timeout: the function's time-out in seconds of job clock, 1 to 900.
            cold: import the package of a handler given by name again, as a cold start does.

        Raises:
            ValueError: the event is not JSON, or Lambda does not allow the `timeout`.
            HandlerError: the handler cannot be run, or was ended by its time-out.
            Exception: what the handler raised.

        >>> cpjob.invoke(lambda event, context: event["theme"], {"theme": "dark"})
        'dark'
        """
        __tracebackhide__ = True
        given = self.scheduled_event() if event is None else event
        number = next(self._invocations)
        return invoke_function(self._harness, handler, given, number, timeout=timeout, cold=cold)

    def scheduled_event(self) -> dict[str, Any]:
        """Return the event with which an EventBridge schedule invokes a function.

        Each has its own id.

        >>> cpjob.scheduled_event()["detail-type"]
        'Scheduled Event'
        """
        from pytest_cpjob.documents.eventbridge import scheduled_event

        settings = self._harness.settings
        stream = self._harness.stream.at("scheduled event", next(self._schedules))
        now = self._harness.service.clock.date()
        return scheduled_event(stream, settings.region, settings.account_id, now)

    def run_worker(self, target: Callable[[], object], *, idle_polls: int = 1) -> None:
        """Run a worker with an endless loop, until nothing is left for it to do.

        It ends when each of its polls (action type and query) has come back empty `idle_polls`
        times and no job is open that it was handed or may still be handed. Its waits move the job
        clock instead of taking time. Threads that it started end in the same way, and are waited
        for.

        Args:
            target: the worker's main function, called in this thread without arguments.
            idle_polls: the number of empty polls after which it ends.

        Raises:
            WorkerError: it never idles, never acknowledges, waits for ever, or its threads do not
                end; the message shows its last calls, or the threads' names.
            Exception: what the worker raised, also in a thread, or in a thread pool's future that
                it did not ask.

        >>> job = cpjob.add_job(action_type="Build:Custom:Docs:1")
        >>> cpjob.run_worker(main)
        >>> job.status
        'Succeeded'
        """
        from pytest_cpjob.runners.worker import WorkerRun

        __tracebackhide__ = True
        WorkerRun(self._harness, idle_polls).run(target)

    def check(self) -> None:
        """Check now what the code did against the contract.

        Findings reported here are not reported again at the end of the test.

        Raises:
            ContractError: there are findings; the message has each one, and how to allow it.

        >>> job = cpjob.add_lambda_job().invoke(lambda_handler)
        >>> cpjob.check()
        """
        __tracebackhide__ = True
        found = self._harness.inspection.new_findings()
        if found:
            from pytest_cpjob.contract.reports import error_of

            raise error_of(
                found,
                in_pytest=bool(self._harness.settings.test_id),
                directory=self._harness.observer.directory,
            )

    def __repr__(self) -> str:
        state = "active" if self._harness.is_active else "not active"
        count = len(self._harness.service.registry.jobs)
        return f"<CodePipelineStub {state}, {count} job{'s' * (count != 1)}>"

    def _repr_html_(self) -> str:
        """Return the sequence diagrams of all jobs, as a notebook shows them."""
        from pytest_cpjob.report.page import styled_fragment
        from pytest_cpjob.report.records import record_of

        harness = self._harness
        return styled_fragment(
            record_of(
                harness.service,
                harness.inspection.findings,
                directory=harness.observer.directory,
            )
        )
