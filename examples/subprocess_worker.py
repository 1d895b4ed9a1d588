"""The program that a container runs: a job worker until it is told to stop.

`docs_worker` is the worker itself; this is what makes a process of it. The orchestrator sends
SIGTERM, gives it some seconds, and then kills it: so the signal lets the job in hand come to its
result, and no other is taken.

Usage: `python subprocess_worker.py PROJECT [--once]`, with the region in AWS_REGION.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Sequence

from docs_worker import DocsWorker


def main(arguments: Sequence[str] | None = None) -> None:
    """Work until SIGTERM, or with --once until the queue is empty."""
    parser = argparse.ArgumentParser()
    parser.add_argument("project")
    parser.add_argument("--once", action="store_true", help="end when there is nothing to do")
    parser.add_argument("--pause", type=float, default=30, help="seconds between empty polls")
    given = parser.parse_args(arguments)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    worker = DocsWorker(given.project, region=os.environ["AWS_REGION"])
    while not stopping.is_set():
        done = worker.poll_once()
        print(f"jobs done: {done}", flush=True)
        if done == 0:
            if given.once:
                return
            stopping.wait(given.pause)


if __name__ == "__main__":
    main()
