"""A program that sends requests on some connections, and prints how long each took.

It is a process of its own, so that server and client do not share one interpreter's lock.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.client import HTTPConnection

BODY = json.dumps(
    {"actionTypeId": {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}}
)
HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "CodePipeline_20150709.PollForJobs",
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20210101/us-east-1/codepipeline/"
    "aws4_request, SignedHeaders=host, Signature=0",
}
LISTED = {**HEADERS, "X-Amz-Target": "CodePipeline_20150709.ListPipelines"}


def main() -> None:
    """Send requests to a port on some connections: empty polls, or lists of pipelines."""
    port, connections, count = map(int, sys.argv[1:4])
    headers, body = (HEADERS, BODY) if sys.argv[4] == "poll" else (LISTED, "{}")
    taken: list[float] = []
    begin = threading.Barrier(connections + 1)

    def send() -> None:
        connection = HTTPConnection("127.0.0.1", port)
        own = []
        begin.wait()
        for _ in range(count // connections):
            start = time.perf_counter()
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            answer.read()
            own.append(time.perf_counter() - start)
            assert answer.status == 200, answer.status
        taken.extend(own)

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    json.dump({"seconds": time.perf_counter() - start, "taken": taken}, sys.stdout)


if __name__ == "__main__":
    main()
