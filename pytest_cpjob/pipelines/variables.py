"""Variables in action configurations: `#{namespace.key}`, found and resolved.

Source: CodePipeline user guide, "Variables reference". They are resolved right before an action
starts, once: what is put in is not looked at again, and nothing is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

REFERENCE: Final = re.compile(r"#\{([A-Za-z0-9@_\-]+)\.([A-Za-z0-9@_\-]+)\}")
ANY_REFERENCE: Final = re.compile(r"#\{([^{}]*)\}")
"""What looks like a reference, though its namespace and key may not be two names."""

PIPELINE_VARIABLES: Final = "variables"
BUILT_IN: Final = "codepipeline"
EXECUTION_ID: Final = "PipelineExecutionId"


class Action(NamedTuple):
    """One action of a declaration, and where it stands.

    Attributes:
        stage_number: from 0.
        declared: its ActionDeclaration.
    """

    stage: str
    stage_number: int
    declared: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, unique in its stage."""
        return str(self.declared.get("name"))

    @property
    def full_name(self) -> str:
        """`Stage/Action`."""
        return f"{self.stage}/{self.name}"

    @property
    def run_order(self) -> int:
        """Its place in the stage, 1 where it has none."""
        order = self.declared.get("runOrder", 1)
        return order if isinstance(order, int) else 1

    @property
    def namespace(self) -> str | None:
        """What its output variables are referred to by."""
        return self.declared.get("namespace")

    @property
    def action_type(self) -> Mapping[str, Any]:
        """Its actionTypeId."""
        found = self.declared.get("actionTypeId")
        return found if isinstance(found, Mapping) else {}

    @property
    def configuration(self) -> Mapping[str, Any]:
        """Its configuration, variables not resolved."""
        return self.declared.get("configuration") or {}

    def runs_before(self, other: Action) -> bool:
        """Tell whether it has ended when the other starts."""
        return (self.stage_number, self.run_order) < (other.stage_number, other.run_order)

    def artifacts(self, direction: str) -> list[str]:
        """Return the names of its `inputArtifacts` or `outputArtifacts`, in order."""
        listed = self.declared.get(direction) or ()
        return [str(each.get("name")) for each in listed if isinstance(each, Mapping)]


class Reference(NamedTuple):
    """One variable that an action refers to.

    Attributes:
        key: of the configuration in which it stands.
        text: as it is written.
    """

    action: Action
    configuration_key: str
    text: str
    namespace: str
    key: str

    @property
    def told(self) -> str:
        """Where it stands, as AWS's messages say it."""
        return (
            f"StageName=[{self.action.stage}], ActionName=[{self.action.name}],"
            f" ActionConfigurationKey=[{self.configuration_key}],"
            f" VariableReferenceText=[{self.text}]"
        )


def actions_of(declaration: Mapping[str, Any]) -> list[Action]:
    """Return every action of a declaration, in order."""
    return [
        Action(str(stage.get("name")), number, action)
        for number, stage in enumerate(declaration.get("stages") or ())
        if isinstance(stage, Mapping)
        for action in stage.get("actions") or ()
        if isinstance(action, Mapping)
    ]


def references_of(action: Action) -> Iterator[Reference]:
    """Return the variables that an action's configuration refers to."""
    for key, value in action.configuration.items():
        if isinstance(value, str) and "#{" in value:
            for found in REFERENCE.finditer(value):
                yield Reference(action, str(key), found[0], found[1], found[2])


def malformed_references_of(action: Action) -> Iterator[Reference]:
    """Return what begins as a reference and is none: it has no namespace and key."""
    for key, value in action.configuration.items():
        if isinstance(value, str) and "#{" in value:
            for found in ANY_REFERENCE.finditer(value):
                if REFERENCE.fullmatch(found[0]) is None:
                    yield Reference(action, str(key), found[0], "", "")


def resolved(text: str, values: Mapping[tuple[str, str], str]) -> str:
    """Return a configuration's value with its variables put in, in one pass.

    >>> resolved('{"tag": "#{Build.Tag}"}', {("Build", "Tag"): 'v"7'})
    '{"tag": "v"7"}'
    """
    return REFERENCE.sub(lambda found: values.get((found[1], found[2]), found[0]), text)
