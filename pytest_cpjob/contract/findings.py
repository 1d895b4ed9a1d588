"""The findings: their names, what CodePipeline makes of each, and how each is allowed.

This is the one table of the contract's wording. The checks say what the code did; the table says
what would have come of it, in AWS's own words where they are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_cpjob.errors import ContractError

CONSEQUENCES: Final = {
    "no-result": "CodePipeline waits until the action times out, then fails it{words}",
    "raised": (
        "Lambda runs the same event up to two more times; unless one of them reports,"
        " CodePipeline waits until the action times out, then fails it{words}"
    ),
    "raised-after-result": (
        "Lambda runs the same event again: its work is done twice, and the second result is"
        " refused with InvalidJobStateException."
    ),
    "second-result": "The first result stands; the second gets InvalidJobStateException.",
    "not-acknowledged": (
        "CodePipeline hands the job to another worker, and refuses the result of one that never"
        " acknowledged it (InvalidJobStateException)."
    ),
    "not-owner": (
        "Another worker has the job: what this one reports ends, or fails, work that is not its"
        " own."
    ),
    "missing-output": (
        "CodePipeline shows the action as succeeded; the next action that reads the artifact fails"
        ' with "Unable to access the artifact with Amazon S3 object key".'
    ),
    "output-encryption": (
        "An action in another account, or one that may use the pipeline's key only, cannot read"
        " the artifact."
    ),
    "own-role": "{words}",
    "refused-request": (
        "AWS does not take this request, so nothing that it was to report or do has happened."
    ),
    "leaked-secret": "Whoever reads it can use the secret while it is good: logs are kept.",
    "unfaked-call": "In the pipeline this call is real; here it was stopped, and tests nothing.",
    "unused-fault": "The test did not test what it set up.",
    "not-permitted": "AWS refuses the call: {words}",
    "running-thread": (
        "The thread goes on after its test, and could call AWS; it stays cut off until it ends."
    ),
}

NO_REPLY: Final = (
    ': "The AWS Lambda function {name} failed to return a result. Check the function to verify'
    " that it has permission to call the PutJobSuccessResult action and that it made a call to"
    ' PutJobSuccessResult."'
)
"""What CodePipeline shows of a Lambda action without a reply (seen in five public threads)."""

OWN_ROLE: Final = (
    "The function's own role needs access to the artifact bucket, and reads what no pipeline gave"
    " it; artifactCredentials are for these objects and no others."
)
NOT_THE_JOBS: Final = (
    "S3 refuses them: a job's artifactCredentials are for the artifacts of that job and no others."
)


class Finding(NamedTuple):
    """One thing that CodePipeline could not have lived with.

    Attributes:
        name: as `allow=[...]` takes it.
        job_id: the job that it is about, None where it is about none.
        what: what the code did.
        words: what is put into the table's sentence.
    """

    name: str
    job_id: str | None
    what: str
    words: str = "."

    def told(self, *, in_pytest: bool) -> str:
        """Give the finding as one bullet: what happened, what comes of it, how to allow it."""
        consequence = CONSEQUENCES[self.name].replace("{words}", self.words)
        return f"- {self.name}: {self.what}\n  {consequence}\n  {self._way_out(in_pytest)}"

    def _way_out(self, in_pytest: bool) -> str:
        if self.words == OWN_ROLE:
            return (
                "Make the S3 client from the job's artifactCredentials, or open the bucket to the"
                f" handler's own role with {_written('own_role=True', in_pytest)}"
            )
        allow = f"To allow it: {_written(f'allow=[{_quoted(self.name)}]', in_pytest)}"
        if self.words == NOT_THE_JOBS:
            return f"{allow}; own_role=True is for the handler's own role only"
        return allow


def _written(option: str, in_pytest: bool) -> str:
    """Give an option as it is written: on the marker, or where a stub is made."""
    marker = f"@pytest.mark.cpjob({option})"
    return marker if in_pytest else f"CodePipelineStub({option}) or {marker}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def error_of(findings: Sequence[Finding], *, in_pytest: bool = True) -> ContractError:
    """Give the error that reports the findings, one bulleted list."""
    names = tuple(finding.name for finding in findings)
    return ContractError(report_of(findings, in_pytest=in_pytest), names)


def report_of(findings: Sequence[Finding], *, in_pytest: bool = True) -> str:
    """Give the findings as text; outside the plugin's fixture a stub's arguments allow them."""
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    listed = "\n".join(finding.told(in_pytest=in_pytest) for finding in findings)
    return f"{count}: CodePipeline could not have lived with what this code did.\n{listed}"
