"""Builds jobs from a test's arguments: facts, objects in the bucket, and a job in the service."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.documents.argument_lists import ArgumentList, SharedArguments, names_of
from pytest_cpjob.documents.facts import ActionType, JobFacts
from pytest_cpjob.documents.job_arguments import UserParameters, job_facts, region_checked, text
from pytest_cpjob.documents.refusals import check, shortened
from pytest_cpjob.documents.streams import Stream, job_stream
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.service.jobs import JobRecord, Kind
from pytest_cpjob.settings import RolePolicy, Settings, check_names

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.contents import InputContent
    from pytest_cpjob.clients.role_check import RoleCheck
    from pytest_cpjob.defaults import FindingName, WarningName
    from pytest_cpjob.documents.captured import CapturedDocument
    from pytest_cpjob.documents.facts import ArtifactFacts
    from pytest_cpjob.documents.functions import FunctionCode
    from pytest_cpjob.documents.type_defs import Artifact
    from pytest_cpjob.iam.policies import Permissions
    from pytest_cpjob.sweeps.variations import Variation

Inputs: TypeAlias = "Mapping[str, InputContent] | list[str] | tuple[str, ...]"


class AddJobArguments(SharedArguments, total=False):
    """What `add_job` takes."""

    input_artifacts: Inputs | None
    allow: Iterable[FindingName | WarningName]


class AddLambdaJobArguments(AddJobArguments, total=False):
    """What `add_lambda_job` takes."""

    user_parameters: UserParameters | None
    function_name: str | None
    role_policy: RolePolicy | None


class AddThirdPartyJobArguments(AddJobArguments, total=False):
    """What `add_third_party_job` takes."""

    client_id: str | None
    client_token: str | None


class AddJobFromArguments(ArgumentList, total=False):
    """What `add_job_from` takes besides the document."""

    input_artifacts: Inputs | None
    region: str | None
    client_id: str | None
    client_token: str | None
    allow: Iterable[str]


class Declared:
    """What a pipeline's definition says of a job beyond the arguments that a test may give.

    Attributes:
        inputs: the input artifacts with their places; by default those that have contents.
        execution_id: of the pipeline's one execution.
        execution_retries: how often that was retried so far.
        permissions: what the function's own role may do, None if that is unknown.
        role: the name of the role that CodePipeline acts as.
        function: the code that the action runs.
        timeout: seconds until the action times out.
        makes_key: whether the encryption key is one that moto is to have.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[Artifact] | None = None,
        execution_id: str | None = None,
        execution_retries: int = 0,
        permissions: Permissions | None = None,
        role: str | None = None,
        function: FunctionCode | None = None,
        timeout: float | None = None,
        makes_key: bool = False,
    ) -> None:
        self.inputs = inputs
        self.execution_id = execution_id
        self.execution_retries = execution_retries
        self.permissions = permissions
        self.role = role
        self.function = function
        self.timeout = timeout
        self.makes_key = makes_key


_UNDECLARED: Final = Declared()
_ARGUMENTS: Final[Mapping[Kind, type]] = {
    "custom": AddJobArguments,
    "lambda": AddLambdaJobArguments,
    "third-party": AddThirdPartyJobArguments,
}


class JobBuilder:
    """Builds jobs from a test's arguments; a rejected job leaves nothing behind.

    Attributes:
        variation: what a sweep changes in each added job that it is for.
        has_varied: whether there was such a job.
    """

    def __init__(
        self,
        settings: Settings,
        service: JobService,
        store: ArtifactStore,
        roles: RoleCheck,
        stream: Stream,
    ) -> None:
        self._settings = settings
        self._service = service
        self._store = store
        self._roles = roles
        self._stream = stream
        self._counter = itertools.count()
        self._functions: dict[str, FunctionCode] = {}
        # By job, what differs from the defaults. As pairs: the collector looks at each of its dicts
        # again and again, but not at tuples of texts, and a test may add 100,000 jobs.
        self._added: dict[str, tuple[tuple[str, Any], ...]] = {}
        self._names: dict[frozenset[str], frozenset[str]] = {}
        self.variation: Variation | None = None
        self.has_varied = False

    @property
    def is_warm(self) -> bool:
        """Whether a handler must first be run for another job."""
        return self.variation is not None and self.variation.warm

    def function_of(self, job: JobRecord) -> FunctionCode | None:
        """Return the code that a job's definition names, None where it names none."""
        while job.previous is not None:
            job = job.previous
        return self._functions.get(job.id)

    def add(self, kind: Kind, given: Mapping[str, Any]) -> JobRecord:
        """Add one job, from the arguments of one of the `add_*` methods.

        Raises:
            ValueError: AWS could not send such a job; the text names the argument, the rule and
                the value.
        """
        arguments = {**dict.fromkeys(names_of(_ARGUMENTS[kind])), **given}
        allow = check_names(arguments.pop("allow") or ())
        arguments["contents"] = _contents(arguments.pop("input_artifacts"))
        role_policy = arguments.pop("role_policy", None)
        if role_policy is not None:
            arguments["declared"] = Declared(permissions=_permissions(role_policy))
        return self._add_varied(kind, allow, arguments)

    def add_declared(self, kind: Kind, given: Mapping[str, Any], declared: Declared) -> JobRecord:
        """Add the job that a pipeline's definition makes.

        Args:
            given: the arguments of `add`, artifacts' places included.
            declared: what only a definition says.

        Raises:
            ValueError: AWS could not send such a job; the text names the argument, the rule and
                the value.
        """
        arguments = {**dict.fromkeys(names_of(_ARGUMENTS[kind])), **given, "declared": declared}
        arguments.pop("role_policy", None)
        allow = check_names(arguments.pop("allow") or ())
        arguments["contents"] = arguments.pop("input_artifacts")
        variation = self.variation
        if (
            variation is not None
            and variation.changes_arguments
            and variation.is_for(arguments["stage_name"], arguments["action_name"])
        ):
            from pytest_cpjob.sweeps.declared_jobs import vary_declared

            stream = self._stream.at("sweep", variation.name, len(self._added))
            inputs = vary_declared(
                variation.change,
                kind,
                arguments,
                declared.inputs or (),
                self._store,
                stream.values,
            )
            varied = copy.copy(declared)
            varied.inputs = inputs
            arguments["declared"] = varied
        record = self._add(kind, allow, **arguments)
        self._added[record.id] = _kept(arguments)
        if declared.function is not None:
            self._functions[record.id] = declared.function
        return record

    def add_from(self, document: object, given: Mapping[str, Any]) -> JobRecord:
        """Add the job that a document of AWS's is of, with contents for its inputs.

        Raises:
            ValueError: it is none of the documents of a job, AWS could not send it, or the job is
                there already; the text names the member, the rule and the value.
        """
        from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE
        from pytest_cpjob.documents.captured import read_document

        given = dict(given)
        allow = check_names(given.pop("allow", None) or ())
        contents = _contents(given.pop("input_artifacts", None))
        captured = read_document(
            document,
            region=given.pop("region", None) or None,
            default_region=self._settings.region,
            default_account_id=self._settings.account_id,
        )
        unknown = [name for name in contents if name not in captured.inputs]
        if unknown:
            raise ValueError(
                f"input_artifacts[{unknown[0]!r}]: the document has no such input artifact, only"
                f" {list(captured.inputs)}"
            )
        kind = captured.kind
        if kind == "third-party":
            captured.arguments.update(given)
        elif any(value is not None for value in given.values()):
            raise ValueError(
                f"{next(iter(given))}: only a partner's job has one, and the document's action type"
                f" is {captured.arguments['action_type']}"
            )
        arguments = {
            **dict.fromkeys(names_of(_ARGUMENTS[kind])),
            **captured.arguments,
            "contents": {**dict.fromkeys(captured.inputs, SAMPLE_SOURCE), **contents},
            "captured": captured,
        }
        del arguments["allow"], arguments["input_artifacts"]
        arguments.pop("role_policy", None)
        return self._add_varied(kind, allow, arguments)

    def _add_varied(
        self, kind: Kind, allow: frozenset[str], arguments: dict[str, Any]
    ) -> JobRecord:
        names = (arguments["stage_name"], arguments["action_name"])
        if self.variation is not None and self.variation.is_for(*map(str, names)):
            self._vary(self.variation, kind, arguments)
        record = self._add(kind, allow, **arguments)
        self._added[record.id] = _kept(arguments)
        return record

    def _vary(self, variation: Variation, kind: Kind, arguments: dict[str, Any]) -> None:
        """Change a job's arguments; its inputs only if its action type allows one more.

        Raises:
            ValueError: the action type does not exist.
        """
        own, given = arguments["contents"], arguments["action_type"]
        variation.change(kind, arguments)
        if given is not None and len(arguments["contents"]) > len(own):
            _, most = self._service.types.for_job(ActionType.parse(given)).inputs
            if len(arguments["contents"]) > most:
                arguments["contents"] = own

    def add_twin(self, job: JobRecord) -> JobRecord:
        """Add another job from the same arguments, with its own ids."""
        arguments = dict.fromkeys(names_of(_ARGUMENTS[job.kind]))
        for name in ("allow", "input_artifacts", "role_policy"):
            arguments.pop(name, None)
        again = {**arguments, "contents": {}, **dict(self._added[job.id]), "job_id": None}
        return self._add(job.kind, job.allow, **again)

    def _add(
        self,
        kind: Kind,
        allow: frozenset[str],
        *,
        contents: Mapping[str, InputContent],
        captured: CapturedDocument | None = None,
        declared: Declared = _UNDECLARED,
        client_id: str | None = None,
        client_token: str | None = None,
        region: str | None,
        account_id: str | None,
        artifact_bucket: str | None,
        **arguments: Any,
    ) -> JobRecord:
        region = self._settings.region if region is None else region
        stream = job_stream(self._stream, self._counter, arguments["job_id"])
        facts = job_facts(
            stream,
            region=region,
            account_id=self._settings.account_id if account_id is None else account_id,
            kind=kind,
            artifact_bucket=artifact_bucket,
            default_bucket=self._default_bucket(region) if artifact_bucket is None else None,
            input_artifacts=_inputs(contents, captured, declared),
            **arguments,
        )
        facts = _with_sources(facts, contents, stream)
        if declared.execution_id is not None:
            facts = facts._replace(
                pipeline_execution_id=declared.execution_id,
                execution_retries=declared.execution_retries,
            )
        if captured is not None:
            facts = facts._replace(**captured.executions)
        if self.variation is not None and self.variation.is_for(
            facts.stage_name, facts.action_name
        ):
            self.has_varied = True
            facts = self.variation.change_facts(facts)
        given = frozenset(name for name, value in arguments.items() if value is not None)
        record = JobRecord(
            facts,
            kind,
            stream,
            self._service.clock.now,
            allow=self._names.setdefault(allow, allow),
            given=self._names.setdefault(given, given),
            permissions=declared.permissions,
            declared_timeout=declared.timeout,
            is_declared=declared.inputs is not None,
        )
        if declared.role is not None:
            record.role = declared.role
        if captured is not None:
            record.first_nonce = captured.nonce
        if kind == "third-party":
            values = stream.at("client").values
            record.client_id = text("client_id", "ClientId", client_id, values.client_id())
            record.client_token = text(
                "client_token", "ClientToken", client_token, values.client_token()
            )
        self._service.check(record)
        if facts.inputs or facts.outputs:
            self._store_artifacts(facts.inputs, facts.outputs, contents, record)
            if arguments["encryption_key"] is True or declared.makes_key:
                self._store.make_key(str(facts.encryption_key), region)
        self._roles.is_needed = self._roles.is_needed or declared.permissions is not None
        self._service.add(record)
        return record

    def _default_bucket(self, region: object) -> str:
        """Return the bucket that all pipelines of a region share, as the console creates it."""
        region = region_checked(region)
        return self._stream.at("bucket", region).values.artifact_bucket_name(region)

    def _store_artifacts(
        self,
        inputs: tuple[ArtifactFacts, ...],
        outputs: tuple[ArtifactFacts, ...],
        contents: Mapping[str, InputContent],
        record: JobRecord,
    ) -> None:
        """Upload the inputs; all contents are read first, so that an invalid one leaves nothing."""
        from pytest_cpjob.artifacts.contents import content_of, open_content

        with ExitStack() as stack:
            opened: list[tuple[ArtifactFacts, IO[bytes] | None]] = [
                (
                    artifact,
                    stack.enter_context(
                        open_content(
                            content_of(contents[artifact.name]),
                            field=f"input_artifacts[{artifact.name!r}]",
                        )
                    ),
                )
                for artifact in inputs
                if artifact.name in contents
            ]
            for artifact in (*inputs, *outputs):
                self._store.make_bucket(artifact.bucket, record.facts.region)
            for artifact, content in opened:
                if content is not None:
                    self._store.put(artifact, content, record.facts.encryption_key)


def _kept(arguments: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the arguments that say something; most jobs are given a few of twenty."""
    return tuple(
        (name, value)
        for name, value in arguments.items()
        if value is not None and not (name == "contents" and not value)
    )


def _permissions(role_policy: RolePolicy) -> Permissions:
    from pytest_cpjob.iam.role_policies import permissions_given

    return permissions_given(role_policy)


def _inputs(
    contents: Mapping[str, InputContent], captured: CapturedDocument | None, declared: Declared
) -> list[Any]:
    """Return the input artifacts as names, or as dicts where their places are known."""
    if declared.inputs is not None:
        return list(declared.inputs)
    return [name if captured is None else captured.inputs.get(name, name) for name in contents]


def _with_sources(
    facts: JobFacts, contents: Mapping[str, InputContent], stream: Stream
) -> JobFacts:
    """Return the facts with the keys and revisions that a test says of its inputs' sources."""
    if not facts.inputs:
        return facts
    from pytest_cpjob.artifacts.contents import InputArtifact
    from pytest_cpjob.documents.artifact_arguments import from_source

    inputs = []
    for artifact in facts.inputs:
        given = contents.get(artifact.name)
        if isinstance(given, InputArtifact):
            argument = f"input_artifacts[{artifact.name!r}]"
            artifact = from_source(artifact, argument, given.revision, given.key, stream)
        inputs.append(artifact)
    return facts._replace(inputs=tuple(inputs))


def _contents(input_artifacts: object) -> dict[str, InputContent]:
    """Return each input artifact's content by name; a list of names means a small sample source."""
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
        from pytest_cpjob.artifacts.contents import SAMPLE_SOURCE

        return dict.fromkeys(names, SAMPLE_SOURCE)
    hint = ""
    if isinstance(input_artifacts, (str, bytes, Path)):
        hint = "; write {'Source': content}"
    raise ValueError(
        "input_artifacts: expected a dict of name to content, or a list of names, got"
        f" {str(input_artifacts)[:60]!r}{hint}"
    )
