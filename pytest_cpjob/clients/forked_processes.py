"""Forked children: they have copies of the stub, of which the test would hear nothing.

So a child's calls are refused; and the parent is told, by memory that the two share.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import Final, NoReturn

from pytest_cpjob.errors import CpjobError

_SLOT: Final = 64
_memory: Final = mmap.mmap(-1, 64 * _SLOT)
"""Shared by all that are forked from here; one slot for each child, the last ones shared."""
_NOTHING: Final = bytes(len(_memory))


class ForkedProcesses:
    """The calls of children that were forked while a stub was active.

    Attributes:
        pid: of the process of the test; in another one, calls are refused.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()

    def begin(self) -> None:
        """Forget what was called before."""
        self.pid = os.getpid()
        _memory[:] = _NOTHING

    def refuse(self, service: str, operation: str) -> NoReturn:
        """Refuse a call that is made in a forked child.

        Raises:
            CpjobError: the text names the process.
        """
        call = f"{service}.{operation}"
        start = os.getpid() % (len(_memory) // _SLOT) * _SLOT
        _memory[start : start + _SLOT] = call.encode()[:_SLOT].ljust(_SLOT, b"\0")
        raise CpjobError(
            f"{_name()} called {call}, and was forked from the process of the test, which alone"
            " knows what the stub answers: let the code make its calls in threads, or give the"
            " process the variables of cpjob_endpoint.env"
        )

    def calls(self) -> list[str]:
        """Return what forked children have called so far."""
        if _memory[:] == _NOTHING:
            return []
        slots = (_memory[start : start + _SLOT] for start in range(0, len(_memory), _SLOT))
        return [slot.rstrip(b"\0").decode(errors="replace") for slot in slots if slot[0]]


def _name() -> str:
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None:
        return f"process {os.getpid()}"
    return f"process {multiprocessing.current_process().name!r} ({os.getpid()})"
