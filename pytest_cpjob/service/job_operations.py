"""The ten job operations, each from a valid request to a response or a service error.

The table in `docs/behaviour.md` says what each does in every state; `tests/test_states.py`
tests this module against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cpjob.documents import render
from pytest_cpjob.service import limits
from pytest_cpjob.service.action_types import ActionTypes, RegisteredActionType
from pytest_cpjob.service.call_log import Caller
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.service.errors import ServiceError, invalid
from pytest_cpjob.service.grants import Grants
from pytest_cpjob.service.jobs import JobRecord, JobRegistry, Status
from pytest_cpjob.service.queue import Queue
from pytest_cpjob.service.results import JobSuccess, Result, failure_of, success_of

Request = Mapping[str, Any]
Response = dict[str, Any]


class JobOperations:
    """The job operations on one set of jobs, for custom and partner workers and Lambdas."""

    def __init__(
        self, registry: JobRegistry, queue: Queue, types: ActionTypes, grants: Grants, clock: Clock
    ) -> None:
        self._registry = registry
        self._queue = queue
        self._types = types
        self._grants = grants
        self._clock = clock

    def poll(self, request: Request, caller: Caller) -> Response:
        """PollForJobs: hand out queued jobs of a custom action type."""
        registered = self._polled_type(request, "Custom")
        query = request.get("queryParam") or {}
        _check_query(registered, query)
        at_most = request.get("maxBatchSize", limits.DEFAULT_BATCH_SIZE)
        taken = self._queue.take(registered.action_type, at_most, query, self._clock.now)
        return {
            "jobs": [
                render.poll_job(
                    job.facts, self._grants.issue(job, self._clock.now), job.nonce or ""
                )
                for job in taken
            ]
        }

    def poll_third_party(self, request: Request, caller: Caller) -> Response:
        """PollForThirdPartyJobs: hand out ids only; GetThirdPartyJobDetails has the rest."""
        registered = self._polled_type(request, "ThirdParty")
        at_most = request.get("maxBatchSize", limits.DEFAULT_BATCH_SIZE)
        taken = self._queue.take(registered.action_type, at_most, None, self._clock.now)
        return {"jobs": [{"clientId": job.client_id, "jobId": job.id} for job in taken]}

    def _polled_type(self, request: Request, owner: str) -> RegisteredActionType:
        given = request["actionTypeId"]
        if given["owner"] != owner:
            raise invalid(f"ActionType with owner '{given['owner']}' is not supported")
        return self._types.find((given["category"], owner, given["provider"], given["version"]))

    def acknowledge(self, request: Request, caller: Caller) -> Response:
        """AcknowledgeJob: the first worker with the current nonce gets the job."""
        return self._acknowledge(self._find(request["jobId"]), request["nonce"], caller)

    def acknowledge_third_party(self, request: Request, caller: Caller) -> Response:
        """AcknowledgeThirdPartyJob: the same, with the client's token."""
        return self._acknowledge(self._find_third_party(request), request["nonce"], caller)

    def _acknowledge(self, job: JobRecord, nonce: str, caller: Caller) -> Response:
        if job.status != "Dispatched" or nonce != job.nonce:
            raise ServiceError(
                "InvalidNonceException",
                f"The nonce for job {job.id} was not accepted: {_why_refused(job, nonce)}",
            )
        job.acknowledged = True
        job.acknowledged_by_test = caller.by_test
        self._registry.set_status(job, "InProgress")
        return {"status": "InProgress"}

    def details(self, request: Request, caller: Caller) -> Response:
        """GetJobDetails: the whole document with new credentials, but no nonce."""
        job = self._find(request["jobId"])
        credentials = self._grants.issue(job, self._clock.now)
        return render.job_details(job.facts, credentials)  # type: ignore[return-value]

    def details_third_party(self, request: Request, caller: Caller) -> Response:
        """GetThirdPartyJobDetails: the partner's document, with the nonce."""
        job = self._find_third_party(request)
        if not job.is_open:
            raise ServiceError("InvalidJobException", f"Job {job.id} has ended: {job.status}")
        if job.status == "Queued":
            self._queue.dispatch(job, self._clock.now)
        credentials = self._grants.issue(job, self._clock.now)
        return dict(render.third_party_job_details(job.facts, credentials, job.nonce or ""))

    def succeed(self, request: Request, caller: Caller) -> Response:
        """PutJobSuccessResult."""
        if "continuationToken" in request and request.get("outputVariables"):
            raise invalid("A job can not contain both a continuation token and output variables.")
        return self._succeed(self._find(request["jobId"]), request)

    def succeed_third_party(self, request: Request, caller: Caller) -> Response:
        """PutThirdPartyJobSuccessResult."""
        return self._succeed(self._find_third_party(request), request)

    def _succeed(self, job: JobRecord, request: Request) -> Response:
        result = success_of(request)
        if job.abandoned or self._repeats(job, result):
            return {}
        self._check_accepts_result(job, "Succeeded")
        variables = result.output_variables
        size = sum(_bytes(name) + _bytes(value) for name, value in variables.items())
        if size > limits.OUTPUT_VARIABLES_BYTES:
            raise ServiceError(
                "OutputVariablesSizeExceededException",
                "Exceeded the total size limit for all variables in the pipeline:"
                f" {size} bytes, at most {limits.OUTPUT_VARIABLES_BYTES}",
            )
        self._registry.end(job, result, "Succeeded")
        if result.continuation_token is not None:
            self._continue(job, result)
        return {}

    def fail(self, request: Request, caller: Caller) -> Response:
        """PutJobFailureResult."""
        return self._fail(self._find(request["jobId"]), request)

    def fail_third_party(self, request: Request, caller: Caller) -> Response:
        """PutThirdPartyJobFailureResult."""
        return self._fail(self._find_third_party(request), request)

    def _fail(self, job: JobRecord, request: Request) -> Response:
        result = failure_of(request)
        if job.abandoned or self._repeats(job, result):
            return {}
        self._check_accepts_result(job, "Failed")
        self._registry.end(job, result, "Failed")
        return {}

    @staticmethod
    def _repeats(job: JobRecord, result: Result) -> bool:
        """Tell whether a result says once more what the job ended with: it changes nothing."""
        return job.result == result

    @staticmethod
    def _check_accepts_result(job: JobRecord, wanted: Status) -> None:
        if job.status == "InProgress":
            return
        if job.is_open:
            text = (
                f"Job {job.id} accepts no result: it is {job.status}: a worker must acknowledge a"
                " job before it reports on it"
            )
        elif job.status == wanted:
            text = (
                f"The status of job with id {job.id} is already set to the desired value. It cannot"
                " be updated with the same status, but different result or output variables."
            )
        else:
            text = f"Job with id {job.id} has already terminated"
        raise ServiceError("InvalidJobStateException", text)

    def _continue(self, job: JobRecord, result: JobSuccess) -> None:
        """Create the job that gets the token: the same action, execution and artifacts."""
        stream = job.stream.at("continuation")
        facts = job.facts._replace(
            id=stream.values.job_id(), continuation_token=result.continuation_token
        )
        job.continuation = JobRecord(
            facts,
            job.kind,
            stream,
            self._clock.now,
            client_id=job.client_id,
            client_token=job.client_token,
            allow=job.allow,
            given=job.given,
            previous=job,
            permissions=job.permissions,
            role=job.role,
            declared_timeout=job.declared_timeout,
            delay=limits.LAMBDA_CONTINUATION if job.kind == "lambda" else 0.0,
        )
        self._registry.add(job.continuation)
        self._queue.add(job.continuation)

    def _find(self, job_id: str) -> JobRecord:
        job = self._registry.jobs.get(job_id)
        if job is None or job.kind == "third-party":
            raise _not_found(job_id)
        return job

    def _find_third_party(self, request: Request) -> JobRecord:
        job = self._registry.jobs.get(request["jobId"])
        if job is None or job.kind != "third-party":
            raise _not_found(request["jobId"])
        if request["clientToken"] != job.client_token:
            raise ServiceError(
                "InvalidClientTokenException",
                f"The client token is not the one of job {job.id}'s client {job.client_id}",
            )
        return job


def _check_query(registered: RegisteredActionType, query: Mapping[str, str]) -> None:
    if not registered.declared:
        if not query:
            return
        unknown = sorted(query.keys() - registered.seen)
        if unknown:
            raise invalid(
                f"queryParam: no job of {registered.action_type} has been configured with"
                f" {unknown}, only with {sorted(registered.seen)}, so it cannot be a queryable"
                " property"
            )
        return
    queryable = registered.queryable
    if queryable is None and query:
        raise invalid(
            f"queryParam must be empty: {registered.action_type} has no queryable property, got"
            f" {sorted(query)}"
        )
    if queryable is not None and list(query) != [queryable]:
        raise invalid(
            f"queryParam must give a value for {queryable!r}, the queryable property of"
            f" {registered.action_type}, got {sorted(query)}"
        )


def _why_refused(job: JobRecord, nonce: str) -> str:
    if not job.is_open:
        return f"the job has ended: {job.status}"
    if nonce != job.nonce:
        return f"the job is {job.status}, and {nonce!r} is not its current nonce"
    if job.status == "Queued":
        return "the job is Queued: it was not acknowledged in time and waits to be handed out again"
    return "another job worker has already claimed the job"


def _bytes(text: str) -> int:
    # JSON escapes can express half of a surrogate pair, which UTF-8 cannot encode.
    return len(text.encode("utf-8", "surrogatepass"))


def _not_found(job_id: str) -> ServiceError:
    return ServiceError("JobNotFoundException", f"Job with id '{job_id}' does not exist")
