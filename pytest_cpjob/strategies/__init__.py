"""Hypothesis strategies for everything that AWS could send about a job.

`pip install "pytest-cpjob[hypothesis]"`. A strategy generates what the factory of the same name
returns, and takes the factory's keyword arguments: a given one is fixed, to a value or to a
strategy of values; an omitted one is anything that AWS could send, up to the maximum length. A
failing example shrinks to the simplest job that still fails: no artifacts, no encryption key, the
default region and account, and names as the factories draw them.

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
    """Generate GetJobDetails responses, for jobs of custom actions and of Lambda actions.

    Takes what `cpjob_details_factory` takes; with `user_parameters` or `function_name` fixed, every
    job is a Lambda action's. Model shape: GetJobDetailsOutput.

    >>> given(job_details(input_artifacts=["Source"]))                  # doctest: +SKIP
    """
    jobs = any_job("any", _known("job_details", fixed, LambdaArguments))
    return made_of(lambda job: render.job_details(job.facts, job.credentials), jobs)


def poll_jobs(**fixed: Unpack[JobArguments]) -> SearchStrategy[PollJob]:
    """Generate jobs as PollForJobs returns them, each an element of its `jobs`.

    Takes what `cpjob_details_factory` takes, except for the arguments of Lambda jobs. Model
    shape: Job.

    >>> lists(poll_jobs(), unique_by=lambda job: job["id"])             # doctest: +SKIP
    """
    jobs = any_job("custom", _known("poll_jobs", fixed, JobArguments))
    return made_of(
        lambda job, nonce: render.poll_job(job.facts, job.credentials, nonce), jobs, any_nonce()
    )


def third_party_job_details(
    **fixed: Unpack[PartnerArguments],
) -> SearchStrategy[GetThirdPartyJobDetailsResponse]:
    """Generate GetThirdPartyJobDetails responses.

    Takes what `cpjob_third_party_details_factory` takes. A job id is a UUID unless it is given,
    as PollForThirdPartyJobs returns no other. Model shape: GetThirdPartyJobDetailsOutput.
    """
    jobs = any_job("third-party", _known("third_party_job_details", fixed, PartnerArguments))
    return made_of(
        lambda job, nonce: render.third_party_job_details(job.facts, job.credentials, nonce),
        jobs,
        any_nonce(),
    )


def lambda_events(**fixed: Unpack[LambdaArguments]) -> SearchStrategy[LambdaEvent]:
    """Generate the events with which CodePipeline invokes Lambda functions.

    Takes what `cpjob_event_factory` takes. `UserParameters` is absent, JSON, or any text.

    >>> given(lambda_events(user_parameters=user_parameters()))         # doctest: +SKIP
    """
    jobs = any_job("lambda", _known("lambda_events", fixed, LambdaArguments))
    return made_of(
        lambda job: render.lambda_event(job.facts, job.credentials, job.expiration_time), jobs
    )


# -- their parts -----------------------------------------------------------------------------------


def artifacts(**fixed: Unpack[ArtifactArguments]) -> SearchStrategy[Artifact]:
    """Generate single artifacts, with and without `revision`.

    Takes what `cpjob_artifact_factory` takes. Model shape: Artifact.
    """
    return any_artifact(_known("artifacts", fixed, ArtifactArguments))


def credentials() -> SearchStrategy[AWSSessionCredentials]:
    """Generate artifact credentials, which look like STS's and give access to nothing.

    Model shape: AWSSessionCredentials.
    """
    return drawn_by(lambda values: Credentials.draw(values.generator.random).as_dict())


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
    """Generate pipeline contexts; with `third_party=True`, without ARN and execution id.

    Takes what `cpjob_pipeline_context_factory` takes. Model shape: PipelineContext.
    """
    jobs = any_context(_known("pipeline_contexts", fixed, ContextArguments))
    make: Any = render.third_party_pipeline_context if third_party else render.pipeline_context
    contexts: SearchStrategy[Any] = made_of(make, jobs)
    return contexts


def user_parameters() -> SearchStrategy[str]:
    """Generate a Lambda action's `UserParameters`: JSON, or any text of 1 to 50,000 characters.

    Model shape: ActionConfigurationValue, with the live service's maximum.
    """
    return any_user_parameters()


def continuation_tokens() -> SearchStrategy[str]:
    """Generate continuation tokens: JSON as in AWS's example, or any 1 to 2,048 characters.

    Model shape: ContinuationToken.
    """
    return any_continuation_token()


# -- what is reported ------------------------------------------------------------------------------


def output_variables() -> SearchStrategy[dict[str, str]]:
    """Generate output variables that CodePipeline accepts, up to 122,880 bytes in total.

    Model shape: OutputVariablesMap; the total is the user guide's, on its page of limits.
    """
    names = any_of_shape("OutputVariablesKey")
    few = st.dictionaries(names, any_text(ANY_CHARACTER, 0, 1000), max_size=10)
    return few | made_of(_most, names, st.sampled_from(("a", "ü", "語")))


def failure_messages() -> SearchStrategy[str]:
    """Generate a failure result's message: any 1 to 5,000 characters.

    Model shape: Message.
    """
    return any_of_shape("Message")


def failure_details() -> SearchStrategy[FailureDetails]:
    """Generate a failure result's `failureDetails`, with and without `externalExecutionId`.

    Model shape: FailureDetails.
    """
    types: list[Any] = load().shapes["FailureType"]["enum"]
    always = {"type": st.sampled_from(types), "message": failure_messages()}
    details: SearchStrategy[Any] = st.fixed_dictionaries(
        always, optional={"externalExecutionId": any_of_shape("ExecutionId")}
    )
    return details


def _most(name: str, letter: str) -> dict[str, str]:
    """Return one output variable of the maximum total size."""
    count, rest = divmod(OUTPUT_VARIABLES_BYTES - len(name), len(letter.encode()))
    return {name: letter * count + "a" * rest}


def _known(strategy: str, fixed: Mapping[str, Any], arguments: Any) -> Mapping[str, Any]:
    """Return the fixed arguments, after checking that the factory takes each name."""
    for name in fixed:
        if name not in arguments.__optional_keys__:
            known = sorted(arguments.__optional_keys__)
            raise TypeError(f"{strategy}() takes no argument {name!r}{nearest(name, known)}")
    return fixed
