"""A pipeline as its definition has it, and the jobs that it makes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_cpjob.artifacts.contents import InputContent
from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.harness import Harness
from pytest_cpjob.job import Job
from pytest_cpjob.pipelines.action_jobs import (
    arguments_of,
    declared_of,
    kind_of,
)
from pytest_cpjob.pipelines.added_jobs import add_execution
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.executions import PipelineExecution
from pytest_cpjob.pipelines.job_artifacts import JobArtifacts
from pytest_cpjob.pipelines.named_actions import NamedActions
from pytest_cpjob.pipelines.performers import Performer, performances_of
from pytest_cpjob.pipelines.registry import PipelineRegistry
from pytest_cpjob.pipelines.resolving import check_variables, configuration_of
from pytest_cpjob.pipelines.running import PipelineRuns
from pytest_cpjob.pipelines.swept import check_sweep
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.service.results import JobSuccess


class Pipeline:
    """One pipeline of the author's own, returned by `CodePipelineStub.add_pipeline`.

    Attributes of its definition are read from here, and the jobs that it would make are added with
    `add_job`. All jobs of one `Pipeline` belong to one execution: they share its id, and one object
    for each artifact.

    >>> pipeline = cpjob.add_pipeline("template.yaml")  # doctest: +SKIP
    >>> job = pipeline.add_job("Publish").invoke()  # doctest: +SKIP
    """

    def __init__(
        self, harness: Harness, registry: PipelineRegistry, definition: Definition
    ) -> None:
        self._harness = harness
        self._registry = registry
        self._definition = definition
        self._actions = {each.full_name: each for each in actions_of(definition.declaration)}
        self._stream = harness.stream.at("pipeline", self.name)
        self._execution_id = self._stream.at("execution").values.execution_id()
        self._artifacts = JobArtifacts(harness, definition, self._stream, self._actions)
        self._jobs: list[tuple[Action, Job]] = []
        self._register_action_types()
        harness.roles.made_up.update(definition.made_up)
        harness.service.secret_texts.update(definition.secrets)
        self._runs = PipelineRuns(harness, definition, self._stream)
        registry.add(self._runs)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self._definition.declaration["name"])

    @property
    def arn(self) -> str:
        """The pipeline's ARN."""
        region, account = self._definition.region, self._definition.account_id
        return f"arn:{partition_of(region)}:codepipeline:{region}:{account}:{self.name}"

    @property
    def declaration(self) -> dict[str, Any]:
        """The definition as the API's PipelineDeclaration, a copy."""
        return copy.deepcopy(self._definition.declaration)

    @property
    def actions(self) -> NamedActions[dict[str, Any]]:
        """The actions as they are declared (ActionDeclaration), copies, by `Stage/Action`."""
        return NamedActions(
            {name: copy.deepcopy(dict(action.declared)) for name, action in self._actions.items()}
        )

    def add_job(
        self,
        action: str,
        *,
        input_artifacts: Mapping[str, InputContent] | None = None,
        variables: Mapping[str, str] | None = None,
        pipeline_variables: Mapping[str, str] | None = None,
        continuation_token: str | None = None,
        allow: Iterable[str] = (),
    ) -> Job:
        """Add the job that this pipeline makes for one of its actions.

        Args:
            action: `"Stage/Action"`, or the action's name where that is unique.
            input_artifacts: the content of inputs by name, as `add_job` of the stub takes it; the
                others are what an earlier job of this pipeline has uploaded, or small samples.
            variables: output variables of earlier actions, `"Namespace.Key"` to text; those that
                an earlier job of this pipeline has reported need not be given.
            pipeline_variables: values of the pipeline's own variables, by name.
            continuation_token: as if an earlier job had continued with it.
            allow: findings that are not reported of this job and of what continues it.

        Raises:
            ValueError: there is no such action, input or variable, or a variable that the action
                refers to has no value; the text lists the `variables=` to give.
            CpjobError: it is an action of AWS's own, for which no job is made.

        >>> job = cpjob.add_pipeline(definition).add_job("Publish")
        >>> job.invoke(lambda_handler).status
        'Succeeded'
        """
        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError("the stub is not active: add jobs while it is")
        self._check_is_there()
        try:
            return self._add_job(
                self._action(action),
                _mapping("input_artifacts", input_artifacts),
                _mapping("variables", variables),
                _mapping("pipeline_variables", pipeline_variables),
                continuation_token,
                allow,
            )
        except (ValueError, CpjobError) as error:
            # What is wrong is what the test gave: no frame of ours would help to find it.
            raise error.with_traceback(None) from None

    def _add_job(
        self,
        found: Action,
        input_artifacts: Mapping[str, InputContent],
        variables: Mapping[str, str],
        pipeline_variables: Mapping[str, str],
        continuation_token: str | None,
        allow: Iterable[str],
    ) -> Job:
        kind = kind_of(found, self._definition)
        configuration = configuration_of(
            found,
            self._definition.declaration,
            execution_id=self._execution_id,
            variables=variables,
            pipeline_variables=pipeline_variables,
            produced=self._produced(),
        )
        inputs = [
            self._artifacts.place_of(name, found) for name in found.artifacts("inputArtifacts")
        ]
        arguments = {
            **arguments_of(found, self._definition),
            "configuration": configuration,
            "input_artifacts": self._artifacts.contents(found, inputs, input_artifacts),
            "output_artifacts": [
                self._artifacts.place_of(name, found) for name in found.artifacts("outputArtifacts")
            ],
            "continuation_token": continuation_token,
            "allow": allow,
        }
        declared = declared_of(found, self._definition, inputs, self._execution_id)
        record = self._harness.builder.add_declared(kind, arguments, declared)
        job = Job(self._harness, record)
        self._jobs.append((found, job))
        with self._harness.service.lock:
            add_execution(self._runs.record, record, self._execution_id, self._runs.progress)
        return job

    # -- whole executions ------------------------------------------------------------------------

    def run(
        self,
        performers: Mapping[str, Performer] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> PipelineExecution:
        """Run the pipeline from its sources to its end, or until it has failed; return the run.

        Handlers and workers run for real, everything else is a stand-in. Approvals that nobody is
        named for approve. What is not reported on times out: the job clock is moved there.

        Args:
            performers: who performs an action: a handler or its dotted name, a worker's main
                function, or a `StandIn`. Keys are `"Stage/Action"`, an action's unique name, a
                function's name, an action type, a provider, or a stage with one action. Lambda
                actions that are left out run the code that the template names.
            variables: values of the pipeline's own variables, by name.

        Raises:
            ValueError: a performer that cannot be, or actions that nobody performs; the text lists
                them, and nothing has run.
            Exception: what a handler or a worker raised.

        >>> execution = cpjob.add_pipeline(definition).run({"Publish": lambda_handler})
        >>> execution.status
        'Succeeded'
        """
        __tracebackhide__ = True
        execution = self._begin(performers, variables, to_the_end=True)
        self._runs.finish(execution._record)
        return execution

    def start(
        self,
        performers: Mapping[str, Performer] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> PipelineExecution:
        """Start the pipeline, and return its execution as far as it comes by itself.

        What is due now is performed at once; `cpjob.advance` does what is due later. Approvals
        that nobody is named for wait for `execution.approve` or PutApprovalResult.

        The arguments and errors are those of `run`.

        >>> execution = cpjob.add_pipeline(definition).start({"Publish": lambda_handler})
        >>> execution.actions["Sign"].status, execution.approve("Sign").status
        ('InProgress', 'Succeeded')
        """
        __tracebackhide__ = True
        execution = self._begin(performers, variables, to_the_end=False)
        self._runs.drive()
        return execution

    @property
    def executions(self) -> list[PipelineExecution]:
        """The executions that `run`, `start` and StartPipelineExecution began, oldest first."""
        return [
            PipelineExecution(self._harness, self._runs, each)
            for each in self._runs.record.executions
            if each.moves
        ]

    def _begin(
        self,
        performers: Mapping[str, Performer] | None,
        variables: Mapping[str, str] | None,
        *,
        to_the_end: bool,
    ) -> PipelineExecution:
        __tracebackhide__ = True
        if not self._harness.is_active:
            raise CpjobError("the stub is not active: run pipelines while it is")
        self._check_is_there()
        try:
            performances = performances_of(self._definition, _mapping("performers", performers))
            given = _mapping("variables", variables)
            check_variables(self._definition.declaration, given, "variables")
            check_sweep(self._harness, self._runs.record, self._registry.records(), performances)
        except ValueError as error:
            raise error.with_traceback(None) from None
        record = self._runs.begin(performances, given, to_the_end=to_the_end)
        execution = PipelineExecution(self._harness, self._runs, record)
        self._harness.executions.append(execution)
        return execution

    def _check_is_there(self) -> None:
        __tracebackhide__ = True
        if self._runs.record.is_deleted:
            raise CpjobError(
                f"the pipeline {self.name!r} was deleted (DeletePipeline): add it again with"
                " cpjob.add_pipeline"
            )

    # -- what the definition says of one action ----------------------------------------------------

    def _action(self, name: str) -> Action:
        return self._actions[NamedActions(self._actions).full_name(name)]

    # -- what went before ------------------------------------------------------------------------

    def _produced(self) -> dict[tuple[str, str], str]:
        """Return the output variables that jobs of this pipeline have reported, by namespace."""
        found = {}
        for action, job in self._jobs:
            record = job._record
            while record.continuation is not None:
                record = record.continuation
            if action.namespace is not None and isinstance(record.result, JobSuccess):
                for key, value in record.result.output_variables.items():
                    found[action.namespace, key] = value
        return found

    def _register_action_types(self) -> None:
        types = self._harness.service.types
        for each in self._definition.action_types:
            known = [found.action_type for found in types.all("Custom") if found.declared]
            if each.action_type not in known:
                self._harness.service.add_action_type(
                    dict(
                        zip(
                            ("category", "owner", "provider", "version"),
                            each.action_type,
                            strict=True,
                        )
                    ),
                    each.properties,
                    each.inputs,
                    each.outputs,
                )

    def __repr__(self) -> str:
        return f"<Pipeline {self.name} of {self._definition.source}, {len(self._actions)} actions>"


def _mapping(argument: str, given: object) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{argument}: expected a dict, got {given!r:.60}")
    return given
