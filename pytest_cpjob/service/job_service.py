"""The job service as a whole: tests add jobs by `add`, and calls are answered by `call`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws import codepipeline_model as model
from pytest_cpjob.documents import render
from pytest_cpjob.documents.facts import ActionType
from pytest_cpjob.service.action_types import ActionTypes
from pytest_cpjob.service.call_log import Caller, CallLog, Change
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.service.errors import ServiceError, invalid
from pytest_cpjob.service.faults import Faults
from pytest_cpjob.service.grants import Grants
from pytest_cpjob.service.job_operations import JobOperations
from pytest_cpjob.service.jobs import JobRecord, JobRegistry
from pytest_cpjob.service.queue import Queue

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import (
        GetJobDetailsResponse,
        GetThirdPartyJobDetailsResponse,
        LambdaEvent,
    )

Request = Mapping[str, Any]
Response = dict[str, Any]

_OF_JOBS: Final[Mapping[str, Callable[[JobOperations, Request, Caller], Response]]] = {
    "PollForJobs": JobOperations.poll,
    "AcknowledgeJob": JobOperations.acknowledge,
    "GetJobDetails": JobOperations.details,
    "PutJobSuccessResult": JobOperations.succeed,
    "PutJobFailureResult": JobOperations.fail,
    "PollForThirdPartyJobs": JobOperations.poll_third_party,
    "GetThirdPartyJobDetails": JobOperations.details_third_party,
    "AcknowledgeThirdPartyJob": JobOperations.acknowledge_third_party,
    "PutThirdPartyJobSuccessResult": JobOperations.succeed_third_party,
    "PutThirdPartyJobFailureResult": JobOperations.fail_third_party,
}
JOB_OPERATIONS: Final = frozenset(_OF_JOBS)
"""The operations on jobs."""

_OF_TYPES: Final = (
    "CreateCustomActionType",
    "DeleteCustomActionType",
    "ListActionTypes",
    "GetActionType",
)
_OF_PIPELINES: Final = frozenset(
    {
        "GetPipeline",
        "ListPipelines",
        "GetPipelineState",
        "GetPipelineExecution",
        "ListPipelineExecutions",
        "ListActionExecutions",
        "StartPipelineExecution",
        "StopPipelineExecution",
        "RetryStageExecution",
        "PutApprovalResult",
        "EnableStageTransition",
        "DisableStageTransition",
        "DeletePipeline",
    }
)
_MOVING: Final = frozenset(
    {
        "StartPipelineExecution",
        "StopPipelineExecution",
        "PutApprovalResult",
        "EnableStageTransition",
    }
)
"""Those after which a pipeline goes on."""


if TYPE_CHECKING:
    # Not at run time: to make a Protocol takes as long as a dozen plain classes.
    from typing import Protocol

    class PipelineOperations(Protocol):
        """Who answers the operations on pipelines."""

        def answers(self, operation: str, request: Request) -> bool:
            """Whether a call is answered here."""

        def call(self, operation: str, request: Request) -> Response:
            """Answer a valid request."""

        def go_on(self) -> None:
            """Perform what is due now."""


class JobService:
    """The CodePipeline job service of one account and region; thread-safe.

    Attributes:
        secret_texts: what nobody may see beside the jobs' own secrets.
    """

    def __init__(self, *, account_id: str, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.call_log = CallLog()
        self.faults = Faults()
        self.grants = Grants()
        self.types = ActionTypes()
        self.registry = JobRegistry()
        self.lock = threading.RLock()
        self.secret_texts: set[str] = set()
        self.pipelines: Callable[[], PipelineOperations] | None = None
        self._queue = Queue(self.registry.set_status)
        # Not a method: the clock would keep the service, and the service the clock.
        self.clock.on_advance(
            partial(_elapse, self.lock, self.registry.changes, self._queue, self.call_log)
        )
        self._of_jobs = JobOperations(
            self.registry, self._queue, self.types, self.grants, self.clock
        )
        self._account_id = account_id

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of the operations on jobs and action types, which are always answered here."""
        return (*_OF_JOBS, *_OF_TYPES)

    def answers(self, operation: str, request: Request) -> bool:
        """Whether a call is answered here."""
        if operation in _OF_JOBS or operation in _OF_TYPES:
            return True
        if operation not in _OF_PIPELINES or self.pipelines is None:
            return False
        with self.lock:
            return self.pipelines().answers(operation, request)

    def go_on_after(self, operation: str) -> None:
        """Let pipelines go on at once after what the test itself has asked for.

        Raises:
            Exception: what a handler or a worker raised.
        """
        if operation in _MOVING and self.pipelines is not None:
            self.pipelines().go_on()

    def check(self, job: JobRecord) -> None:
        """Reject a job that cannot be added, before anything is created for it.

        Raises:
            ValueError: the job's id is taken, or its action type does not allow it.
        """
        with self.lock:
            self.registry.check_new(job)
            self.types.for_job(job.facts.action_type).check_job(job.facts)

    def add(self, job: JobRecord) -> None:
        """Add a job.

        Raises:
            ValueError: the job's id is taken, or its action type does not allow it.
        """
        with self.lock:
            self.check(job)
            self.types.register_silently(job.facts)
            self.registry.add(job)
            self._queue.add(job)

    def add_action_type(
        self,
        action_type: object,
        properties: Mapping[str, Mapping[str, Any]],
        inputs: tuple[int, int],
        outputs: tuple[int, int],
    ) -> None:
        """Register an action type in the short form of `CodePipelineStub.add_action_type`.

        Raises:
            ValueError: AWS would not register it.
        """
        with self.lock:
            self.types.add(ActionType.parse(action_type), properties, inputs, outputs)

    def call(
        self, operation: str, request: Request, caller: Caller
    ) -> tuple[Response | ServiceError, tuple[Change, ...]]:
        """Answer one call: return the response or the error, and the jobs' changes of state.

        The request is first checked against the model, and rejected in AWS's own words. Nothing
        keeps a reference to it, only copies; the response belongs to the caller.
        """
        with self.lock:
            start = len(self.registry.changes)
            try:
                _check(operation, request)
                answer: Response | ServiceError = self._perform(
                    operation, _present(request), caller
                )
            except ServiceError as error:
                answer = error
            return answer, tuple(self.registry.changes[start:])

    def call_accepted(
        self, operation: str, request: dict[str, Any], caller: Caller
    ) -> tuple[Response | ServiceError, tuple[Change, ...]]:
        """Answer a call of an operation on jobs as `call` does: its request is known to be valid.

        An operation refuses before it changes anything.
        """
        with self.lock:
            changes = self.registry.changes
            start = len(changes)
            try:
                answer = _OF_JOBS[operation](self._of_jobs, request, caller)
            except ServiceError as error:
                return error, ()
            return answer, tuple(changes[start:]) if len(changes) > start else ()

    def _perform(self, operation: str, request: Request, caller: Caller) -> Response:
        if operation in _OF_JOBS:
            return _OF_JOBS[operation](self._of_jobs, request, caller)
        if operation in _OF_PIPELINES and self.pipelines is not None:
            return self.pipelines().call(operation, request)
        # Few tests call one of these.
        from pytest_cpjob.service.action_type_operations import ActionTypeOperations

        return ActionTypeOperations(self.types, self._account_id).call(operation, request)

    def details(self, job: JobRecord) -> GetJobDetailsResponse | GetThirdPartyJobDetailsResponse:
        """Return what the job's details operation would answer, without renewing credentials."""
        with self.lock:
            credentials = self.grants.current(job, self.clock.now)
            if job.kind == "third-party":
                nonce = job.nonce or job.next_nonce
                return render.third_party_job_details(job.facts, credentials, nonce)
            return render.job_details(job.facts, credentials)

    def event(self, job: JobRecord) -> LambdaEvent:
        """Deliver a Lambda job: return the event with which CodePipeline invokes the function."""
        with self.lock:
            if not job.delivered:
                self.call_log.add_delivery(self.clock.now, job.id)
            job.delivered = True
            credentials = self.grants.current(job, self.clock.now)
            grant = self.grants.find(credentials.access_key_id)
            # Whole seconds: so are STS's, and those of all captured events.
            expires_at = self.clock.now if grant is None else grant.expires_at
            return render.lambda_event(job.facts, credentials, self.clock.date(int(expires_at)))


def _elapse(
    lock: threading.RLock, all_changes: list[Change], queue: Queue, log: CallLog, now: float
) -> None:
    """Take note that the clock stands at `now`."""
    with lock:
        start = len(all_changes)
        queue.elapse(now)
        changes = tuple(all_changes[start:])
        if changes:
            log.add_changes(now, changes)


def _present(value: Any) -> Any:
    """Copy a valid request without null members, which the service treats as absent."""
    if type(value) is str:
        return value
    if type(value) is dict or isinstance(value, Mapping):
        return {name: _present(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_present(item) for item in value]
    return value


def _check(operation: str, request: Request) -> None:
    """Check a request against the model, and reject it as the service would."""
    found = model.request_violations(operation, request)
    for one in found:
        if isinstance(one, model.TypeMismatch):
            raise ServiceError("SerializationException", f"{one.path}: {one.constraint}")
    if found:
        raise invalid(model.validation_message(found))
