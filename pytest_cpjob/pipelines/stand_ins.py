"""Stand-ins: actions that are not run, and what they hand on in a pipeline's run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, Content
from pytest_cpjob.documents.refusals import check
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.pipelines.providers import provider_of
from pytest_cpjob.pipelines.variables import Action, references_of
from pytest_cpjob.service.results import JobFailure

_DECIDED_BY_USERS: Final = frozenset({"CodeBuild", "CloudFormation", "Commands"})
"""Providers whose output variables their users decide on."""

_REVISION_OF: Final = {"S3": "VersionId", "ECR": "ImageDigest"}
"""Which variable of a source is its revision; of repositories it is `CommitId`."""


@dataclass(frozen=True)
class StandIn:
    """What an action hands on in a pipeline's run that does not perform it.

    >>> StandIn(output_variables={"Tag": "v7"}).failure is None
    True

    Attributes:
        output_artifacts: contents by name, as `input_artifacts` of `add_job` takes them; `None`
            for an object that is missing. Artifacts that are left out are small samples.
        output_variables: by name. When left out, those that the action's provider documents.
        revision: of a source: the commit, or the object's version. Drawn when left out.
        failure: what it fails with: a text, whose type is `JobFailed`, or a `JobFailure`.

    Raises:
        ValueError: a value that AWS could not send; the text names it.
    """

    output_artifacts: Mapping[str, Content] = field(default_factory=dict)
    output_variables: Mapping[str, str] | None = None
    revision: str | None = None
    failure: str | JobFailure | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.output_artifacts, Mapping):
            raise ValueError(
                "output_artifacts: expected a dict of name to content, got"
                f" {self.output_artifacts!r:.60}"
            )
        for name, content in self.output_artifacts.items():
            if content is not None and not isinstance(content, (Mapping, Path, bytes)):
                raise ValueError(
                    f"output_artifacts[{name!r:.60}]: expected a dict of path to str or bytes, a"
                    f" Path, bytes, or None, got {content!r:.60}"
                )
        if self.output_variables is not None:
            check("output_variables", "OutputVariablesMap", self.output_variables)
        if self.revision is not None:
            check("revision", "Revision", self.revision)
        if self.failure is not None and not isinstance(self.failure, (str, JobFailure)):
            raise ValueError(f"failure: expected a text or a JobFailure, got {self.failure!r:.60}")
        if isinstance(self.failure, str):
            check("failure", "Message", self.failure)

    @property
    def job_failure(self) -> JobFailure | None:
        """The failure as a worker would have reported it."""
        if isinstance(self.failure, str):
            return JobFailure("JobFailed", self.failure)
        return self.failure

    def content_of(self, artifact: str) -> Content:
        """Return what an output artifact holds."""
        return self.output_artifacts.get(artifact, SAMPLE_SOURCE)

    def refuse_unknown(self, action: Action) -> None:
        """Refuse artifacts that the action does not have.

        Raises:
            ValueError: naming the action's own.
        """
        known = action.artifacts("outputArtifacts")
        for name in self.output_artifacts:
            if name not in known:
                listed = ", ".join(map(repr, known)) or "none"
                raise ValueError(
                    f"StandIn for {action.full_name}: output_artifacts: the action has no output"
                    f" artifact {str(name)[:60]!r}; its outputs: {listed}"
                )


def revision_of(stand_in: StandIn, action: Action, values: Draws) -> str | None:
    """Return the revision of a source's artifacts; other actions' have none that is known."""
    if action.action_type.get("category") != "Source":
        return None
    provider = str(action.action_type.get("provider"))
    variable = _REVISION_OF.get(provider, "CommitId")
    told = (stand_in.output_variables or {}).get(variable)
    if stand_in.revision is not None or told is not None:
        return stand_in.revision or told
    if provider == "S3":
        return values.s3_version_id()
    return _digest(values) if provider == "ECR" else values.commit_id()


def variables_of(
    stand_in: StandIn,
    action: Action,
    actions: list[Action],
    revision: str | None,
    values: Draws,
    owner: tuple[str, str],
) -> dict[str, str]:
    """Return an action's output variables.

    A source has all that its provider documents, whatever else the stand-in gives. Where users
    decide on the names, there is a sample for each that another action refers to, unless the
    stand-in gives variables itself.

    Args:
        actions: all actions of the pipeline.
        owner: region and account of the pipeline.
    """
    given = dict(stand_in.output_variables or {})
    provider = provider_of(action.action_type)
    if provider is None:
        return given
    if provider.variables is not None:
        documented = _documented(action, revision, values, owner)
        return {
            **{name: documented[name] for name in sorted(provider.variables) if name in documented},
            **given,
        }
    decided = str(action.action_type.get("provider")) in _DECIDED_BY_USERS
    if stand_in.output_variables is not None or not decided or action.namespace is None:
        return given
    return {
        reference.key: f"sample-{reference.key}"
        for other in actions
        for reference in references_of(other)
        if reference.namespace == action.namespace
    }


def _digest(values: Draws) -> str:
    return "sha256:" + values.generator.random.randbytes(32).hex()


def _documented(
    action: Action, revision: str | None, values: Draws, owner: tuple[str, str]
) -> dict[str, str]:
    """Return samples of the variables that AWS documents of any of its providers."""
    region, account = owner

    def configured(*keys: str, default: str = "") -> str:
        return next(
            (str(action.configuration[k]) for k in keys if k in action.configuration), default
        )

    repository = configured("RepositoryName", "Repo", "FullRepositoryId", default="example")
    commit = revision or values.commit_id()
    made: dict[str, Callable[[], Any]] = {
        "AuthorDate": lambda: "2026-01-01T00:00:00Z",
        "BranchName": lambda: configured("BranchName", "Branch", default="main"),
        "CommitId": lambda: commit,
        "CommitMessage": lambda: "Update the site",
        "CommitterDate": lambda: "2026-01-01T00:00:00Z",
        "CommitUrl": lambda: f"https://github.com/example/{repository}/commit/{commit}",
        "ConnectionArn": lambda: configured("ConnectionArn"),
        "FullRepositoryName": lambda: configured("FullRepositoryId", default="example/site"),
        "RepositoryName": lambda: repository.rpartition("/")[2],
        "BucketName": lambda: configured("S3Bucket"),
        "ObjectKey": lambda: configured("S3ObjectKey"),
        "VersionId": lambda: commit,
        "ETag": lambda: values.generator.random.randbytes(16).hex(),
        "ImageDigest": lambda: revision or _digest(values),
        "ImageTag": lambda: configured("ImageTag", default="latest"),
        "ImageURI": lambda: f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}",
        "RegistryId": lambda: account,
        "OperationId": lambda: values.execution_id(),
        "StackSetId": lambda: (
            f"{configured('StackSetName', default='set')}:{values.execution_id()}"
        ),
    }
    return {name: make() for name, make in made.items()}
