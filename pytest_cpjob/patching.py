"""The undo list: what is replaced in the process, put back unless others have replaced it since."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

_ABSENT: Final = object()


_late_attributes: Final[list[tuple[Any, str, weakref.ref[Any], object]]] = []


def restore_late_attributes() -> None:
    """Take back what others have put in place anew, after it was taken back.

    A patch that was put over ours does so when it goes. To be called while nothing of ours is in
    place.
    """
    for late in list(_late_attributes):
        owner, name, value, before = late
        ours = value()
        if ours is None:
            _late_attributes.remove(late)
        elif owner.__dict__.get(name) is ours:
            _late_attributes.remove(late)
            _set_back(owner, name, before)


class Undo:
    """Steps that undo changes to the process, run in reverse order."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def later(self, step: Callable[[], object]) -> None:
        """Add a step."""
        self._steps.append(step)

    def set_attribute(self, owner: Any, name: str, value: object) -> None:
        """Set `owner.name` until the undo, which leaves it alone if others have set it since."""
        before = owner.__dict__.get(name, _ABSENT)
        setattr(owner, name, value)
        # A closure, with its cells, would be four more objects for the collector.
        self._steps.append(partial(_restore_attribute, owner, name, value, before))

    def all(self) -> None:
        """Run every step, even after an exception; then raise the first exception."""
        failure: BaseException | None = None
        while self._steps:
            try:
                self._steps.pop()()
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure


class _Place(NamedTuple):
    """An attribute, what stood there when it was replaced last, and what was made to replace it.

    Attributes:
        before: `_ABSENT` where the attribute is inherited.
    """

    owner: Any
    name: str
    before: object
    ours: object


class Patches:
    """Attributes that are replaced together, in test after test.

    What replaces them is made once, and again only where another object stands there; so it must
    not keep anything of a test.

    Args:
        replacements: for each attribute its owner, its name, and the function that makes of what
            stands there what replaces it.

    Attributes:
        are_in_place: whether the attributes are replaced now.
    """

    def __init__(self, *replacements: tuple[Any, str, Callable[[Any], object]]) -> None:
        self._places = [_Place(owner, name, None, None) for owner, name, _ in replacements]
        self._wraps = [wrap for _, _, wrap in replacements]
        # What was found there, inherited or not; and the first that ever was.
        self._originals: list[object] = [None] * len(replacements)
        self._first: dict[int, object] = {}
        self._others: set[int] = set()
        self._count = 0
        self.are_in_place = False

    def put_in_place(self, undo: Undo) -> None:
        """Replace the attributes until the undo, which leaves alone what others have set since."""
        undo.later(self._take_back)
        self.are_in_place = True
        self._count = 0
        for owner, name, before, ours in self._places:
            there = owner.__dict__.get(name, _ABSENT)
            if there is not before or there is _ABSENT:
                ours = self._make(self._count, there)
            self._count += 1
            setattr(owner, name, ours)

    def _make(self, at: int, there: object) -> object:
        """Make what replaces an attribute, unless it was made of the same before."""
        owner, name, before, ours = self._places[at]
        original = getattr(owner, name)
        if there is before and original == self._originals[at]:
            return ours
        ours = self._wraps[at](original)
        self._places[at] = _Place(owner, name, there, ours)
        self._originals[at] = original
        if there is not self._first.setdefault(at, there):
            self._others.add(at)
        return ours

    def those_in_place(self) -> list[Any]:
        """Return what has replaced the attributes."""
        return [each.ours for each in self._places]

    def _take_back(self) -> None:
        self.are_in_place = False
        for owner, name, before, ours in self._places[: self._count]:
            if owner.__dict__.get(name) is not ours:
                _set_back_later(owner, name, ours, before)
            elif before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        while self._others:
            # What stood there may be a test's own, and is not to be kept for later ones.
            at = self._others.pop()
            self._places[at] = self._places[at]._replace(before=None, ours=None)
            self._originals[at] = None


def _restore_attribute(owner: Any, name: str, value: object, before: object) -> None:
    if owner.__dict__.get(name) is value:
        _set_back(owner, name, before)
    else:
        _set_back_later(owner, name, value, before)


def _set_back_later(owner: Any, name: str, value: object, before: object) -> None:
    """Remember what was there before a function that others have put something over."""
    if not isinstance(value, FunctionType):
        return
    for late in _late_attributes:
        if late[0] is owner and late[1] == name and late[2]() is value:
            return
    _late_attributes.append((owner, name, weakref.ref(value), before))


def _set_back(owner: Any, name: str, before: object) -> None:
    if before is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, before)


def when_imported(name: str, then: Callable[[], None], undo: Undo) -> None:
    """Call `then` now if a module is imported, or else right after its import, until the undo."""
    if name in sys.modules:
        then()
        return
    finder = _Finder(name, then)
    sys.meta_path.insert(0, finder)
    undo.later(finder.remove)


class _Finder:
    """Finds one module as Python would, and calls `then` when it has been executed."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then
        self._is_looking = False

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name or self._is_looking:
            return None
        self._is_looking = True
        try:
            spec = find_spec(name)
        finally:
            self._is_looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    self._then()

            # Only on this loader object, which was created for this one import.
            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
