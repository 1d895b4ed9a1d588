"""The record of calls: each is noted when it ends, with the job that its thread works on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from pytest_cpjob.call_sites import site_of_traceback
from pytest_cpjob.clients.pending_call import PendingCall
from pytest_cpjob.errors import repr_of
from pytest_cpjob.service.call_log import Parameters
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.results import POLLS, RESULTS
from pytest_cpjob.threads import Run, current_run


class CallRecord:
    """Notes calls in the call log."""

    def __init__(self, service: JobService) -> None:
        self._clock = service.clock
        self._jobs = service.registry.jobs
        self._log = service.call_log
        self._in_hand = threading.local()

    def add(self, call: PendingCall, error: BaseException | None, run: Run | None) -> None:
        """Note a call that has ended, with the exception that its caller gets."""
        code = None if error is None else _code(error)
        request, job_ids = call.request, call.job_ids
        if type(request) is not dict:
            request = Parameters(request)
        if not job_ids and call.service == "codepipeline" and "jobId" in request:
            job_ids = call.job_ids = job_ids_of(request, None)
        if job_ids and call.job is None:
            job_ids = tuple(id for id in job_ids if id in self._jobs)
        self._log.add_call(
            (
                call.service,
                call.operation,
                request,
                code,
                job_ids,
                self._clock.now,
                threading.current_thread().name,
                call.caller,
                call.changes,
                call.message,
                call.holder,
                error if code is not None and _is_rejected(call, code) else None,
                call.fault,
                call.state,
                self.worked_on(run),
                call.denial,
                call.site,
            )
        )
        if call.service == "codepipeline" and not call.by_test:
            self._follow(call, code)

    def worked_on(self, run: Run | None) -> str | None:
        """Return the job that this thread works on, as far as its calls have shown."""
        if run is not None and run.job_id is not None:
            return run.job_id
        job_id: str | None = getattr(self._in_hand, "job_id", None)
        return job_id

    def _follow(self, call: PendingCall, code: str | None) -> None:
        """Learn which job a worker's thread has in hand: what else it calls is about that one."""
        if call.is_async:  # many tasks of one thread may each have a job in hand
            return
        if call.operation in POLLS:
            self._in_hand.job_id = call.job_ids[0] if code is None and call.job_ids else None
        elif call.job is not None:
            is_done = call.operation in RESULTS and code is None
            self._in_hand.job_id = None if is_done else call.job.id

    def raised(self, error: BaseException) -> None:
        """Note what a worker raised, with the job that its thread has in hand, if any."""
        job_id = self.worked_on(current_run())
        if job_id is not None:
            self._log.add_note(
                self._clock.now,
                job_id,
                f"the worker raised {repr_of(error)}",
                site_of_traceback(error.__traceback__),
            )


def job_ids_of(
    request: Mapping[str, Any], answer: Mapping[str, Any] | ServiceError | None
) -> tuple[str, ...]:
    """Return the jobs that a call is about; of a poll, those that were handed out."""
    if type(answer) is dict and "jobs" in answer:
        return tuple(job.get("id") or job["jobId"] for job in answer["jobs"])
    job_id = request.get("jobId")
    return (job_id,) if isinstance(job_id, str) else ()


def _is_rejected(call: PendingCall, code: str) -> bool:
    """Return whether AWS would have rejected the request as invalid."""
    if call.by_test or call.fault is not None:
        return False
    return code == "ParamValidationError" or (
        code == "ValidationException" and call.service == "codepipeline"
    )


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return str(response.get("Error", {}).get("Code", type(error).__name__))
    return type(error).__name__
