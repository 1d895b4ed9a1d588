"""The endpoint's server, on a port of the loopback interface."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from http.client import HTTPConnection
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws.environment import DUMMY_CREDENTIALS
from pytest_cpjob.call_sites import Site, call_site
from pytest_cpjob.endpoint.processes import Args, EndpointProcess, Hear, program_of, text_of
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.patching import Undo
from pytest_cpjob.requirements import require
from pytest_cpjob.variables import set_variables

if TYPE_CHECKING:
    from pytest_cpjob.endpoint.http_server import Answer, HttpRequest, WebServer
    from pytest_cpjob.harness import Harness

HOST: Final = "127.0.0.1"
_NEEDED: Final = ("cbor2", "flask", "flask_cors")


class EndpointServer:
    """Serves one stub at a time; created once for a whole test run.

    Each stub has a port of its own: what a test has left running, and still calls, never meets the
    next test's jobs.

    Args:
        port: the first stub's port, 0 for a free one.
        on_call: told of each call and its outcome.
        allowed_hosts: public host names that lead here.

    Raises:
        CpjobError: a dependency is not installed; the message names the extra.
        OSError: the port is in use.
    """

    def __init__(
        self,
        port: int = 0,
        on_call: Callable[[str], None] | None = None,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        for needed in _NEEDED:
            if find_spec(needed) is None:
                raise CpjobError(
                    f"the endpoint needs {needed!r}: pip install 'pytest-cpjob[server]'"
                )
        require("cbor2")
        from pytest_cpjob.endpoint.app import Application
        from pytest_cpjob.endpoint.moto_app import MotoApplication

        self._earlier: list[WebServer] = []
        self._server = self._open(port)
        self._has_served = False
        self._moto = MotoApplication(HOST, self._server.port)
        self._application = Application(self._moto, on_call, allowed_hosts)

    def _open(self, port: int) -> WebServer:
        from pytest_cpjob.endpoint.http_server import WebServer

        taken = {server.port for server in self._earlier}
        server = WebServer((HOST, port), self._respond, self._failed)
        while server.port in taken:
            server.close_port()
            server = WebServer((HOST, port), self._respond, self._failed)
        return server

    def _respond(self, server: WebServer, request: HttpRequest) -> Answer | None:
        return self._application.respond(request, is_earlier=server is not self._server)

    def _failed(self, error: BaseException) -> None:
        self._application.fail("a connection", error)

    @property
    def url(self) -> str:
        """The one URL of all services."""
        return f"http://{HOST}:{self._server.port}"

    def wait_until_ready(self) -> None:
        """Return once requests are answered, moto's first one too, which imports half of moto."""
        self._application.warm_up()
        with closing(HTTPConnection(HOST, self._server.port)) as connection:
            connection.request("GET", "/")
            connection.getresponse().read()

    def serve(self, harness: Harness) -> None:
        """Let this stub answer from now on."""
        if self._has_served:
            self._server.close_port()
            self._earlier.append(self._server)
            self._server = self._open(0)
            self._moto.port = self._server.port
        self._has_served = True
        harness.router.endpoint_url = self.url
        self._application.serve(harness)

    def end(self) -> None:
        """Stop answering, after pending answers have finished.

        Raises:
            CpjobError: answers failed because of internal errors.
        """
        self._application.serve(None)
        failures, self._application.failures = self._application.failures, []
        if failures:
            listed = "".join(f"\n- {what}: {error!r}" for what, error in failures)
            raise CpjobError(f"the endpoint could not answer:{listed}") from failures[0][1]

    def stop(self) -> None:
        """Close the port, and every connection."""
        self._server.close_port()
        for server in (*self._earlier, self._server):
            server.end_connections()


class Endpoint:
    """The service on a real loopback port during a test.

    Attributes:
        url: the one URL of all services, S3 by path.
        env: the environment variables that send a process's AWS calls here, and nowhere else.

    >>> cpjob_endpoint.run(["aws", "codepipeline", "list-action-types"])  # doctest: +SKIP
    """

    def __init__(self, server: EndpointServer, harness: Harness) -> None:
        self._harness = harness
        self.url = server.url
        self.env = environment(server.url, harness.settings.region)

    def run(self, args: Args, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """Run a process with `env` and no other AWS variables; see `subprocess.run`.

        Output is captured as text unless `kwargs` say otherwise, and searched for the jobs'
        secrets. An `env` in `kwargs` is merged.
        """
        given: Mapping[str, str] = kwargs.pop("env", None) or {}
        options = {"capture_output": True, "text": True, **kwargs}
        if {"stdout", "stderr"} & set(kwargs):
            del options["capture_output"]
        hear = self._hear(args, call_site())
        try:
            completed: subprocess.CompletedProcess[str] = subprocess.run(
                args, env=self._variables(given), **options
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            hear(text_of(error.stdout))
            hear(text_of(error.stderr))
            raise
        hear(text_of(completed.stdout))
        hear(text_of(completed.stderr))
        return completed

    def start(self, args: Args, **kwargs: Any) -> EndpointProcess:
        """Start a process that runs beside the test, as `run` does; see `subprocess.Popen`.

        It is ended with SIGTERM on leaving its `with` block, by `stop`, or at the test's end.
        Output is captured as text unless `kwargs` say otherwise, and searched for the jobs'
        secrets; a Python program's is not buffered.
        """
        given: Mapping[str, str] = kwargs.pop("env", None) or {}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **kwargs}
        if options["text"]:
            options.setdefault("errors", "replace")
        # Python would keep what it prints into a pipe until its end, and lose it by the SIGTERM.
        options["env"] = self._variables({"PYTHONUNBUFFERED": "1", **given})
        process = EndpointProcess(args, self._hear(args, call_site()), options)
        self._harness.running.append(process.stop)
        return process

    def _variables(self, given: Mapping[str, str]) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**clean, **self.env, **given}

    def _hear(self, args: Args, site: Site | None) -> Hear:
        """Return the function that keeps what a process writes, to find secrets in."""
        where = f"the output of {program_of(args)}"
        return lambda text: self._harness.observer.wrote(where, text, site)

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"


def environment(url: str, region: str) -> dict[str, str]:
    """Return the variables that send a process's AWS calls to `url` and nowhere else."""
    not_by_proxy = _not_by_proxy(os.environ)
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **DUMMY_CREDENTIALS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": not_by_proxy,
        "no_proxy": not_by_proxy,
    }


def reach_without_proxy(undo: Undo) -> None:
    """Make clients of this process connect to the endpoint without a proxy until the undo."""
    hosts = _not_by_proxy(os.environ)
    set_variables({"NO_PROXY": hosts, "no_proxy": hosts}, undo)


def _not_by_proxy(environ: Mapping[str, str]) -> str:
    """Return the hosts to connect to without a proxy: the machine's (both spellings), and ours."""
    listed = f"{environ.get('NO_PROXY', '')},{environ.get('no_proxy', '')}".split(",")
    hosts = dict.fromkeys(host.strip() for host in listed if host.strip())
    return "*" if "*" in hosts else ",".join({**hosts, HOST: None})
