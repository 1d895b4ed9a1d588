"""The factories of a document's parts: an artifact, credentials, a pipeline context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, overload

from pytest_cpjob.documents import render
from pytest_cpjob.documents.artifact_arguments import bucket_name, object_key
from pytest_cpjob.documents.facts import ArtifactFacts, Credentials
from pytest_cpjob.documents.job_arguments import (
    account_id_checked,
    job_facts,
    region_checked,
    text,
)
from pytest_cpjob.documents.refusals import refuse
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.type_defs import (
    Artifact,
    AWSSessionCredentials,
    PipelineContext,
    ThirdPartyPipelineContext,
)


class Factory:
    """What every factory of one test shares: a stream, a counter, a region and an account.

    Args:
        stream: the test's stream; each call draws from a child of it.
        counter: numbers the calls that name no job id, shared by all factories of a test
            (`itertools.count` is thread-safe).
        region: the default for calls that name none.
        account_id: the default for calls that name none.
    """

    def __init__(
        self, stream: Stream, counter: Iterator[int], *, region: str, account_id: str
    ) -> None:
        self._stream = stream
        self._counter = counter
        self._region = region_checked(region)
        self._account_id = account_id_checked(account_id)


class ArtifactFactory(Factory):
    """Makes single artifacts, `{"name", "location", "revision"}`, as boto3 returns them.

    `revision` is `None` (the member is absent, as for outputs), `True` (a commit id) or a text.
    `bucket` and `key` are drawn when left out.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.

    >>> cpjob_artifact_factory(name="Site", key="site.zip")["location"]["s3Location"]["objectKey"]
    'site.zip'

    Model shape: Artifact.
    """

    def __call__(
        self,
        *,
        name: str | None = None,
        revision: Literal[True] | str | None = None,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Artifact:
        """Return one artifact; the class documents the arguments."""
        values = self._stream.at("artifact", next(self._counter)).values
        drawn_bucket, pipeline = values.artifact_bucket_name(self._region), values.pipeline_name()
        chosen_name = text("name", "ArtifactName", name, "SourceArtifact")
        drawn_key = values.artifact_object_key(pipeline, chosen_name)
        return render.artifact(
            ArtifactFacts(
                chosen_name,
                drawn_bucket if bucket is None else bucket_name("bucket", bucket),
                drawn_key if key is None else object_key("key", key),
                values.commit_id() if revision is True else _revision(revision),
            )
        )


def _revision(revision: object) -> str | None:
    if revision is None:
        return None
    if not isinstance(revision, str):
        way_out = "write None to leave it out, True for a commit id, or the revision"
        refuse("revision", "Member must be a string", revision, way_out)
    return text("revision", "Revision", revision, "")


class CredentialsFactory(Factory):
    """Makes artifact credentials, `{"accessKeyId", "secretAccessKey", "sessionToken"}`.

    They look like those that STS issues today, and give access to nothing.

    >>> cpjob_credentials_factory()["accessKeyId"][:4]
    'ASIA'

    Model shape: AWSSessionCredentials.
    """

    def __call__(self) -> AWSSessionCredentials:
        """Return fresh credentials."""
        stream = self._stream.at("credentials", next(self._counter))
        return Credentials.draw(stream.random).as_dict()


class PipelineContextFactory(Factory):
    """Makes pipeline contexts: pipeline name, stage, action, pipeline ARN and execution id.

    With `third_party=True` it is a partner's, which lacks the last two. Stage and action are named
    `Build` unless given.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.

    >>> cpjob_pipeline_context_factory(pipeline_name="web", region="eu-west-1")["pipelineArn"]
    'arn:aws:codepipeline:eu-west-1:123456789012:web'

    Model shape: PipelineContext.
    """

    @overload
    def __call__(
        self,
        *,
        third_party: Literal[False] = False,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        region: str | None = None,
        account_id: str | None = None,
    ) -> PipelineContext: ...

    @overload
    def __call__(
        self,
        *,
        third_party: Literal[True],
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        region: str | None = None,
        account_id: str | None = None,
    ) -> ThirdPartyPipelineContext: ...

    def __call__(
        self,
        *,
        third_party: bool = False,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        region: str | None = None,
        account_id: str | None = None,
    ) -> PipelineContext | ThirdPartyPipelineContext:
        """Return one context; the class documents the arguments."""
        facts = job_facts(
            self._stream.at("context", next(self._counter)),
            region=self._region if region is None else region,
            account_id=self._account_id if account_id is None else account_id,
            kind="custom",
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
        )
        if third_party:
            return render.third_party_pipeline_context(facts)
        return render.pipeline_context(facts)
