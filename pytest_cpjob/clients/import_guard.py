"""AWS outside of any stub: code can be imported anywhere, and does not leave while it is.

A handler's module makes its clients when it is imported, mostly by pytest's collection. Where no
region is known botocore makes none, and the test could not even be collected. So here a client can
be made nevertheless; to what the machine has configured nothing is added, and nothing of it hidden.

Every start of pytest pays for this module, so what it does to botocore is in `early_calls`, which
is imported once botocore is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_cpjob.patching import Undo, when_imported

if TYPE_CHECKING:
    from pytest_cpjob.clients.early_calls import EarlyCalls


class ImportGuard:
    """What holds for clients while no stub is active; it reaches botocore once that is imported.

    Args:
        region: of clients that are made where no region is known.
        makes_clients: whether such clients can be made.
        stops_calls: whether calls are stopped while code is imported: always, or None where the
            machine has no AWS configuration.
    """

    def __init__(self, region: str, *, makes_clients: bool, stops_calls: bool | None) -> None:
        self._region = region
        self._makes_clients = makes_clients
        self._stops_calls = stops_calls
        self._environ = dict(os.environ)
        self._when = ""
        self._calls: EarlyCalls | None = None

    def install(self, undo: Undo) -> None:
        """Reach botocore, now or when it is imported, until the undo."""
        undo.later(self.rest)
        when_imported("botocore.client", lambda: self._reach_botocore(undo), undo)

    def _reach_botocore(self, undo: Undo) -> None:
        from pytest_cpjob.clients.early_calls import EarlyCalls

        self._calls = EarlyCalls(
            self._region,
            makes_clients=self._makes_clients,
            stops_calls=self._stops_calls,
            environ=self._environ,
        )
        self._calls.reach_botocore(undo)
        self._calls.when = self._when

    def watch(self, when: str) -> None:
        """Stop calls from now on; `when` says, in an error, when they were made."""
        self._when = when
        if self._calls is not None:
            self._calls.when = when

    def rest(self) -> None:
        """Stop none any more."""
        self.watch("")

    @contextmanager
    def watching(self, when: str) -> Iterator[None]:
        """Stop calls meanwhile."""
        self.watch(when)
        try:
            yield
        finally:
            self.rest()
