"""The rows of the endpoint: what a request takes, and the slowest of a hundred."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from moto.server import ThreadedMotoServer

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.endpoint.server import EndpointServer
from tests.benchmarks.measuring import Row, quartiles

CONNECTIONS: Final = 16
ROUNDS: Final = 5


class Load(NamedTuple):
    """What a client has measured: seconds a request, and of the slowest but one in a hundred."""

    each: float
    slow: float


def rows() -> Iterator[Row]:
    """(j) Requests of another process: ours are empty polls, moto's an empty list of pipelines."""
    with endpoint() as ours, moto() as theirs:
        pairs = [(load(ours, "poll", 3_200), load(theirs, "list", 800)) for _ in range(ROUNDS + 1)][
            1:
        ]
    each = [(one.each, other.each) for one, other in pairs]
    yield Row(
        "j",
        f"a request of one of {CONNECTIONS} connections",
        "moto's own server",
        statistics.median(one for one, _ in each),
        statistics.median(other for _, other in each),
        1 / 3,
        spread=quartiles([one / other for one, other in each]),
    )
    slow = [one.slow for one, _ in pairs]
    what = f"the slowest but one in a hundred of {CONNECTIONS} connections"
    yield Row("j", what, "", statistics.median(slow), None, 0.1, spread=quartiles(slow))


@contextmanager
def endpoint() -> Iterator[int]:
    """Serve a stub; its port."""
    server = EndpointServer()
    server.wait_until_ready()
    with CodePipelineStub() as cpjob:
        cpjob.add_action_type("Build:Custom:Docs:1", properties={})
        server.serve(cpjob._harness)
        yield server._server.port
        server.end()
    server.stop()


@contextmanager
def moto() -> Iterator[int]:
    """Serve moto; its port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


def load(port: int, what: str, count: int) -> Load:
    """Send so many requests from a process of its own, which is measured in wall-clock time."""
    client = [sys.executable, "-m", "tests.benchmarks.endpoint_client"]
    ended = subprocess.run(
        [*client, str(port), str(CONNECTIONS), str(count), what],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    taken = sorted(told["taken"])
    return Load(told["seconds"] / len(taken), taken[len(taken) * 99 // 100])
