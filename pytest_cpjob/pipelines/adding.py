"""A pipeline added to a stub: its definition read and held to the rules, and what to warn of."""

from __future__ import annotations

from typing import Any, Final

from pytest_cpjob.errors import (
    IneffectivePolicyWarning,
    PipelineWarning,
    UnknownVariableWarning,
)
from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.cautions import cautions_of
from pytest_cpjob.pipelines.loader import load_definition
from pytest_cpjob.pipelines.pipeline import Pipeline
from pytest_cpjob.pipelines.registry import PipelineRegistry

_CATEGORIES: Final[dict[str, type[PipelineWarning]]] = {
    "unknown-variable": UnknownVariableWarning,
    "ineffective-policy": IneffectivePolicyWarning,
}


def add_pipeline(
    harness: Harness, registry: PipelineRegistry, definition: object, **given: Any
) -> tuple[Pipeline, list[PipelineWarning]]:
    """Return a pipeline, and the warnings about its definition that the test does not allow.

    Raises:
        ValueError: it cannot be read, or CreatePipeline would refuse it.
    """
    __tracebackhide__ = True
    settings = harness.settings
    try:
        loaded = load_definition(
            definition,
            default_region=settings.region,
            default_account_id=settings.account_id,
            stream=harness.stream.at("definition"),
            **given,
        )
    except ValueError as error:
        # What is wrong is in the definition: no frame of ours would help to find it.
        raise error.with_traceback(None) from None
    told = [
        _CATEGORIES[name](f"{name}: {text}; to allow it: allow=[{_quoted(name)}]")
        for name, text in cautions_of(loaded)
        if name not in settings.allow
    ]
    return Pipeline(harness, registry, loaded), told


def _quoted(name: str) -> str:
    return f'"{name}"'
