"""The face: CodePipeline's job service, active in this process while a stub is entered."""

from __future__ import annotations

import inspect
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, TracebackType
from typing import IO, Any, Final

from pytest_cpjob.artifacts.access import Access
from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, Content, open_content
from pytest_cpjob.artifacts.own_clients import own_client
from pytest_cpjob.artifacts.store import ArtifactStore, StoredObject
from pytest_cpjob.clients.environment import hide_credentials
from pytest_cpjob.clients.exchange import ServiceExchange
from pytest_cpjob.clients.reach import Reach
from pytest_cpjob.clients.stragglers import cut_off, release
from pytest_cpjob.clients.undo import Undo
from pytest_cpjob.contract.checks import find_all
from pytest_cpjob.contract.evidence import Evidence
from pytest_cpjob.contract.findings import Finding, error_of
from pytest_cpjob.documents.arguments import (
    ActionTypeArgument,
    EncryptionKeyArgument,
    UserParameters,
    account_id_checked,
    job_facts,
    region_checked,
    text,
)
from pytest_cpjob.documents.facts import ArtifactFacts
from pytest_cpjob.documents.streams import Stream, job_stream
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.eventbridge import scheduled_event
from pytest_cpjob.handlers import Handler
from pytest_cpjob.invocation import (
    FUNCTION_TIMEOUT,
    LambdaContext,
    LambdaFunction,
    LambdaRuntime,
)
from pytest_cpjob.job import Job
from pytest_cpjob.service.jobs import JobRecord, Kind
from pytest_cpjob.service.record import Call
from pytest_cpjob.service.results import Result
from pytest_cpjob.service.service import JobService
from pytest_cpjob.settings import Settings, check_names, resolve
from pytest_cpjob.threads import wait_for_threads
from pytest_cpjob.worker import WorkerRun

THREAD_PATIENCE: Final = 1.0
"""Seconds of real time that threads have to end after their test."""

Inputs = Mapping[str, Content] | list[str] | tuple[str, ...]

_active: CodePipelineStub | None = None
_activation = threading.Lock()


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
    ) -> None:
        self._prepare(
            resolve(
                [
                    {
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
        region_checked(settings.region)
        account_id_checked(settings.account_id)
        self.settings = settings
        self._entered = False
        self._begin()

    def _begin(self) -> None:
        settings = self.settings
        self.service = JobService(account_id=settings.account_id)
        self.store = ArtifactStore(self._never_judge)
        self.outputs_at_success: dict[str, dict[str, StoredObject | None]] = {}
        self.exchange = ServiceExchange(
            self.service,
            account_id=settings.account_id,
            region=settings.region,
            access=self._access,
            on_success=self._look_at_outputs,
        )
        self._stream = Stream(settings.seed, settings.test_id, "stub")
        self._counter = itertools.count()
        self._faces: dict[str, Job] = {}
        self._escaped: dict[int, BaseException] = {}
        self._reach = Reach(self.exchange)
        self._undo = Undo()
        self.findings: list[Finding] = []
        self.written: dict[str, list[str]] = {}
        self._invocations = itertools.count()
        self._threads_before: frozenset[threading.Thread] = frozenset()
        self._running_threads: list[threading.Thread] = []
        self.test_code: set[CodeType] = set()

    # -- entering and leaving ----------------------------------------------------------------------

    def __enter__(self) -> CodePipelineStub:
        self.start()
        self.test_code.add(sys._getframe(1).f_code)
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
        self._threads_before = frozenset(threading.enumerate())
        try:
            hide_credentials(os.environ, self._undo)
            self._reach.install()
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
            self._undo.later(self._reach.remove)
            self._undo.all()
            cut_off(self._running_threads)
        finally:
            _active = None

    @property
    def is_active(self) -> bool:
        """Whether clients are answered by this stub now."""
        return _active is self

    # -- jobs --------------------------------------------------------------------------------------

    def add_job(
        self,
        *,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
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
        return self._add(
            "custom",
            allow,
            input_artifacts,
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def add_lambda_job(
        self,
        *,
        user_parameters: UserParameters | None = None,
        function_name: str | None = None,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Make a job that CodePipeline invokes a Lambda function with; run it by `job.invoke`.

        Args:
            user_parameters: the action's UserParameters: text as it is, or what becomes JSON text.
            function_name: the function's name.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        return self._add(
            "lambda",
            allow,
            input_artifacts,
            user_parameters=user_parameters,
            function_name=function_name,
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def add_third_party_job(
        self,
        *,
        client_id: str | None = None,
        client_token: str | None = None,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Queue a job of a partner action, owner `ThirdParty`.

        Args:
            client_id: the partner's client, a UUID, as the poll names it.
            client_token: the token that the partner keeps for this client, 1 to 256 characters.
            job_id: a lower-case UUID unless given; 1 to 512 characters.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        return self._add(
            "third-party",
            allow,
            input_artifacts,
            client=(client_id, client_token),
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def _add(
        self,
        kind: Kind,
        allow: Iterable[str],
        input_artifacts: Inputs | None,
        *,
        client: tuple[str | None, str | None] = (None, None),
        region: str | None,
        account_id: str | None,
        artifact_bucket: str | None,
        **arguments: Any,
    ) -> Job:
        if not self.is_active:
            raise CpjobError("the stub is not active: add jobs inside `with CodePipelineStub()`")
        region = self.settings.region if region is None else region
        stream = job_stream(self._stream, self._counter, arguments["job_id"])
        contents = _contents(input_artifacts)
        facts = job_facts(
            stream,
            region=region,
            account_id=self.settings.account_id if account_id is None else account_id,
            kind=kind,
            artifact_bucket=artifact_bucket or self._default_bucket(region),
            input_artifacts=list(contents),
            **arguments,
        )
        record = JobRecord(facts, kind, stream, self.service.clock.now, allow=check_names(allow))
        if kind == "third-party":
            values = stream.at("client").values
            record.client_id = text("client_id", "ClientId", client[0], values.client_id())
            record.client_token = text(
                "client_token", "ClientToken", client[1], values.client_token()
            )
        self.service.check(record)
        if facts.inputs or facts.outputs:
            self._store_artifacts(facts.inputs, facts.outputs, contents, record)
            if arguments["encryption_key"] is True:
                self.store.make_key(str(facts.encryption_key), region)
        self.service.add(record)
        return self.job(record)

    def _default_bucket(self, region: object) -> str:
        """Give the one bucket that all pipelines of a region share, as the console makes it."""
        region = region_checked(region)
        return self._stream.at("bucket", region).values.artifact_bucket_name(region)

    def _store_artifacts(
        self,
        inputs: tuple[ArtifactFacts, ...],
        outputs: tuple[ArtifactFacts, ...],
        contents: Mapping[str, Content],
        record: JobRecord,
    ) -> None:
        """Put the inputs into the bucket; every content is read before the first is written."""
        with ExitStack() as stack:
            opened: list[tuple[ArtifactFacts, IO[bytes] | None]] = [
                (
                    artifact,
                    stack.enter_context(
                        open_content(
                            contents[artifact.name], field=f"input_artifacts[{artifact.name!r}]"
                        )
                    ),
                )
                for artifact in inputs
            ]
            for artifact in (*inputs, *outputs):
                self.store.make_bucket(artifact.bucket, record.facts.region)
            for artifact, content in opened:
                if content is not None:
                    self.store.put(artifact, content, record.facts.encryption_key)

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
        return [self.job(record) for record in list(self.service.ledger.jobs.values())]

    @property
    def calls(self) -> list[Call]:
        """Every AWS call of the code under test, in the order in which they ended."""
        return self.service.record.calls()

    @property
    def results(self) -> list[Result]:
        """Every result reported, in order."""
        return list(self.service.ledger.results)

    # -- what the test does ------------------------------------------------------------------------

    def client(self, service: str = "codepipeline") -> Any:
        """Give a client of the test's own: it sees everything, and is never held to the contract.

        It meets no fault and is not in `calls`. For S3, KMS and others moto must be active, which
        it is once a job has artifacts.
        """
        client = own_client(service, self.settings.region)
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
        self.service.add_action_type(action_type, dict(properties or {}), inputs, outputs)

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
            HandlerError: the handler cannot be run, or was ended by its time-out.
            Exception: what the handler raised.
        """
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
                self.escaped(error)
                raise

    def scheduled_event(self) -> dict[str, Any]:
        """Give the event that an EventBridge schedule invokes a function with, fresh each time."""
        stream = self._stream.at("scheduled event")
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
        WorkerRun(self, idle_polls).run(target)

    def check(self) -> None:
        """Hold what the code did against the contract, now.

        What is reported here is not reported again at the end.

        Raises:
            ContractError: there are findings; the text says each one, and how to allow it.
        """
        found = self.new_findings()
        if found:
            raise error_of(found)

    def new_findings(self) -> list[Finding]:
        """Give what is found and neither allowed nor reported before; it is reported now."""
        jobs = self.service.ledger.jobs
        found = [
            finding
            for finding in find_all(self._evidence())
            if finding not in self.findings
            and finding.name not in self.settings.allow
            and not (finding.job_id in jobs and finding.name in jobs[finding.job_id].allow)
        ]
        self.findings += found
        return found

    def _evidence(self) -> Evidence:
        return Evidence(
            service=self.service,
            outputs=self.outputs_at_success,
            stopped_calls=self.exchange.stopped_calls,
            surfaced=self._surfaced,
            printed={where: "".join(parts) for where, parts in self.written.items()},
            running_threads=[thread.name for thread in self._running_threads],
            read_output=lambda job, name: self.job(job).output_artifacts[name].files,
            own_role=self.settings.own_role,
        )

    def is_tested_by(self, function: Callable[..., object]) -> None:
        """Learn whose frames are the test's own: what a refused call raises there, it met."""
        ahead = [inspect.unwrap(function).__code__]
        while ahead:
            code = ahead.pop()
            self.test_code.add(code)
            ahead += [const for const in code.co_consts if isinstance(const, CodeType)]

    def overheard(self, where: str, text: str) -> None:
        """Keep what the code writes while we run it, to find secrets in."""
        self.written.setdefault(where, []).append(text)

    def heard(self, where: str, text: str) -> None:
        """Keep what somebody else has captured of the whole test."""
        if text:
            self.written[where] = [text]

    def settle(self) -> None:
        """Wait for the threads that the test has started; those that do not end are found."""
        self._running_threads = wait_for_threads(
            self._threads_before, THREAD_PATIENCE, daemons=True
        )

    def escaped(self, error: BaseException) -> None:
        """Note what came out of an invocation or a worker, with what it was raised from."""
        chain: BaseException | None = error
        while chain is not None and id(chain) not in self._escaped:
            self._escaped[id(chain)] = chain
            chain = chain.__cause__ or chain.__context__

    def _surfaced(self, error: BaseException) -> bool:
        """Whether the test itself met an error: it left an invocation, or reached its own frame."""
        traceback = error.__traceback__
        reached = traceback.tb_frame.f_code if traceback is not None else None
        return id(error) in self._escaped or (reached is not None and reached in self.test_code)

    # -- for the rooms below ---------------------------------------------------------------------

    def _access(self) -> Access:
        return Access(
            self.service.grants.find,
            self.store.buckets,
            self.settings.own_role,
            self.service.clock.now,
        )

    def _look_at_outputs(self, job: JobRecord) -> None:
        """Keep what the outputs were at the moment when success was reported."""
        if job.facts.outputs:
            self.outputs_at_success[job.id] = {
                artifact.name: self.store.head(artifact) for artifact in job.facts.outputs
            }

    def _never_judge(self, client: Any) -> None:
        self._reach.own_clients.add(client)

    def __repr__(self) -> str:
        state = "active" if self.is_active else "not active"
        return f"<CodePipelineStub {state}, {len(self.service.ledger.jobs)} jobs>"


def active() -> CodePipelineStub | None:
    """Give the stub that is active in this process."""
    return _active


def _contents(input_artifacts: object) -> dict[str, Content]:
    """Give each input artifact's content by name; a list of names means a small sample source."""
    if input_artifacts is None:
        return {}
    if isinstance(input_artifacts, Mapping):
        return dict(input_artifacts)
    if isinstance(input_artifacts, (list, tuple)):
        names = [name for name in input_artifacts if isinstance(name, str)]
        if len(names) < len(input_artifacts) or len(set(names)) < len(names):
            raise ValueError(
                "input_artifacts: expected different names, or a dict of name to content, got"
                f" {input_artifacts!r:.100}"
            )
        return dict.fromkeys(names, SAMPLE_SOURCE)
    hint = ""
    if isinstance(input_artifacts, (str, bytes, Path)):
        hint = "; write {'Source': content}"
    raise ValueError(
        "input_artifacts: expected a dict of name to content, or a list of names, got"
        f" {str(input_artifacts)[:60]!r}{hint}"
    )
