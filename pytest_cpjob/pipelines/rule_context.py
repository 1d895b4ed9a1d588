"""What the rules of a declaration look at, and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.pipelines.definition import CustomActionType, Declaration
from pytest_cpjob.pipelines.variables import Action

STRUCTURE: Final = "InvalidStructureException"
STAGE: Final = "InvalidStageDeclarationException"
ACTION: Final = "InvalidActionDeclarationException"
VALIDATION: Final = "ValidationException"


class Broken(NamedTuple):
    """One broken rule: where, and what CreatePipeline would answer."""

    place: str
    code: str
    text: str


class Context(NamedTuple):
    """What the rules look at."""

    declaration: Declaration
    actions: list[Action]
    region: str
    custom_types: Mapping[tuple[str, ...], CustomActionType]

    @property
    def stages(self) -> list[Mapping[str, Any]]:
        """The stages, in order."""
        return [each for each in self.declaration.get("stages") or () if isinstance(each, Mapping)]

    @property
    def is_v2(self) -> bool:
        """Whether what only V2 pipelines have is fine: an omitted type does not say."""
        return self.declaration.get("pipelineType") != "V1"


def is_source(action: Action) -> bool:
    """Tell whether an action is a source."""
    return action.action_type.get("category") == "Source"
