"""The values that are secret; `secret_search` finds them in a text, once there is a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

SHORTEST: Final = 8
"""Shorter values are found everywhere by chance, and are not looked for."""


class SecretValues:
    """Values of 8 characters or more, each once, new ones at the end.

    Attributes:
        shortest, longest: the lengths that they have, 0 if there are none.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._listed: list[str] = []
        self._known_spaces = self._longest_with_space = 0
        self.shortest = self.longest = 0
        self.add(values)

    def __bool__(self) -> bool:
        return bool(self._listed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    @property
    def listed(self) -> Sequence[str]:
        """All values; new ones come at the end."""
        return self._listed

    def add(self, values: Iterable[str]) -> None:
        """Take in these values as well, unless they are too short."""
        known = self._values
        for value in values:
            length = len(value)
            if length >= SHORTEST and value not in known:
                known.add(value)
                self._listed.append(value)
                if length > self.longest:
                    self.longest = length
                if length < self.shortest or not self.shortest:
                    self.shortest = length

    @property
    def longest_with_space(self) -> int:
        """The length of the longest value that goes on after a space or a new line, 0 if none."""
        count = len(self._listed)
        for value in self._listed[self._known_spaces : count]:
            if (" " in value or "\n" in value) and len(value) > self._longest_with_space:
                self._longest_with_space = len(value)
        self._known_spaces = count
        return self._longest_with_space
