"""What a sweep means for a pipeline's run: whether it can be, and whether a stage is retried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pytest_cpjob.harness import Harness
from pytest_cpjob.pipelines.named_actions import NamedActions
from pytest_cpjob.pipelines.performers import Performances
from pytest_cpjob.pipelines.records import ExecutionRecord, PipelineRecord, StageRun
from pytest_cpjob.pipelines.variables import Action
from pytest_cpjob.sweeps.variations import UnfitSweepError, Variation

_WITHOUT_CALLS: Final = {
    "stand-in": "is performed by a stand-in, which gets no job and makes no calls",
    "approval": "is an approval, which gets no job and makes no calls",
}


def check_sweep(
    harness: Harness,
    record: PipelineRecord,
    others: Iterable[PipelineRecord],
    performances: Performances,
) -> None:
    """Check that the sweep of this test can be applied to a run.

    Args:
        others: the test's pipelines, another of which may have the action.

    Raises:
        UnfitSweepError: no pipeline has the action, it makes no calls, or actions whose order is
            swept do not start together.
    """
    sweep = harness.builder.variation
    if sweep is None or (sweep.action is None and not sweep.order):
        return
    try:
        if sweep.order:
            _check_order(sweep, record, performances)
            harness.builder.has_varied = True
        else:
            _check_performed(_found(str(sweep.action), record), performances)
    except ValueError as error:
        for other in others:
            if other is not record and _has_all(other, sweep):
                return
        raise UnfitSweepError(sweep.marker, str(error)) from None


def _has_all(record: PipelineRecord, sweep: Variation) -> bool:
    try:
        for name in sweep.order or (str(sweep.action),):
            _found(name, record)
    except ValueError:
        return False
    return True


def _found(name: str, record: PipelineRecord) -> Action:
    actions = {each.full_name: each for each in record.actions}
    return actions[NamedActions(actions).full_name(name)]


def _check_performed(action: Action, performances: Performances) -> None:
    why = _WITHOUT_CALLS.get(performances[action.full_name].kind)
    if why is not None:
        raise ValueError(
            f"action: {action.full_name} {why}: name an action that a handler or a worker performs"
        )


def _check_order(sweep: Variation, record: PipelineRecord, performances: Performances) -> None:
    actions = [_found(name, record) for name in sweep.order]
    first = actions[0]
    for each in actions[1:]:
        if (each.stage, each.run_order) != (first.stage, first.run_order):
            raise ValueError(
                f"actions: {first.full_name} (runOrder {first.run_order}) and {each.full_name}"
                f" (runOrder {each.run_order}) do not start together: name actions of one stage"
                " that have the same runOrder"
            )
    workers = [each for each in actions if performances[each.full_name].kind == "worker"]
    if len(workers) > 1:
        listed = " and ".join(each.full_name for each in workers)
        raise ValueError(
            f"actions: {listed} are performed by workers, which run side by side in every order:"
            " name one of them"
        )


def rank_of(sweep: Variation | None, action: Action) -> int:
    """Return an action's place in the order that a sweep wants; after those, all others."""
    order = () if sweep is None else sweep.order
    names = (action.full_name, action.name)
    return next((place for place, name in enumerate(order) if name in names), len(order))


def stage_to_retry(harness: Harness, execution: ExecutionRecord) -> str | None:
    """Return the stage that failed because a sweep let a call of its action fail."""
    sweep, fault = harness.builder.variation, harness.service.faults.at_call
    stage = execution.stage
    if sweep is None or fault is None or not fault.is_met or stage is None:
        return None
    return stage.name if _has_failed(stage, sweep) else None


def _has_failed(stage: StageRun, sweep: Variation) -> bool:
    return any(
        run.status == "Failed" and sweep.is_for(stage.name, name)
        for name, run in stage.current.items()
    )
