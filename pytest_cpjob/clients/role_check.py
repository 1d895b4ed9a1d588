"""Whether the function's own role may make a call, where its policies are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.clients.pending_call import PendingCall
from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION
from pytest_cpjob.service.errors import ServiceError
from pytest_cpjob.service.jobs import JobRecord
from pytest_cpjob.settings import Settings

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.presented import Presented
    from pytest_cpjob.iam.denials import Denial
    from pytest_cpjob.iam.operations import Place
    from pytest_cpjob.iam.policies import Permissions

_CODES: Final = {
    "codepipeline": ("AccessDeniedException", 400),
    "ec2": ("UnauthorizedOperation", 403),
    "sns": ("AuthorizationError", 403),
    **dict.fromkeys(
        ("cloudformation", "cloudfront", "cloudwatch", "iam", "rds", "route53", "s3", "sqs", "sts"),
        ("AccessDenied", 403),
    ),
}
"""The error of services whose denial is not AccessDeniedException with status 400."""


class RoleCheck:
    """Judges own-role calls; nothing of IAM is imported while no role's policies are known.

    Attributes:
        made_up: names that a definition leaves open, with the patterns of what AWS would make.
        is_needed: whether some role's policies are known.
    """

    def __init__(self, settings: Settings, jobs: Mapping[str, JobRecord]) -> None:
        self._settings = settings
        self._jobs = jobs
        self._option: Permissions | None = None
        self.made_up: dict[str, str] = {}
        self.is_needed = False
        if settings.role_policy is not None:
            from pytest_cpjob.iam.role_policies import permissions_given

            self._option = permissions_given(settings.role_policy)
            self.is_needed = True

    def denial(
        self, call: PendingCall, presented: Presented, running_job: str | None, *, is_tested: bool
    ) -> Denial | None:
        """Return why a call is denied; None where it is allowed, or nobody can tell.

        Args:
            running_job: the job for which code under test is being run.
            is_tested: whether it is surely the code under test that calls.
        """
        if not presented.own_role or presented.access_key_id is None:
            return None
        job = None if running_job is None else self._jobs.get(running_job)
        if call.service == "codepipeline":
            named = call.request.get("jobId")  # over HTTP, of any type
            job = job or (self._jobs.get(named) if isinstance(named, str) else None)
        elif not is_tested:
            # It may be the test that calls, to prepare what the code under test will find.
            return None
        permissions = self._option if job is None or job.permissions is None else job.permissions
        if permissions is None:
            return None
        return self._judge(call, permissions, job)

    def _judge(
        self, call: PendingCall, permissions: Permissions, job: JobRecord | None
    ) -> Denial | None:
        from pytest_cpjob.iam.denials import denial_of
        from pytest_cpjob.iam.operations import permissions_for

        for needed in permissions_for(call.service, call.operation, call.request, self._place(job)):
            verdict = permissions.judge(needed.action, needed.resource)
            if verdict.answer == "denied":
                return denial_of(needed, verdict)
        return None

    def _place(self, job: JobRecord | None) -> Place:
        from pytest_cpjob.iam.operations import Place
        from pytest_cpjob.iam.patterns import ONE_PART

        region = self._settings.region if job is None else job.facts.region
        account = self._settings.account_id if job is None else job.facts.account_id
        # What nobody chose is not held against a policy that names a real region and account.
        loose = (
            ONE_PART if region == BUILT_IN_REGION else region,
            ONE_PART if account == BUILT_IN_ACCOUNT else account,
        )
        return Place(partition_of(region), region, account, loose, self._loosely)

    def _loosely(self, name: str) -> str:
        for generated, pattern in self.made_up.items():
            if generated in name:
                name = name.replace(generated, pattern)
        return name


def refusal(call: PendingCall, denial: Denial, partition: str, account_id: str) -> ServiceError:
    """Return the error of a denied call, as the service words it."""
    code, status = _CODES.get(call.service, ("AccessDeniedException", 400))
    if call.service == "s3":
        return ServiceError(code, "Access Denied", status)
    text = (
        f"User: arn:{partition}:sts::{account_id}:assumed-role/FunctionRole/function is not"
        f" authorized to perform: {denial.action}"
    )
    if call.service != "codepipeline" and denial.resource.startswith("arn:"):
        text = f"{text} on resource: {denial.resource}"
    return ServiceError(code, f"{text} {denial.because}", status)
