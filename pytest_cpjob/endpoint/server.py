"""The server: a real one, on a free port of the loopback interface."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.clients.environment import DUMMY_CREDENTIALS
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.threads import OURS

if TYPE_CHECKING:
    from pytest_cpjob.stub import CodePipelineStub

HOST: Final = "127.0.0.1"


class EndpointServer:
    """Serves one stub at a time; made once for a whole run.

    Args:
        port: the port, 0 for a free one.
        on_call: told of each call and its outcome.

    Raises:
        CpjobError: what it needs is not installed; the text names the extra.
    """

    def __init__(self, port: int = 0, on_call: Callable[[str], None] | None = None) -> None:
        try:
            import cbor2  # noqa: F401
            from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

            from pytest_cpjob.endpoint.app import Application
        except ModuleNotFoundError as error:
            raise CpjobError(
                f"the endpoint needs {error.name!r}: pip install 'pytest-cpjob[server]'"
            ) from error

        class Server(ThreadedWSGIServer):
            def process_request(self, request: Any, client_address: Any) -> None:
                threading.Thread(
                    target=self.process_request_thread,
                    args=(request, client_address),
                    name=f"{OURS} request",
                    daemon=True,
                ).start()

        class Handler(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"

            def log(self, type: str, message: str, *args: Any) -> None:
                """Say nothing: the test's own output is the test's."""

        self._application = Application(on_call)
        self._server = Server(HOST, port, self._application, handler=Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"{OURS} server",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The one URL of all services."""
        return f"http://{HOST}:{self._server.server_port}"

    def serve(self, stub: CodePipelineStub | None) -> list[BaseException]:
        """Let this stub answer from now on, or nobody; give what has gone wrong before."""
        failures, self._application.failures = self._application.failures, []
        self._application.stub = stub
        return failures

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Endpoint:
    """The service on a real loopback port, while a test runs.

    Attributes:
        url: the one URL of all services, S3 by path.
        env: what a process needs in its environment to be answered here, and by nothing real.
    """

    def __init__(self, server: EndpointServer, region: str) -> None:
        self.url = server.url
        self.env = environment(server.url, region)

    def run(
        self, args: Sequence[str | os.PathLike[str]] | str, **kwargs: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a process with `env`, and nothing else of AWS's variables; see `subprocess.run`.

        Its output is captured as text, unless `kwargs` say otherwise. `env` in `kwargs` is added.
        """
        given: Mapping[str, str] = kwargs.pop("env", None) or {}
        options = {"capture_output": True, "text": True, **kwargs}
        if {"stdout", "stderr"} & set(kwargs):
            del options["capture_output"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        completed: subprocess.CompletedProcess[str] = subprocess.run(
            args,
            env={**clean, **self.env, **given},
            **options,
        )
        return completed

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"


def environment(url: str, region: str) -> dict[str, str]:
    """Give the variables that send a process's AWS calls to `url`, and keep it from all others."""
    hosts = [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), HOST]
    not_by_proxy = ",".join(filter(None, hosts))
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **DUMMY_CREDENTIALS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": not_by_proxy,
        "no_proxy": not_by_proxy,
    }
