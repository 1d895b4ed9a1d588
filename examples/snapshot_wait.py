"""A Lambda action that takes a snapshot of a database, and waits until it is available.

The shape of handlers that wait: sleep and look, as long as the function has time left. A snapshot
of a large database takes longer than the fifteen minutes of a function, so what time is short for
is left to the next invocation, which the continuation token tells what to wait for.

UserParameters: `{"database": "orders"}`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import boto3

codepipeline = boto3.client("codepipeline")
rds = boto3.client("rds")

PAUSE: Final = 30
"""Seconds between two looks at the snapshot."""

RESERVE: Final = 10
"""Seconds that are kept for reporting."""


class SnapshotFailed(Exception):
    """The snapshot came to a bad end."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Take the snapshot or go on waiting for it, and report where it stands."""
    job = event["CodePipeline.job"]
    token = job["data"].get("continuationToken")
    try:
        snapshot = json.loads(token)["snapshot"] if token else take(job)
        done = wait_for(snapshot, context)
    except Exception as error:
        message = str(error)[:5000] or type(error).__name__
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": message}
        )
        return
    # Outside of the try: when this call fails, there is no failure of the job to report.
    if done:
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables={"snapshot": snapshot})
    else:
        codepipeline.put_job_success_result(
            jobId=job["id"], continuationToken=json.dumps({"snapshot": snapshot})
        )


def take(job: Mapping[str, Any]) -> str:
    """Start a snapshot, and give its name.

    The name comes from the job: when Lambda runs an event again, the snapshot is there already.
    """
    parameters = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
    database = parameters["database"]
    snapshot = f"{database}-{job['id']}"
    try:
        rds.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=snapshot)
    except rds.exceptions.DBSnapshotAlreadyExistsFault:
        print(f"snapshot {snapshot} was started by an invocation before this one")
    return snapshot


def wait_for(snapshot: str, context: Any) -> bool:
    """Wait as long as the function may; False if the snapshot is not available by then.

    Raises:
        SnapshotFailed: it never will be.
    """
    while (status := status_of(snapshot)) != "available":
        if status != "creating":
            raise SnapshotFailed(f"snapshot {snapshot} is {status}")
        if context.get_remaining_time_in_millis() < (PAUSE + RESERVE) * 1000:
            return False
        time.sleep(PAUSE)
    return True


def status_of(snapshot: str) -> str:
    """Give a snapshot's status, such as creating."""
    (found,) = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    return str(found["Status"])
