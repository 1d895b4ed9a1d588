"""Adding jobs: a test's words become facts, objects in the bucket, and a job in the service."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE, Content, open_content
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.facts import ActionType, ArtifactFacts
from pytest_cpjob.documents.job_arguments import (
    ActionTypeArgument,
    EncryptionKeyArgument,
    UserParameters,
    job_facts,
    region_checked,
    text,
)
from pytest_cpjob.documents.refusals import check, shortened
from pytest_cpjob.documents.streams import Stream, job_stream
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.job import Job
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord, Kind
from pytest_cpjob.settings import Settings, check_names

if TYPE_CHECKING:
    from pytest_cpjob.sweeps import Variation

Inputs = Mapping[str, Content] | list[str] | tuple[str, ...]


class AddsJobs:
    """The part of a stub that takes jobs in, one method for each kind."""

    intake: JobIntake

    def job(self, record: JobRecord) -> Job:
        """Give the face of a job of the service."""
        raise NotImplementedError

    @property
    def is_active(self) -> bool:
        """Whether clients are answered now."""
        raise NotImplementedError

    def add_job(
        self,
        *,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Queue a job of a custom action for a worker that polls.

        Args:
            job_id: a lower-case UUID; drawn from the seed when left out, as all that is left out.
            action_type: `"Category:Owner:Provider:Version"` or its dict, owner `Custom`.
            configuration: the action's configuration, strings to strings.
            input_artifacts: name -> content: `{path: str | bytes}`, a directory or file `Path`,
                `bytes` as they are, `None` for a missing object; or a list of names.
            output_artifacts: names.
            artifact_bucket: the bucket's name.
            encryption_key: `True`, or a key id, key ARN or alias ARN.
            continuation_token: as if an earlier job had continued with it.
            allow: findings that are not reported of this job and of what continues it.

        Raises:
            ValueError: AWS could not send such a job; the text names the argument, the rule and
                the value. Nothing was added.
        """
        return self._add(
            "custom",
            allow,
            input_artifacts,
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def add_lambda_job(
        self,
        *,
        user_parameters: UserParameters | None = None,
        function_name: str | None = None,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Make a job that CodePipeline invokes a Lambda function with; run it by `job.invoke`.

        Args:
            user_parameters: the action's UserParameters: text as it is, or what becomes JSON text.
            function_name: the function's name.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        return self._add(
            "lambda",
            allow,
            input_artifacts,
            user_parameters=user_parameters,
            function_name=function_name,
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def add_third_party_job(
        self,
        *,
        client_id: str | None = None,
        client_token: str | None = None,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: Inputs | None = None,
        output_artifacts: list[str] | tuple[str, ...] | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Queue a job of a partner action, owner `ThirdParty`.

        Args:
            client_id: the partner's client, a UUID, as the poll names it.
            client_token: the token that the partner keeps for this client, 1 to 256 characters.
            job_id: a lower-case UUID unless given; 1 to 512 characters.

        The other arguments are `add_job`'s.

        Raises:
            ValueError: AWS could not send such a job. Nothing was added.
        """
        return self._add(
            "third-party",
            allow,
            input_artifacts,
            client=(client_id, client_token),
            job_id=job_id,
            account_id=account_id,
            region=region,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
        )

    def _add(
        self, kind: Kind, allow: Iterable[str], contents: Inputs | None, **arguments: Any
    ) -> Job:
        if not self.is_active:
            raise CpjobError("the stub is not active: add jobs inside `with CodePipelineStub()`")
        return self.job(self.intake.add(kind, allow, contents, **arguments))


class JobIntake:
    """Takes jobs in; nothing is left of one that is refused."""

    def __init__(
        self, settings: Settings, service: JobService, store: ArtifactStore, stream: Stream
    ) -> None:
        self._settings = settings
        self._service = service
        self._store = store
        self._stream = stream
        self._counter = itertools.count()
        self._taken: dict[str, tuple[Kind, frozenset[str], dict[str, Any]]] = {}
        self.variation: Variation | None = None

    def add(
        self, kind: Kind, allow: Iterable[str], input_artifacts: Inputs | None, **arguments: Any
    ) -> JobRecord:
        """Take one job in.

        Raises:
            ValueError: AWS could not send such a job; the text names the argument, the rule and
                the value.
        """
        allow = check_names(allow)
        arguments["contents"] = _contents(input_artifacts)
        if self.variation is not None:
            self._vary(self.variation, kind, arguments)
        record = self._add(kind, allow, **arguments)
        self._taken[record.id] = (kind, allow, arguments)
        return record

    def _vary(self, variation: Variation, kind: Kind, arguments: dict[str, Any]) -> None:
        """Change what a job is added with; one of a type that takes no more inputs keeps its own.

        Raises:
            ValueError: there is no such action type.
        """
        own, given = arguments["contents"], arguments["action_type"]
        variation.change(kind, arguments)
        if given is not None and len(arguments["contents"]) > len(own):
            _, most = self._service.types.for_job(ActionType.parse(given)).inputs
            if len(arguments["contents"]) > most:
                arguments["contents"] = own

    def add_twin(self, job: JobRecord) -> JobRecord:
        """Take in another job of the same words, with ids of its own."""
        kind, allow, arguments = self._taken[job.id]
        return self._add(kind, allow, **{**arguments, "job_id": None})

    def _add(
        self,
        kind: Kind,
        allow: frozenset[str],
        *,
        contents: Mapping[str, Content],
        client: tuple[str | None, str | None] = (None, None),
        region: str | None,
        account_id: str | None,
        artifact_bucket: str | None,
        **arguments: Any,
    ) -> JobRecord:
        region = self._settings.region if region is None else region
        stream = job_stream(self._stream, self._counter, arguments["job_id"])
        if artifact_bucket is None:
            artifact_bucket = self._default_bucket(region)
        facts = job_facts(
            stream,
            region=region,
            account_id=self._settings.account_id if account_id is None else account_id,
            kind=kind,
            artifact_bucket=artifact_bucket,
            input_artifacts=list(contents),
            **arguments,
        )
        if self.variation is not None:
            facts = self.variation.change_facts(facts)
        record = JobRecord(facts, kind, stream, self._service.clock.now, allow=allow)
        if kind == "third-party":
            values = stream.at("client").values
            record.client_id = text("client_id", "ClientId", client[0], values.client_id())
            record.client_token = text(
                "client_token", "ClientToken", client[1], values.client_token()
            )
        self._service.check(record)
        if facts.inputs or facts.outputs:
            self._store_artifacts(facts.inputs, facts.outputs, contents, record)
            if arguments["encryption_key"] is True:
                self._store.make_key(str(facts.encryption_key), region)
        self._service.add(record)
        return record

    def _default_bucket(self, region: object) -> str:
        """Give the one bucket that all pipelines of a region share, as the console makes it."""
        region = region_checked(region)
        return self._stream.at("bucket", region).values.artifact_bucket_name(region)

    def _store_artifacts(
        self,
        inputs: tuple[ArtifactFacts, ...],
        outputs: tuple[ArtifactFacts, ...],
        contents: Mapping[str, Content],
        record: JobRecord,
    ) -> None:
        """Put the inputs into the bucket; every content is read before the first is written."""
        with ExitStack() as stack:
            opened: list[tuple[ArtifactFacts, IO[bytes] | None]] = [
                (
                    artifact,
                    stack.enter_context(
                        open_content(
                            contents[artifact.name], field=f"input_artifacts[{artifact.name!r}]"
                        )
                    ),
                )
                for artifact in inputs
            ]
            for artifact in (*inputs, *outputs):
                self._store.make_bucket(artifact.bucket, record.facts.region)
            for artifact, content in opened:
                if content is not None:
                    self._store.put(artifact, content, record.facts.encryption_key)


def _contents(input_artifacts: object) -> dict[str, Content]:
    """Give each input artifact's content by name; a list of names means a small sample source."""
    if input_artifacts is None:
        return {}
    if isinstance(input_artifacts, Mapping):
        for name in input_artifacts:
            check(f"input_artifacts[{shortened(name)}]", "ArtifactName", name)
        return dict(input_artifacts)
    if isinstance(input_artifacts, (list, tuple)):
        names = [name for name in input_artifacts if isinstance(name, str)]
        if len(names) < len(input_artifacts) or len(set(names)) < len(names):
            raise ValueError(
                "input_artifacts: expected different names, or a dict of name to content, got"
                f" {input_artifacts!r:.100}"
            )
        return dict.fromkeys(names, SAMPLE_SOURCE)
    hint = ""
    if isinstance(input_artifacts, (str, bytes, Path)):
        hint = "; write {'Source': content}"
    raise ValueError(
        "input_artifacts: expected a dict of name to content, or a list of names, got"
        f" {str(input_artifacts)[:60]!r}{hint}"
    )
