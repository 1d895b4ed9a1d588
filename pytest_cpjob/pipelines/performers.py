"""Who performs which action in a pipeline's run, by the keys that a test gives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.documents.pipeline_events import action_type_of
from pytest_cpjob.pipelines.definition import Definition
from pytest_cpjob.pipelines.records import is_manual_approval
from pytest_cpjob.pipelines.stand_ins import StandIn
from pytest_cpjob.pipelines.variables import Action, actions_of
from pytest_cpjob.settings import nearest

Performer = Callable[..., object] | str | StandIn
"""A handler or its dotted name, a worker's main function, or a `StandIn`."""


class Performance(NamedTuple):
    """How one action is performed.

    Attributes:
        kind: `stand-in`, `handler` (of a Lambda action), `worker`, `poller` (a handler that an
            event starts, and that polls), `approval`, which waits for somebody, or `nobody`.
        by: the test's own object; None for a template's code, and for default stand-ins.
        told: how the timeline names it.
        function: of a poller, the template's function that it is.
    """

    kind: str
    by: Performer | None
    told: str
    function: str | None = None

    @property
    def stand_in(self) -> StandIn:
        """The stand-in, by default one that gives samples."""
        return self.by if isinstance(self.by, StandIn) else StandIn()


Performances = dict[str, Performance]
"""By `Stage/Action`."""

_DEFAULT: Final = Performance("stand-in", None, "stand-in")
_APPROVAL: Final = Performance("approval", None, "whoever approves")
_NOBODY: Final = Performance("nobody", None, "nobody")


def performances_of(
    definition: Definition, given: Mapping[str, Performer], *, complete: bool = True
) -> Performances:
    """Return who performs each action.

    Args:
        complete: whether somebody must be named for every action that needs one; if not, the job
            of one that is left waits.

    Raises:
        ValueError: a key is no action's, a value cannot perform it, or actions are left for which
            nobody is named and no code is known; the text lists them.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"performers: expected a dict, got {given!r:.60}")
    actions = actions_of(definition.declaration)
    keys = {action.full_name: list(_keys_of(action, actions)) for action in actions}
    _refuse_unknown(given, keys)
    found: Performances = {}
    missing: list[str] = []
    for action in actions:
        key = next((each for each in keys[action.full_name] if each in given), None)
        if key is not None:
            found[action.full_name] = _performance(action, key, given[key])
        elif is_manual_approval(action):
            found[action.full_name] = _APPROVAL
        elif not _has_job(action):
            found[action.full_name] = _DEFAULT
        else:
            left = _from_definition(action, definition)
            if isinstance(left, Performance):
                found[action.full_name] = left
            elif not complete:
                found[action.full_name] = _NOBODY
            else:
                missing.append(f"- {action.full_name}: {left}")
    if missing:
        raise ValueError(
            "performers: nobody performs these actions:\n"
            + "\n".join(missing)
            + '\nName a handler, a worker\'s main function or a StandIn: run({"Stage/Action": ...})'
        )
    return found


def _keys_of(action: Action, actions: list[Action]) -> Iterator[str]:
    """Return what a performer of an action may be named by, the nearest name first."""
    yield action.full_name
    if [each.name for each in actions].count(action.name) == 1:
        yield action.name
    function = action.configuration.get("FunctionName")
    if function is not None and _is_lambda(action):
        yield str(function)
        yield str(function).rpartition("function:")[2].partition(":")[0]
    kind = action.action_type
    yield ":".join(str(kind.get(k)) for k in ("category", "owner", "provider", "version"))
    yield str(kind.get("provider"))
    if sum(each.stage == action.stage for each in actions) == 1:
        yield action.stage


def _refuse_unknown(given: Mapping[str, Performer], keys: Mapping[str, list[str]]) -> None:
    known = list(dict.fromkeys(key for each in keys.values() for key in each))
    for key in given:
        if not isinstance(key, str) or key not in known:
            full = "" if not isinstance(key, str) else nearest(key, known)
            raise ValueError(
                f"performers: the pipeline has no action, function, action type or provider"
                f" {str(key)[:60]!r}{full}; its actions: {', '.join(keys)}"
            )


def _performance(action: Action, key: str, by: object) -> Performance:
    if isinstance(by, StandIn):
        by.refuse_unknown(action)
        return Performance("stand-in", by, "stand-in")
    if not isinstance(by, str) and not callable(by):
        raise ValueError(
            f"performers[{key!r}]: expected a handler or its name, a worker's main function or a"
            f" StandIn, got {by!r:.60}"
        )
    if not _has_job(action):
        raise ValueError(
            f"performers[{key!r}]: {action.full_name} is an action of AWS's own"
            f" ({action.action_type.get('provider')}), which no code of yours performs: give a"
            " StandIn"
        )
    if by is StandIn:
        raise ValueError(f"performers[{key!r}]: got the class StandIn: write StandIn()")
    if isinstance(by, str) and ("." not in by or not all(by.split("."))):
        raise ValueError(f"performers[{key!r}]: expected 'package.module.function', got {by!r:.60}")
    takes_none, takes_event = _takes(by, 0), _takes(by, 2)
    if _is_lambda(action):
        if not takes_event:
            raise ValueError(
                f"performers[{key!r}]: {action.full_name} is a Lambda action: expected a"
                f" handler(event, context), got {_name(by)}, which cannot be called with two"
                " arguments"
            )
        return Performance("handler", by, _name(by))
    if not (takes_none or takes_event):
        raise ValueError(
            f"performers[{key!r}]: expected a worker's main function, which takes no arguments, or"
            f" a poller(event, context), got {_name(by)}"
        )
    return Performance("worker" if takes_none else "poller", by, _name(by))


def _from_definition(action: Action, definition: Definition) -> Performance | str:
    """Return who performs an action by its definition, or why nobody does."""
    kind, name = "handler", action.configuration.get("FunctionName")
    if not _is_lambda(action):
        kind, name = "poller", definition.pollers(_started(action, definition))
    if name is None:
        owner = action.action_type.get("owner")
        return f"a worker of {owner} actions: no rule of the definition starts one in Lambda"
    function = definition.function_of(str(name))
    if function is None:
        return f"function {name!r}, which {definition.source} does not make"
    if function.code.missing:
        return f"function {name!r}: {function.code.missing}"
    return Performance(kind, None, f"{function.code.handler} of {name}", str(name))


def _started(action: Action, definition: Definition) -> dict[str, Any]:
    """Return what an EventBridge rule looks at in the event that an action has started."""
    name = str(definition.declaration["name"])
    owner = f"{definition.region}:{definition.account_id}"
    return {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Action Execution State Change",
        "account": definition.account_id,
        "region": definition.region,
        "resources": [f"arn:{partition_of(definition.region)}:codepipeline:{owner}:{name}"],
        "detail": {
            "pipeline": name,
            "stage": action.stage,
            "action": action.name,
            "state": "STARTED",
            "region": str(action.declared.get("region") or definition.region),
            "type": action_type_of(action.action_type),
            "version": 1.0,
        },
    }


def _takes(by: object, count: int) -> bool:
    """Whether something can be called with so many arguments; of a name any will do."""
    if not callable(by):
        return True
    try:
        signature = inspect.signature(by)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _name(by: Any) -> str:
    if isinstance(by, str):
        return by
    name = getattr(by, "__qualname__", None) or type(by).__name__
    module = getattr(by, "__module__", None)
    return f"{module}.{name}" if module else str(name)


def _is_lambda(action: Action) -> bool:
    kind = action.action_type
    return (kind.get("owner"), kind.get("category"), kind.get("provider")) == (
        "AWS",
        "Invoke",
        "Lambda",
    )


def _has_job(action: Action) -> bool:
    """Whether CodePipeline makes a job for it.

    GitHub's source of version 1 belongs to ThirdParty, but AWS itself works on it.
    """
    if _is_lambda(action):
        return True
    kind = action.action_type
    if kind.get("owner") == "ThirdParty":
        return not (kind.get("category") == "Source" and kind.get("provider") == "GitHub")
    return kind.get("owner") == "Custom"
