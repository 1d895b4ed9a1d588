"""The markers of sweeps: which variations of a test each of them selects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import permutations
from typing import Any, Final

from pytest_cpjob.settings import OptionError, nearest
from pytest_cpjob.sweeps.variations import FAULTS, JOB_VARIANTS, PLAIN, WARM, Variation

MOST_ORDERED: Final = 5
"""How many actions are permuted at most: 120 orders."""

MOST_CALLS: Final = 50
"""How many calls of an action are failed at most."""

_NAMED: Final = {
    "cpjob_job_variants": JOB_VARIANTS,
    "cpjob_faults": FAULTS,
    "cpjob_warm": WARM,
}
"""The markers whose variations have fixed names."""

_OF_A_DEFINITION: Final = frozenset({"aws-cn", "aws-us-gov", "longest-names"})
"""Variations of what belongs to a whole pipeline, which its definition decides on."""


def variations(
    marker: str, given: tuple[object, ...], options: Mapping[str, object]
) -> list[Variation]:
    """Return the variations that a marker selects.

    Args:
        given: the marker's arguments.
        options: its keyword arguments.

    Raises:
        OptionError: a variation or option does not exist (the message suggests the nearest), or
            has a value that it cannot have.
    """
    select = _OTHERS.get(marker, _named)
    try:
        chosen = select(marker, given, **options)
    except OptionError as error:
        raise OptionError(f"@pytest.mark.{marker}: {error}") from None
    return [each._replace(marker=marker) for each in chosen]


def _named(
    marker: str,
    names: tuple[object, ...],
    /,
    *,
    without: object = (),
    action: object = None,
    **unknown: object,
) -> list[Variation]:
    known = {each.name: each for each in _NAMED[marker]}
    takes_action = marker != "cpjob_warm"
    if action is not None and not takes_action:
        unknown = {"action": action, **unknown}
    _refuse_options(unknown, ("without", "action") if takes_action else ("without",))
    if isinstance(without, str) or not isinstance(without, Iterable):
        raise OptionError(f"without: expected a list of variations' names, got {without!r}")
    chosen, left_out = list(names), list(without)
    for name in (*chosen, *left_out):
        if not isinstance(name, str):
            raise OptionError(
                f"expected names of variations, got {name!r}; write each as a string:"
                f" {marker}({next(reversed(known))!r})"
            )
        if name not in known:
            raise OptionError(f"no variation {name!r}{nearest(name, known)}")
    if action is None:
        return [known[str(name)] for name in chosen or known if name not in left_out]
    target = _action("action", action)
    for name in chosen:
        if name in _OF_A_DEFINITION:
            raise OptionError(
                f"{name!r} with action={target!r}: a pipeline's definition decides on its region"
                " and names: give add_pipeline another region or definition, or leave it out"
            )
    return [
        known[str(name)]._replace(action=target)
        for name in chosen or known
        if name not in {*left_out, *_OF_A_DEFINITION}
    ]


def _orders(marker: str, actions: tuple[object, ...], /, **unknown: object) -> list[Variation]:
    """Return every order of some parallel actions."""
    _refuse_options(unknown, ())
    names = [_action("actions", each) for each in actions]
    if not 2 <= len(names) <= MOST_ORDERED or len(set(names)) < len(names):
        raise OptionError(
            f"expected 2 to {MOST_ORDERED} different actions of one runOrder, such as"
            f" ('Check/Links', 'Check/Spelling'), got {actions!r:.100}: name those that may get in"
            " each other's way"
        )
    short = {name: name.rpartition("/")[2] for name in names}
    if len(set(short.values())) < len(names):
        short = {name: name for name in names}
    return [
        Variation("-then-".join(short[name] for name in order), order=order)
        for order in permutations(names)
    ]


def _stage_retries(
    marker: str, given: tuple[object, ...], /, *, calls: object = 5, **unknown: object
) -> list[Variation]:
    """Return a failure of each of an action's calls: refused, and with its answer lost."""
    _refuse_options(unknown, ("calls",))
    if len(given) != 1:
        raise OptionError(
            f"expected one action, such as 'Release/Announce', got {given!r:.100}: give each action"
            " a test of its own"
        )
    target = _action("action", given[0])
    if not isinstance(calls, int) or isinstance(calls, bool) or not 1 <= calls <= MOST_CALLS:
        raise OptionError(
            f"calls: expected how many of the action's calls are to fail, one in each run, 1 to"
            f" {MOST_CALLS}, got {calls!r}"
        )
    return [
        PLAIN._replace(action=target),
        *(
            Variation(name, action=target, failing_call=number, is_lost=is_lost)
            for number in range(1, calls + 1)
            for name, is_lost in ((f"call-{number}-refused", False), (f"call-{number}-lost", True))
        ),
    ]


_OTHERS: Final[Mapping[str, Callable[..., list[Variation]]]] = {
    "cpjob_action_orders": _orders,
    "cpjob_stage_retries": _stage_retries,
}


def _refuse_options(unknown: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for option in unknown:
        raise OptionError(f"unknown option {option!r}{nearest(option, known)}")


def _action(argument: str, name: object) -> str:
    if not isinstance(name, str) or not name:
        raise OptionError(f"{argument}: expected 'Stage/Action' or an action's name, got {name!r}")
    return name
