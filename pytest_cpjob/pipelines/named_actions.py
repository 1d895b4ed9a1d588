"""A mapping of actions: by `Stage/Action`, or by the action's name where that is unique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from pytest_cpjob.settings import nearest

Item = TypeVar("Item", covariant=True)


class NamedActions(Mapping[str, Item]):
    """What belongs to each action of a pipeline, in the pipeline's order.

    >>> NamedActions({"Build/Compile": 1, "Release/Announce": 2})["Announce"]
    2
    """

    def __init__(self, items: Mapping[str, Item]) -> None:
        self._items = dict(items)

    def full_name(self, name: str) -> str:
        """Return the full name that a name stands for.

        Raises:
            ValueError: there is no such action, or more than one; the text lists near ones.
        """
        return full_name_of(self._items, name)

    def __getitem__(self, name: str) -> Item:
        try:
            return self._items[full_name_of(self._items, name)]
        except ValueError as error:
            raise KeyError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"


def full_name_of(names: Iterable[str], name: object) -> str:
    """Return which of some full names is meant.

    Raises:
        ValueError: none, or more than one.
    """
    known = list(names)
    if not isinstance(name, str):
        raise ValueError(f"action: expected 'Stage/Action' or an action's name, got {name!r:.60}")
    if name in known:
        return name
    found = [each for each in known if each.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"action: {name!r} is in several stages: {', '.join(found)}")
    bare = [each.partition("/")[2] for each in known]
    raise ValueError(
        f"action: the pipeline has no action {name[:60]!r}{nearest(name, [*known, *bare])}"
    )
