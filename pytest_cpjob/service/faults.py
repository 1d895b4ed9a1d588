"""Faults: errors that a test sets up for its handler's calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from pytest_cpjob.documents.facts import JobFacts

Aim = Callable[[str, str], bool]
"""Whether a fault is for the calls about an action's jobs, by its stage and name."""

_REFUSALS: Final = ("SlowDown", "Throttling", "ThrottlingException")
"""Errors that any operation may answer with: S3's, those of the query protocol, and the others."""


class Fault:
    """One fault: what the caller gets, how often, and whether the call takes effect first.

    With an `aim` it is for calls about certain jobs only.
    """

    __slots__ = (
        "after",
        "aim",
        "error",
        "may_stay_unmet",
        "message",
        "met",
        "operation",
        "service",
        "times",
    )

    def __init__(
        self,
        service: str,
        operation: str,
        error: str | Exception,
        times: int,
        after: bool,
        message: str | None = None,
        met: int = 0,
    ) -> None:
        self.service = service
        self.operation = operation
        self.error = error
        self.times = times
        self.after = after
        self.message = message
        self.met = met
        self.may_stay_unmet = False
        self.aim: Aim | None = None

    @property
    def code(self) -> str:
        """The error's code, or the exception's class name."""
        return self.error if isinstance(self.error, str) else type(self.error).__name__


class FaultAtCall:
    """The fault of one of the calls about certain jobs, whichever call that is.

    Attributes:
        number: which of them, counted from 1.
        lost: what the caller gets instead of the answer if the call takes effect; None if it is
            refused.
        seen: how many there have been.
    """

    def __init__(self, number: int, aim: Aim, lost: Exception | None) -> None:
        self.number = number
        self.aim = aim
        self.lost = lost
        self.seen = 0

    @property
    def is_met(self) -> bool:
        """Whether a call has run into it."""
        return self.seen >= self.number

    def next(self, service: str, operation: str) -> Fault | None:
        """Count one call, and return its fault if it is the one."""
        self.seen += 1
        if self.seen != self.number:
            return None
        error: str | Exception | None = self.lost
        if error is None:
            from pytest_cpjob.service.fault_errors import valid_errors

            possible = valid_errors(service, operation)
            error = next(each for each in _REFUSALS if each in possible)
        text = f"call {self.number} of the action, {operation}, failed as the sweep has it"
        message = text if isinstance(error, str) else None
        return Fault(service, operation, error, 1, self.lost is not None, message, met=1)


class Faults:
    """The faults that a test has set up; calls run into them in that order.

    Attributes:
        at_call: the fault of a call that has a number, if there is one.
    """

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self.at_call: FaultAtCall | None = None
        self._lock = threading.Lock()

    def add(
        self,
        operation: str,
        error: str | Exception,
        *,
        times: int,
        service: str,
        after: bool,
        message: str | None = None,
    ) -> Fault:
        """Set up one fault.

        Raises:
            ValueError: AWS has no such service, operation or error, `times` is below 1, `after` is
                not a bool, or `message` is not a string or is given with an exception.
        """
        from pytest_cpjob.service import fault_errors

        fault_errors.check_operation(service, operation)
        fault_errors.check_error(service, operation, error)
        if not isinstance(times, int) or isinstance(times, bool) or times < 1:
            raise ValueError(f"times: expected a whole number of at least 1, got {times!r}")
        if not isinstance(after, bool):
            raise ValueError(f"after: expected True or False, got {after!r}")
        fault_errors.check_message(error, message)
        fault = Fault(service, operation, error, times, after, message)
        self.all.append(fault)
        return fault

    @property
    def is_set_up(self) -> bool:
        """Whether there is any fault, met or not."""
        return bool(self.all) or self.at_call is not None

    def take(
        self, service: str, operation: str, about: Callable[[], Iterable[JobFacts]]
    ) -> Fault | None:
        """Use up and return the next fault for this call, if there is one.

        Args:
            about: returns the jobs that the call is about.
        """
        if not self.is_set_up:
            return None
        with self._lock:
            for fault in self.all:
                if (
                    fault.operation == operation
                    and fault.service == service
                    and fault.met < fault.times
                    and (fault.aim is None or _is_meant(fault.aim, about()))
                ):
                    fault.met += 1
                    return fault
            numbered = self.at_call
            if numbered is not None and _is_meant(numbered.aim, about()):
                return numbered.next(service, operation)
        return None

    def unmet(self) -> list[Fault]:
        """Return the faults that calls ran into fewer times than the test asked for."""
        return [fault for fault in self.all if fault.met < fault.times and not fault.may_stay_unmet]


def _is_meant(aim: Aim, jobs: Iterable[JobFacts]) -> bool:
    return any(aim(facts.stage_name, facts.action_name) for facts in jobs)
