"""Whatever a machine has configured: whoever does not ask for us sees what is there without us."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from user_projects import LEAN

pytest_plugins = ["pytester"]

ROLE = {
    "Code": "Success",
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "Token": "IQoJb3JpZ2luX2VjEXAMPLE",
    "Expiration": "2999-01-01T00:00:00Z",
}
PROFILE = """
[profile work]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
region = ap-south-1
"""
MACHINES: dict[str, dict[str, str]] = {
    "no configuration": {"AWS_EC2_METADATA_DISABLED": "true"},
    "environment": {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE",
        "AWS_DEFAULT_REGION": "eu-west-1",
    },
    "profile": {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": "{home}/config"},
    "instance role": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "{metadata}"},
    "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{metadata}/container"},
}
CONFTEST = """
    import os

    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-north-1")
"""
PROBE = """
    import json, os, urllib.request
    import boto3, pytest
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    METADATA = os.environ["METADATA"]
    LOCAL = {"endpoint_url": "http://127.0.0.1:1", "config": Config(retries={"max_attempts": 0})}

    def asked():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.loads(opener.open(METADATA + "/asked").read())

    def error(call):
        try:
            call()
        except BotoCoreError as caught:
            return type(caught).__name__

    def look():
        before = asked()
        session = boto3.Session()
        credentials = session.get_credentials()
        where = ("sts", "eu-west-3")
        seen = {
            "environment": {n: v for n, v in os.environ.items() if n.startswith("AWS_")},
            "method": credentials and credentials.method,
            "key": credentials and credentials.access_key,
            "region": session.region_name,
            "call": error(boto3.Session().client(*where, **LOCAL).get_caller_identity),
            "default": error(boto3.client(*where, **LOCAL).get_caller_identity),
        }
        seen["asked"] = asked() - before
        return seen

    def tell(name, seen):
        with open("told.json", "a") as file:
            file.write(json.dumps([name, seen]) + "\\n")
"""
UNUSED = """
    from probe import look, tell

    tell("import", look())

    def test_unused():
        tell("unused", look())
"""
USED = """
    from probe import look, tell

    def test_used(cpjob):
        tell("used", look())
        cpjob.add_lambda_job(input_artifacts=["Source"])

    def test_used_then_unused():
        tell("used then unused", look())
"""


@pytest.fixture
def metadata() -> Iterator[str]:
    """Give the address of a server that gives a role's credentials, and how often it was asked."""
    asked = []

    class Metadata(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if self.path == "/asked":
                body = json.dumps(len(asked))
            else:
                asked.append(self.path)
                roles = self.path.endswith("/security-credentials/")
                body = "role" if roles or self.command == "PUT" else json.dumps(ROLE)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def told(pytester: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    path = pytester.path / "told.json"
    path.unlink(missing_ok=True)
    result = pytester.runpytest_subprocess(*arguments)
    assert result.ret == 0
    return dict(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("conftest", ["", CONFTEST], ids=["", "a region of the conftest's"])
@pytest.mark.parametrize("machine", MACHINES)
def test_the_unused_plugin_changes_nothing_and_the_used_one_hides_the_machine(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    metadata: str,
    machine: str,
    conftest: str,
) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    home = pytester.mkdir("home")
    (home / "config").write_text(PROFILE, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("METADATA", metadata)
    monkeypatch.setenv("PYTEST_ADDOPTS", LEAN)
    for name, value in MACHINES[machine].items():
        monkeypatch.setenv(name, value.format(home=home, metadata=metadata))
    pytester.makeconftest(conftest)
    pytester.makepyfile(probe=PROBE, test_a_unused=UNUSED, test_b_used=USED)

    off = told(pytester, "-p", "no:cpjob", "test_a_unused.py")
    on = told(pytester)

    if machine == "no configuration":
        # Told at import with its place and the way out; it is a NoCredentialsError all the same.
        for call in ("call", "default"):
            assert on["import"][call] == "CallAtImportError"
            on["import"][call] = off["import"][call]
    assert (on["import"], on["unused"]) == (off["import"], off["unused"])
    assert on["used then unused"] == off["unused"]
    used = on["used"]
    assert (used["method"], used["key"], used["asked"]) == ("env", "AKIACPJOBOWNROLE0000", 0)
    # A profile's region is hidden like the profile.
    of_the_machine = off["unused"]["environment"].get("AWS_DEFAULT_REGION", "us-east-1")
    assert used["region"] == used["environment"]["AWS_DEFAULT_REGION"] == of_the_machine
