"""The findings: one table of their names, what follows from each, and how it is fixed.

The checks say what the code did. The table says what CodePipeline does then, in AWS's own words
where they are known, and what to change. `reports` puts both into a text.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from pytest_cpjob.call_sites import Place

Severity = Literal["contract", "security", "test"]
"""What is broken: CodePipeline's job contract, a secret, or what the test is worth."""

JOB: Final = "\0job\0"
"""Stands for the job in a finding's text, so that one of several jobs is told once."""


class FindingKind(NamedTuple):
    """One row of the table.

    Attributes:
        severity: what is broken.
        what: what the code did, for who reads of the finding without a test.
        consequence: what happens in a pipeline.
        fix: what to change in the code, or in the test.
    """

    severity: Severity
    what: str
    consequence: str
    fix: str

    @property
    def breaks_contract(self) -> bool:
        """Whether the code breaks CodePipeline's job contract."""
        return self.severity == "contract"


KINDS: Final[dict[str, FindingKind]] = {
    "own-role": FindingKind(
        "contract",
        "it opened artifacts with credentials other than the job's",
        "The function's own role can open the artifact bucket only if somebody gave it more"
        " rights; artifactCredentials come with each job and open exactly its artifacts.",
        "Make the S3 client from the job's artifactCredentials:"
        " boto3.Session(accessKeyId, secretAccessKey, sessionToken).client('s3').",
    ),
    "not-permitted": FindingKind(
        "contract",
        "its own role's policies, where they are known, do not allow a call",
        "AWS refuses the call.",
        "Allow it in the policy of the function's role.",
    ),
    "unfaked-call": FindingKind(
        "test",
        "it called an AWS service that nothing fakes",
        "In a pipeline this call is real; here nothing answers it, and the test shows nothing of"
        " what follows.",
        "Start moto's mock_aws() in the test, stub this client, or make the call fail:"
        " cpjob.fail('{operation}', 'AccessDeniedException', service='{service}').",
    ),
    "refused-request": FindingKind(
        "contract",
        "AWS rejected a request to CodePipeline, and the code swallowed the error",
        "AWS does not accept this request: what it was to report or do has not happened.",
        "Send what the API takes, and let the error be seen; a test that wants it expects it with"
        " pytest.raises.",
    ),
    "not-acknowledged": FindingKind(
        "contract",
        "it reported on a job that it had not acknowledged",
        "CodePipeline hands the job to another worker, and refuses the result of one that never"
        " acknowledged it (InvalidJobStateException).",
        "Call {acknowledge} with the nonce of the poll before any work on the job.",
    ),
    "not-owner": FindingKind(
        "contract",
        "it reported on a job that another worker has",
        "Another worker has the job: what this one reports ends, or fails, work that is not its"
        " own.",
        "Leave a job whose acknowledgement was refused (InvalidNonceException), and go on to the"
        " next.",
    ),
    "second-result": FindingKind(
        "contract",
        "it reported a second result",
        "The first result stands; the second gets InvalidJobStateException.",
        "Report once, as the last thing: return after a report, and keep the success report out of"
        " the `try` whose `except` reports the failure.",
    ),
    "raised": FindingKind(
        "contract",
        "it raised before it reported a result: Lambda runs the event again",
        "Lambda runs the same event up to two more times; unless one of them reports, CodePipeline"
        " waits until the action times out, then fails it{no_reply}",
        "Catch it in the handler, and report it with put_job_failure_result(jobId=...,"
        " failureDetails={'type': 'JobFailed', 'message': str(error)}).",
    ),
    "raised-after-result": FindingKind(
        "contract",
        "it raised after it had reported a result: Lambda runs the event again",
        "Lambda runs the same event again: its work is done twice, and the second result is"
        " refused with InvalidJobStateException.",
        "Report last, after everything that may raise, and do not raise again what was reported.",
    ),
    "no-result": FindingKind(
        "contract",
        "it reported nothing: the action hangs until it times out",
        "CodePipeline waits until the action times out, then fails it{no_reply}",
        "Call {success} or {failure} on every way out of the code.",
    ),
    "missing-output": FindingKind(
        "contract",
        "it reported success without uploading an output artifact",
        "CodePipeline shows the action as succeeded; the next action that reads the artifact fails"
        ' with "Unable to access the artifact with Amazon S3 object key".',
        "Upload each output artifact to the s3Location in the job before reporting success, or"
        " report a failure.",
    ),
    "output-encryption": FindingKind(
        "contract",
        "it uploaded an output without the pipeline's KMS key",
        "An action in another account, or one that may use the pipeline's key only, cannot read"
        " the artifact.",
        "Upload it with ServerSideEncryption='aws:kms' and"
        " SSEKMSKeyId=job['data']['encryptionKey']['id'].",
    ),
    "leaked-secret": FindingKind(
        "security",
        "it printed, logged, reported or uploaded credentials or secret configuration",
        "Whoever reads it can use the credentials until they expire, and logs are kept.",
        "Print, log and report the job's id instead of the whole event, job or configuration.",
    ),
    "unused-fault": FindingKind(
        "test",
        "no call met a fault that the test set up",
        "The test did not test what it set up.",
        "Compare operation, service and times with the calls that were made (cpjob.calls), or take"
        " the fault away.",
    ),
    "running-thread": FindingKind(
        "test",
        "one of its threads is still running after the test",
        "It goes on after its test and could call AWS; its calls are blocked until it ends. Lambda"
        " freezes such a thread when the handler returns.",
        "Join the thread, or tell it to stop, before the code under test returns.",
    ),
}
"""Every finding by name, causes before consequences: this is the order of a report."""

NO_REPLY: Final = (
    "The AWS Lambda function {name} failed to return a result. Check the function to verify that it"
    " has permission to call the PutJobSuccessResult action and that it made a call to"
    " PutJobSuccessResult."
)
"""What CodePipeline shows of a Lambda action that got no result in time (seen in five threads)."""

NOT_THE_JOBS: Final = (
    "S3 refuses them: a job's artifactCredentials are for the artifacts of that job and no others."
)
NO_ARTIFACT: Final = (
    "The job's artifactCredentials would be refused here as well: they open the objects of this"
    " job's artifacts and nothing else."
)


class Finding(NamedTuple):
    """One thing that the code did, or the test left undone.

    Attributes:
        name: as `allow=[...]` takes it.
        job_id: the job that it is about, None where it is about none.
        what: what the code did, a clause without its full stop; `JOB` stands for the job.
        place: where in the user's code, if it is known.
        label: the job as it is named.
        detail: what belongs to `what` on a line of its own.
        consequence: what happens then, where it is not the table's.
        fix: what to change, where it is not the table's.
        allowed_by: the option that allows it, where it is not `allow=[...]`.
        hint: what else to know before it is allowed.
        times: how often it was found.
        others: the ids of more jobs that it is about.
    """

    name: str
    job_id: str | None
    what: str
    place: Place | None = None
    label: str = ""
    detail: str = ""
    consequence: str = ""
    fix: str = ""
    allowed_by: str = ""
    hint: str = ""
    times: int = 1
    others: tuple[str, ...] = ()

    @property
    def kind(self) -> FindingKind:
        """Its row of the table."""
        return KINDS[self.name]

    @property
    def about(self) -> tuple[str, ...]:
        """The ids of the jobs that it is about."""
        return self.others if self.job_id is None else (self.job_id, *self.others)

    def said(self) -> str:
        """Return what the code did, as a sentence without its full stop."""
        others = len(self.others)
        label = self.label
        if others:
            label += f" and {others} more job{'s' * (others > 1)}"
        times = f", {self.times} times" if self.times > others + 1 else ""
        return f"{self.what.replace(JOB, label)}{times}"


def folded(found: list[Finding]) -> list[Finding]:
    """Return the findings in a report's order, with those of one line and one text as one."""
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for finding in found:
        key = (finding.name, finding.what, finding.place, finding.consequence, finding.fix)
        alike.setdefault(key, []).append(finding)
    rank = {name: number for number, name in enumerate(KINDS)}
    return sorted(map(_as_one, alike.values()), key=lambda finding: rank[finding.name])


def _as_one(findings: list[Finding]) -> Finding:
    first = findings[0]
    if len(findings) == 1:
        return first
    ids = dict.fromkeys(job_id for each in findings for job_id in (each.job_id, *each.others))
    others = tuple(job_id for job_id in ids if job_id not in (None, first.job_id))
    return first._replace(times=sum(each.times for each in findings), others=others)
