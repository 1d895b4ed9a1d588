"""The router: decides how each call is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.call_sites import Site
from pytest_cpjob.clients import credentials as credentials_of
from pytest_cpjob.clients.call_record import CallRecord, job_ids_of
from pytest_cpjob.clients.pending_call import PendingCall
from pytest_cpjob.clients.responses import Answer, answered, refused, refused_by_s3, success
from pytest_cpjob.clients.role_check import RoleCheck, refusal
from pytest_cpjob.clients.touched_objects import touched
from pytest_cpjob.documents.facts import JobFacts
from pytest_cpjob.service.call_log import StoppedCall
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.faults import Fault
from pytest_cpjob.service.grants import Grant
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.service.results import POLLS, RESULTS
from pytest_cpjob.threads import CallListener, current_run

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.access import Access, Verdict
    from pytest_cpjob.artifacts.presented import Presented

_MISSING: Final = frozenset({"NoSuchKey", "404"})
_STORES: Final = frozenset({"PutObject", "CompleteMultipartUpload"})
"""The operations of S3 after which there is an object that the caller has sent."""


class CallRouter:
    """Answers CodePipeline's calls from the service, and checks S3's on artifact buckets.

    Attributes:
        record: where each call is noted when it has ended.
        outside_runs: who is told of calls that no run makes.
        endpoint_url: where the same stub is served over HTTP: what this process sends there is
            judged and recorded when it arrives.
    """

    def __init__(
        self,
        service: JobService,
        *,
        account_id: str,
        region: str,
        access: Callable[[], Access],
        is_in_store: Callable[[str, Mapping[str, Any]], bool],
        on_result: Callable[[JobRecord], None],
        on_stopped: Callable[[StoppedCall], None],
        on_stored: Callable[[str, str, Site | None], None],
        roles: RoleCheck,
    ) -> None:
        self._service = service
        self._account_id = account_id
        self._region = region
        self._access = access
        self._is_in_store = is_in_store
        self._on_result = on_result
        self._other_roles: set[str] = set()
        self._on_stopped = on_stopped
        self._on_stored = on_stored
        self._roles = roles
        self.record = CallRecord(service)
        self.outside_runs: CallListener | None = None
        self.endpoint_url: str | None = None

    def begin(self, call: PendingCall) -> None:
        """Tell whoever runs the code that it calls; what that raises ends the call unnoted."""
        listener = current_run() or self.outside_runs
        if listener is not None and not call.by_test:
            listener.calling(call)

    # -- answers ---------------------------------------------------------------------------------

    def serves(self, call: PendingCall) -> bool:
        """Whether the service itself answers the call."""
        return call.service == "codepipeline" and self._service.answers(
            call.operation, call.request
        )

    def answer(
        self, call: PendingCall, params: Mapping[str, Any], url: str, credentials: object
    ) -> Answer | None:
        """Apply a fault, answer from the service, deny S3 access, or let the call pass (None)."""
        presented = credentials_of.read(credentials)
        caller = call.caller
        call.caller = self._service.call_log.caller(
            caller.client, caller.thread, presented.access_key_id, caller.by_test
        )
        if self.endpoint_url is not None and call.service != "codepipeline":
            call.is_the_endpoints = url.startswith(self.endpoint_url)
            if call.is_the_endpoints:
                return None
        if not call.by_test:
            call.fault = self._service.faults.take(
                call.service, call.operation, lambda: self._jobs_about(call, presented)
            )
            if call.fault is not None and not call.fault.after:
                if call.service == "s3":
                    self._note_owners(call, params, presented)
                return _meet(call.fault, call, url)
        if self.serves(call):
            return self._denied(call, url, presented) or self._answer(call, url, presented)
        if call.service == "s3" and not call.by_test:
            presented = credentials_of.resolve(credentials, presented)
            refused_to_it = self._judge(call, params, url, presented)
            if refused_to_it is not None:
                return refused_to_it
        denied_to_role = self._denied(call, url, presented)
        if denied_to_role is not None:
            return denied_to_role
        call.is_in_store = self._is_in_store(call.service, params)
        return None

    def answer_shortly(self, call: PendingCall, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a valid request from the service, if nothing stands in the way of a success.

        None: something does, and nothing has been changed. What the service refuses is noted, so
        that it is asked once.

        What `answer` does beyond this has no effect on a success of an operation on jobs: there is
        no fault to apply, no role to judge, no artifact, and pipelines go on after other ones only.
        """
        service, operation = self._service, call.operation
        if service.faults.is_set_up or (self._roles.is_needed and not call.by_test):
            return None
        job_id = request.get("jobId")
        job = None if job_id is None else service.registry.jobs.get(job_id)
        if job is not None:
            call.job, call.state = job, job.status
        answer, call.changes = service.call_accepted(operation, request, call.caller)
        if isinstance(answer, ServiceError):
            call.refusal = answer
            return None
        call.request = request
        if job_id is None:  # a poll; most have found nothing
            if answer["jobs"]:
                call.job_ids = job_ids_of(request, answer)
        else:
            call.job_ids = (job_id,)
            if job is not None and not call.by_test and operation in RESULTS:
                self._on_result(job)
        return success(answer)

    def passed(self, call: PendingCall, http: Any, parsed: dict[str, Any]) -> None:
        """Hide missing objects as S3 does, remember other roles' keys, apply a lost answer."""
        if call.hides_missing and parsed.get("Error", {}).get("Code") in _MISSING:
            head = call.operation == "HeadObject"
            from pytest_cpjob.artifacts.access import denied

            _become(http, parsed, refused_by_s3("", denied(), head=head))
        if call.service == "sts" and "AccessKeyId" in parsed.get("Credentials", {}):
            self._other_roles.add(parsed["Credentials"]["AccessKeyId"])
        if call.service == "s3" and call.operation in _STORES and "Error" not in parsed:
            self._stored(call)
        if call.fault is not None and call.fault.after and call.service != "codepipeline":
            _become(http, parsed, _meet(call.fault, call, ""))

    def _stored(self, call: PendingCall) -> None:
        bucket, key = call.request.get("Bucket"), call.request.get("Key")
        if bucket and key and not call.by_test and not call.is_the_endpoints:
            self._on_stored(str(bucket), str(key), call.site)

    def _jobs_about(self, call: PendingCall, presented: Presented) -> list[JobFacts]:
        """Return the jobs that a call is about before it is answered: of a poll those it waits for.

        A call that names no job is about the one whose credentials it has, or else the one that
        its thread works on.
        """
        registry = self._service.registry
        if call.service == "codepipeline" and call.operation in POLLS:
            wanted = call.request.get("actionTypeId")
            return [
                job.facts
                for job in registry.jobs.values()
                if job.status == "Queued" and job.facts.action_type._asdict() == wanted
            ]
        grant = self._service.grants.find(presented.access_key_id)
        named = call.request.get("jobId") if call.service == "codepipeline" else None
        job_id = named or (self.record.worked_on(current_run()) if grant is None else grant.job_id)
        found = registry.jobs.get(job_id) if isinstance(job_id, str) else None
        return [] if found is None else [found.facts]

    # -- the function's own role -----------------------------------------------------------------

    def _denied(self, call: PendingCall, url: str, presented: Presented) -> Answer | None:
        """Refuse what the function's own role may not do, where its policies are known."""
        if call.by_test or not self._roles.is_needed or call.holder == "job":
            return None
        if presented.access_key_id in self._other_roles or self._service.grants.find(
            presented.access_key_id
        ):
            return None
        call.denial = self._roles.denial(
            call,
            presented,
            _job_of_the_run(),
            # Another process's calls, which come without a URL here, are never the test's.
            is_tested=current_run() is not None or not url,
        )
        if call.denial is None:
            return None
        error = refusal(call, call.denial, partition_of(self._region), self._account_id)
        call.message = error.message
        if call.service == "codepipeline":
            call.job_ids = job_ids_of(call.request, None)
        if call.service == "s3":
            return refused_by_s3(url, error, head=call.operation.startswith("Head"))
        return refused(url, error)

    # -- CodePipeline ----------------------------------------------------------------------------

    def _answer(self, call: PendingCall, url: str, presented: Presented) -> Answer:
        request = call.request
        grant = self._service.grants.find(presented.access_key_id)
        if grant is not None:
            return refused(url, self._refuse_artifact_credentials(call, grant, presented))
        answer: dict[str, Any] | ServiceError
        if call.refusal is not None:
            job, answer = call.job, call.refusal
        else:
            job_id = request.get("jobId")  # may be of any type over HTTP
            job = self._service.registry.jobs.get(job_id) if isinstance(job_id, str) else None
            call.job, call.state = job, job.status if job is not None else None
            answer, call.changes = self._service.call(call.operation, request, call.caller)
        if call.by_test:
            self._service.go_on_after(call.operation)
        call.job_ids = job_ids_of(request, answer)
        reported = call.operation in RESULTS and isinstance(answer, dict)
        if reported and job is not None and not call.by_test:
            self._on_result(job)
        if call.fault is not None:
            return _meet(call.fault, call, url)
        if isinstance(answer, ServiceError):
            call.message = answer.message
            return refused(url, answer)
        return answered(url, answer)

    def _refuse_artifact_credentials(
        self, call: PendingCall, grant: Grant, presented: Presented
    ) -> ServiceError:
        """Say why artifact credentials open nothing here: who they are is looked at first."""
        if presented.session_token != grant.credentials.session_token:
            return ServiceError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        if self._service.clock.now >= grant.expires_at:
            return ServiceError(
                "ExpiredTokenException", "The security token included in the request is expired"
            )
        job = self._service.registry.jobs[grant.job_id]
        return ServiceError(
            "AccessDeniedException",
            f"User: arn:{partition_of(job.facts.region)}:sts::{job.facts.account_id}:assumed-role/"
            f"{job.role}/1624294113598 is not authorized to perform: codepipeline:"
            f"{call.operation}",
        )

    # -- S3 --------------------------------------------------------------------------------------

    def _judge(
        self, call: PendingCall, params: Mapping[str, Any], url: str, presented: Presented
    ) -> Answer | None:
        if presented.access_key_id in self._other_roles:
            presented = presented._replace(own_role=True)
        access = self._access()
        for operation, bucket, key in touched(call.operation, params):
            verdict = access.judge(operation, bucket, key, presented)
            if verdict is None:
                continue
            self._note(call, verdict, bucket, key)
            if verdict.error is not None:
                call.message = verdict.error.message
                head = call.operation.startswith("Head")
                return refused_by_s3(url, verdict.error, head=head)
            call.hides_missing = call.hides_missing or verdict.holder == "job"
        return None

    def _note(
        self, call: PendingCall, verdict: Verdict, bucket: str | None, key: str | None
    ) -> None:
        """Record which jobs an artifact belongs to, and whose credentials were used on it."""
        owners = tuple(self._service.registry.owners.get((bucket or "", key or ""), ()))
        holder: str = verdict.holder
        if verdict.job_id is not None and owners and verdict.job_id not in owners:
            holder = "other-job"
        mine = (verdict.job_id,) if holder == "job" and verdict.job_id else owners
        call.job_ids = tuple(dict.fromkeys((*call.job_ids, *mine)))
        call.holder = holder if call.holder in (None, "job") else call.holder

    def _note_owners(
        self, call: PendingCall, params: Mapping[str, Any], presented: Presented
    ) -> None:
        """Record whose artifacts a call was about if a fault comes before the access check."""
        grant = self._service.grants.find(presented.access_key_id)
        for _, bucket, key in touched(call.operation, params):
            owners = tuple(self._service.registry.owners.get((bucket or "", key or ""), ()))
            mine = (grant.job_id,) if grant is not None and grant.job_id in owners else owners
            call.job_ids = tuple(dict.fromkeys((*call.job_ids, *mine)))

    # -- the end ---------------------------------------------------------------------------------

    def finish(self, call: PendingCall, error: BaseException | None) -> None:
        """Record the call in the call log, and notify the runner."""
        run = current_run()
        if not call.is_the_endpoints:
            self.record.add(call, error, run)
        listener = run or self.outside_runs
        if listener is not None and not call.by_test:
            listener.called(call, error)

    def stopped(self, what: str, site: Site | None = None, *, in_moto: bool = False) -> None:
        """Note what nothing answered: the network guard stopped it, or moto does not have it."""
        job_id = self.record.worked_on(current_run())
        self._on_stopped(StoppedCall(what, job_id, site, in_moto))


def _job_of_the_run() -> str | None:
    run = current_run()
    return None if run is None else run.job_id


def _meet(fault: Fault, call: PendingCall, url: str) -> Answer:
    """Return or raise what the caller of a call with a fault gets."""
    if isinstance(fault.error, Exception):
        raise fault.error
    text = f"{call.operation} failed as the test set up by cpjob.fail"
    error = ServiceError(fault.error, text if fault.message is None else fault.message)
    call.message = error.message
    if call.service == "s3":
        return refused_by_s3(url, error, head=call.operation.startswith("Head"))
    return refused(url, error)


def _become(http: Any, parsed: dict[str, Any], answer: Answer) -> None:
    """Replace the content of moto's answer, in place, by that of ours."""
    response, body = answer
    http.status_code = response.status_code
    parsed.clear()
    parsed.update(body)
