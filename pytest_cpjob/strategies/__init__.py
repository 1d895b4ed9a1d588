"""Hypothesis strategies: whatever AWS could send about a job, down to the plainest document.

`pip install "pytest-cpjob[hypothesis]"`. A strategy gives what the factory of its name returns. It
takes the factory's keyword arguments: one that is given is fixed, to a value or to a strategy of
values; one that is left out is anything that AWS could send, of the greatest length too. A failing
example shrinks to the plainest job that still fails: no artifacts, no encryption key, the built-in
region and account, and names as the factories draw them.

>>> @given(job_details(pipeline_name="web"))
... def test_every_job_has_a_title(details):
...     assert title_of(details["jobDetails"]).startswith("web")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from pytest_cpjob.aws.codepipeline_model import load
from pytest_cpjob.documents import render
from pytest_cpjob.documents.facts import Credentials
from pytest_cpjob.documents.type_defs import (
    Artifact,
    AWSSessionCredentials,
    GetJobDetailsResponse,
    GetThirdPartyJobDetailsResponse,
    LambdaEvent,
    PipelineContext,
    PollJob,
    ThirdPartyPipelineContext,
)
from pytest_cpjob.service.limits import OUTPUT_VARIABLES_BYTES
from pytest_cpjob.settings import nearest
from pytest_cpjob.strategies.jobs import (
    ArtifactArguments,
    ContextArguments,
    JobArguments,
    LambdaArguments,
    PartnerArguments,
    any_artifact,
    any_context,
    any_job,
)
from pytest_cpjob.strategies.values import (
    ANY_CHARACTER,
    any_continuation_token,
    any_nonce,
    any_of_shape,
    any_text,
    any_user_parameters,
    drawn_by,
    made_of,
)

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "FailureDetails",
    "artifacts",
    "continuation_tokens",
    "credentials",
    "failure_details",
    "failure_messages",
    "job_details",
    "lambda_events",
    "output_variables",
    "pipeline_contexts",
    "poll_jobs",
    "third_party_job_details",
    "user_parameters",
]


class _FailureDetailsAlways(TypedDict):
    type: Literal[
        "ConfigurationError",
        "JobFailed",
        "PermissionError",
        "RevisionOutOfSync",
        "RevisionUnavailable",
        "SystemUnavailable",
    ]
    message: str


class FailureDetails(_FailureDetailsAlways, total=False):
    """What a failure result says; model shape FailureDetails."""

    externalExecutionId: str


# -- documents -------------------------------------------------------------------------------------


def job_details(**fixed: Unpack[LambdaArguments]) -> SearchStrategy[GetJobDetailsResponse]:
    """Give GetJobDetails responses, of custom actions' jobs and of Lambda's.

    Takes what `cpjob_details_factory` takes; with `user_parameters` or `function_name` fixed, every
    job is a Lambda's. Model shape: GetJobDetailsOutput.

    >>> given(job_details(input_artifacts=["Source"]))                  # doctest: +SKIP
    """
    jobs = any_job("any", _known("job_details", fixed, LambdaArguments))
    return made_of(lambda job: render.job_details(job.facts, job.credentials), jobs)


def poll_jobs(**fixed: Unpack[JobArguments]) -> SearchStrategy[PollJob]:
    """Give jobs as PollForJobs hands them out: one element of its `jobs` each.

    Takes what `cpjob_details_factory` takes, without the arguments of Lambda's jobs. Model shape:
    Job.

    >>> lists(poll_jobs(), unique_by=lambda job: job["id"])             # doctest: +SKIP
    """
    jobs = any_job("custom", _known("poll_jobs", fixed, JobArguments))
    return made_of(
        lambda job, nonce: render.poll_job(job.facts, job.credentials, nonce), jobs, any_nonce()
    )


def third_party_job_details(
    **fixed: Unpack[PartnerArguments],
) -> SearchStrategy[GetThirdPartyJobDetailsResponse]:
    """Give GetThirdPartyJobDetails responses.

    Takes what `cpjob_third_party_details_factory` takes. A job id is a UUID unless it is given:
    PollForThirdPartyJobs hands out no other. Model shape: GetThirdPartyJobDetailsOutput.
    """
    jobs = any_job("third-party", _known("third_party_job_details", fixed, PartnerArguments))
    return made_of(
        lambda job, nonce: render.third_party_job_details(job.facts, job.credentials, nonce),
        jobs,
        any_nonce(),
    )


def lambda_events(**fixed: Unpack[LambdaArguments]) -> SearchStrategy[LambdaEvent]:
    """Give the events that CodePipeline invokes Lambda functions with.

    Takes what `cpjob_event_factory` takes. `UserParameters` is absent, JSON, or any text.

    >>> given(lambda_events(user_parameters=user_parameters()))         # doctest: +SKIP
    """
    jobs = any_job("lambda", _known("lambda_events", fixed, LambdaArguments))
    return made_of(
        lambda job: render.lambda_event(job.facts, job.credentials, job.expiration_time), jobs
    )


# -- their parts -----------------------------------------------------------------------------------


def artifacts(**fixed: Unpack[ArtifactArguments]) -> SearchStrategy[Artifact]:
    """Give single artifacts, with `revision` and without.

    Takes what `cpjob_artifact_factory` takes. Model shape: Artifact.
    """
    return any_artifact(_known("artifacts", fixed, ArtifactArguments))


def credentials() -> SearchStrategy[AWSSessionCredentials]:
    """Give artifact credentials, which look like STS's and open nothing.

    Model shape: AWSSessionCredentials.
    """
    return drawn_by(lambda values: Credentials.draw(values).as_dict())


@overload
def pipeline_contexts(
    *, third_party: Literal[False] = False, **fixed: Unpack[ContextArguments]
) -> SearchStrategy[PipelineContext]: ...


@overload
def pipeline_contexts(
    *, third_party: Literal[True], **fixed: Unpack[ContextArguments]
) -> SearchStrategy[ThirdPartyPipelineContext]: ...


def pipeline_contexts(
    *, third_party: bool = False, **fixed: Unpack[ContextArguments]
) -> SearchStrategy[PipelineContext] | SearchStrategy[ThirdPartyPipelineContext]:
    """Give pipeline contexts; with `third_party=True` a partner's, without ARN and execution id.

    Takes what `cpjob_pipeline_context_factory` takes. Model shape: PipelineContext.
    """
    jobs = any_context(_known("pipeline_contexts", fixed, ContextArguments))
    make: Any = render.third_party_pipeline_context if third_party else render.pipeline_context
    contexts: SearchStrategy[Any] = made_of(make, jobs)
    return contexts


def user_parameters() -> SearchStrategy[str]:
    """Give a Lambda action's `UserParameters`: JSON, then any text of 1 to 50,000 characters.

    Model shape: ActionConfigurationValue, with the live service's maximum.
    """
    return any_user_parameters()


def continuation_tokens() -> SearchStrategy[str]:
    """Give continuation tokens: JSON as in AWS's example, then any 1 to 2,048 characters.

    Model shape: ContinuationToken.
    """
    return any_continuation_token()


# -- what is reported ------------------------------------------------------------------------------


def output_variables() -> SearchStrategy[dict[str, str]]:
    """Give output variables that CodePipeline takes, to 122,880 bytes of names and values.

    Model shape: OutputVariablesMap; the total is the user guide's, on its page of limits.
    """
    names = any_of_shape("OutputVariablesKey")
    few = st.dictionaries(names, any_text(ANY_CHARACTER, 0, 1000), max_size=10)
    return few | made_of(_most, names, st.sampled_from(("a", "ü", "語")))


def failure_messages() -> SearchStrategy[str]:
    """Give a failure result's message: any 1 to 5,000 characters.

    Model shape: Message.
    """
    return any_of_shape("Message")


def failure_details() -> SearchStrategy[FailureDetails]:
    """Give a failure result's `failureDetails`, with `externalExecutionId` and without.

    Model shape: FailureDetails.
    """
    types: list[Any] = load().shapes["FailureType"]["enum"]
    always = {"type": st.sampled_from(types), "message": failure_messages()}
    details: SearchStrategy[Any] = st.fixed_dictionaries(
        always, optional={"externalExecutionId": any_of_shape("ExecutionId")}
    )
    return details


def _most(name: str, letter: str) -> dict[str, str]:
    """Give one output variable as large as all of a job's may be."""
    count, rest = divmod(OUTPUT_VARIABLES_BYTES - len(name), len(letter.encode()))
    return {name: letter * count + "a" * rest}


def _known(strategy: str, fixed: Mapping[str, Any], arguments: Any) -> Mapping[str, Any]:
    """Give the fixed arguments, once every name is known to be one of the factory's."""
    for name in fixed:
        if name not in arguments.__optional_keys__:
            known = sorted(arguments.__optional_keys__)
            raise TypeError(f"{strategy}() takes no argument {name!r}{nearest(name, known)}")
    return fixed
