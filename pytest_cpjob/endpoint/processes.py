"""Processes at the endpoint: one that runs beside the test, and what a process has written."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Final

from pytest_cpjob.threads import OURS, wait_until

Args = Sequence[str | os.PathLike[str]] | str
Hear = Callable[[str], None]
"""Called with each piece of text that a process writes."""

_STOP_PATIENCE: Final = 10.0
_OUTPUT_PATIENCE: Final = 1.0
"""Seconds for the rest of the output of a process that has ended; one that it has started itself
may hold the pipe open for ever."""


class EndpointProcess:
    """A process that `cpjob_endpoint.start` has started; ended on leaving its `with` block.

    A process that still runs when the test function has ended is stopped then, before the findings
    are judged.

    Attributes:
        args: what was started, as given.
        pid: the process's number.

    >>> with cpjob_endpoint.start(["node", "worker.js"]) as worker:  # doctest: +SKIP
    ...     job.wait(seconds=30)
    """

    def __init__(self, args: Args, hear: Hear, options: Mapping[str, Any]) -> None:
        self.args = args
        self._popen: subprocess.Popen[Any] = subprocess.Popen(args, **options)
        self.pid = self._popen.pid
        self._written: list[tuple[str, str]] = []
        self._hear = hear
        self._readers = [
            self._reader(name, stream)
            for name, stream in (("stdout", self._popen.stdout), ("stderr", self._popen.stderr))
            if stream is not None
        ]

    def _reader(self, name: str, stream: IO[Any]) -> threading.Thread:
        reader = threading.Thread(
            target=self._read,
            args=(name, stream),
            name=f"{OURS} reads {name} of process {self.pid}",
            daemon=True,
        )
        reader.start()
        return reader

    def _read(self, name: str, stream: IO[Any]) -> None:
        # Line by line: a secret is not cut in two by what comes from the other stream.
        with stream:
            for line in stream:
                text = text_of(line)
                self._hear(text)
                self._written.append((name, text))

    @property
    def output(self) -> str:
        """What it has written so far, both streams, by lines in the order in which they came."""
        return "".join(text for _, text in list(self._written))

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far."""
        return self._text_of("stdout")

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._text_of("stderr")

    def _text_of(self, stream: str) -> str:
        return "".join(text for name, text in list(self._written) if name == stream)

    @property
    def returncode(self) -> int | None:
        """Its exit code, of a signal the negative number; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait in real time until it has ended, and return the exit code; all output is there then.

        Args:
            timeout: the longest wait in seconds; None for no limit.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if not wait_until(lambda: self.poll() is not None, timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        wait_until(lambda: not any(map(threading.Thread.is_alive, self._readers)), _OUTPUT_PATIENCE)
        return self._popen.wait()

    def stop(self, timeout: float = _STOP_PATIENCE) -> int:
        """End it with SIGTERM, or kill it if it still runs later; return the exit code.

        Nothing is sent to a process that has ended. On Windows there is only the kill.

        Args:
            timeout: seconds of real time between the two.
        """
        self._popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self.wait(timeout)
        self._popen.kill()
        return self.wait()

    def __enter__(self) -> EndpointProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        code = self.poll()
        state = "running" if code is None else f"ended with {code}"
        return f"<EndpointProcess {program_of(self.args)} {self.pid} {state}>"


def program_of(args: Args) -> str:
    """Return the name of a command's program, without its folder and arguments."""
    if isinstance(args, (str, os.PathLike)):
        first = next(iter(os.fspath(args).split()), "")
    else:
        first = os.fspath(next(iter(args), ""))
    return os.path.basename(first)


def text_of(written: str | bytes | None) -> str:
    """Return as text what a process has written."""
    if isinstance(written, bytes):
        return written.decode(errors="replace")
    return written or ""
