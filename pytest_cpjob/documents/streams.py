"""Named streams of random values: the same names give the same values, in any order or thread."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_128
from random import Random
from typing import Any, NoReturn

from pytest_cpjob.documents.values import Draws

# What one round of SHAKE-128 produces: asking for less would cost the same.
_ROUND = 168


class NamedRandom(Random):
    """A `random.Random` whose bits are the hash of a name (as `SystemRandom`'s are the system's).

    A document draws a few values from each of several streams, and creating one of these takes a
    fifth of the time of seeding a Mersenne Twister.
    """

    def __init__(self, name: bytes) -> None:
        # Random.__init__ is not called: it would only seed the unused Mersenne Twister, slowly.
        self._name = name
        self._rounds = 0
        self._pool = b""
        self._at = 0
        self.gauss_next = None

    def randbytes(self, n: int) -> bytes:
        """Return the next `n` bytes of the stream."""
        start, end = self._at, self._at + n
        if end > len(self._pool):
            self._rounds += 1
            numbered = b"%d:%b" % (self._rounds, self._name)
            self._pool = shake_128(numbered).digest(_ROUND if n <= _ROUND else _ROUND + n)
            start, end = 0, n
        self._at = end
        return self._pool[start:end]

    def getrandbits(self, k: int, /) -> int:
        """Return a number of `k` bits, on which Random's other methods build."""
        count = (k + 7) // 8
        return int.from_bytes(self.randbytes(count), "big") >> (count * 8 - k)

    def random(self) -> float:
        """Return the next number in [0.0, 1.0)."""
        return self.getrandbits(53) * 2.0**-53

    def seed(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise NotImplementedError: the name is the seed."""
        raise NotImplementedError("a stream's values follow from its names: use another stream")

    def getstate(self) -> NoReturn:
        """Raise NotImplementedError: each `values` starts at the beginning, so no state exists."""
        raise NotImplementedError("a stream has no state to save: its names give it again")

    setstate = seed


class _Source:
    """The owner of one stream's `Random`: all that a provider needs of a Faker `Generator`."""

    __slots__ = ("random",)

    def __init__(self, random: Random) -> None:
        self.random = random


class Stream:
    """A source of values, identified by its names alone.

    A stream holds no state: `values` starts at the stream's beginning each time, so to draw
    several values, keep the returned object. A number and its text are the same name.

    >>> here, there = Stream(7, "test").at("job", 1), Stream("7", "test", "job", "1")
    >>> here.values.job_id() == there.values.job_id()
    True
    """

    __slots__ = ("_path",)

    def __init__(self, *names: str | int) -> None:
        # repr() keeps ("a", "b") apart from ("ab",), and its text can always be encoded.
        self._path = "".join(map(repr, map(str, names)))

    def __repr__(self) -> str:
        return f"Stream({self._path})"

    def at(self, *names: str | int) -> Stream:
        """Return the child stream with these names."""
        child = Stream.__new__(Stream)
        child._path = self._path + "".join(map(repr, map(str, names)))
        return child

    def first_bytes(self, count: int, name: str, number: int) -> bytes:
        """Return the first bytes of a numbered child stream: what its `random` draws first.

        In one step, for what is drawn at many calls.
        """
        return shake_128(f"1:{self._path}{name!r}'{number}'".encode()).digest(count)

    @property
    def random(self) -> Random:
        """A fresh `random.Random` at the beginning of this stream."""
        return NamedRandom(self._path.encode())

    @property
    def values(self) -> Draws:
        """A fresh provider at the beginning of this stream; Faker itself is not imported."""
        return Draws(_Source(self.random))


def job_stream(stream: Stream, counter: Iterator[int], job_id: object = None) -> Stream:
    """Return the stream of one job, named by its id if the test gives one, else by a number.

    So two factories called with the same `job_id` agree on everything else as well.
    """
    if isinstance(job_id, str):
        return stream.at("job-id", job_id)
    return stream.at("job", next(counter))
