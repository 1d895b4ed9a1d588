"""moto behind the endpoint: requests are passed to moto's own server application."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pytest_cpjob.endpoint.http_server import Answer, HttpRequest
from pytest_cpjob.errors import UnfakedCallError

_SPELLINGS: Final = "moto.preserved_header_names"
"""Where newer versions of moto look for S3 metadata names with underscores, which WSGI loses."""

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")

_OURS_TO_TELL: Final = frozenset({"connection", "server", "transfer-encoding"})


class MotoApplication:
    """moto's server application, for requests that are already parsed.

    Args:
        host, port: where requests come in.

    Attributes:
        port: that port, as moto is to know it.
    """

    def __init__(self, host: str, port: int) -> None:
        # moto does not declare these re-exports for type checkers.
        server: Any = importlib.import_module("moto.server")
        self._dispatcher = server.DomainDispatcherApplication(server.create_backend_app)
        self._host = host
        self.port = port

    def answer(self, request: HttpRequest) -> Answer:
        """Answer one request.

        Raises:
            UnfakedCallError: moto has no such service.
            Exception: whatever moto raises for an operation that it lacks, or by a bug.
        """
        environ = self._environ(request)
        try:
            application = self._dispatcher.get_application(environ)
        except Exception as error:
            # Where it finds no service, moto raises whatever it meets last in its guesses.
            raise UnfakedCallError("moto has no such service") from error
        return _run(application, environ)

    def _environ(self, request: HttpRequest) -> dict[str, Any]:
        """Return the request as a WSGI environment, with what moto reads in addition."""
        path, _, query = request.target.partition("?")
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": request.target,
            "REQUEST_URI": request.target,
            "REMOTE_ADDR": self._host,
            "SERVER_NAME": self._host,
            "SERVER_PORT": str(self.port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            _SPELLINGS: {},
        }
        # WSGI maps both to one key: names with hyphens take precedence over underscores.
        for name in sorted(dict.fromkeys(request.headers), key=lambda name: "_" in name):
            key = "HTTP_" + name.upper().replace("-", "_")
            if key not in environ:
                environ[key] = request.header(name)
                environ[_SPELLINGS].update({key: name} if "_" in name else {})
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ.pop("HTTP_CONTENT_LENGTH", None)
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        if request.method == "PUT" and environ["CONTENT_TYPE"].startswith(_FORMS):
            # Flask would read the body as a form's fields, and moto find none: curl's
            # --data-binary says so of whatever it sends.
            environ["CONTENT_TYPE"] = "binary/octet-stream"
        environ["CONTENT_LENGTH"] = str(len(request.body))
        return environ


def _run(application: Any, environ: dict[str, Any]) -> Answer:
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        began.append((status, headers))
        return lambda data: None

    content = application(environ, start_response)
    try:
        body = b"".join(content)
    finally:
        close = getattr(content, "close", None)
        if close is not None:
            close()
    status, headers = began[-1]
    is_head = environ["REQUEST_METHOD"] == "HEAD"
    told = [
        (name, value)
        for name, value in headers
        # The Content-Length of a HEAD's answer is the object's size, which only moto knows.
        if name.lower() not in _OURS_TO_TELL and (is_head or name.lower() != "content-length")
    ]
    return Answer(int(status.split()[0]), told, body)
