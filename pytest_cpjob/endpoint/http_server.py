"""HTTP/1.1: a server that reads requests and writes answers, with a thread for each connection.

Not werkzeug's development server, because that closes the connection after each answer, and the
contract tells workers apart by their connections. Nothing is written to the terminal.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, NamedTuple

from pytest_cpjob.threads import OURS

_PIECE: Final = 1024 * 1024
_NO_BODY: Final = (204, 304)
_LARGEST_HEAD: Final = 32 * 1024
"""Bytes that a request's first line and headers may have; an SDK's have 2 to 5 KB."""
_LARGEST_BODY: Final = 5 * 1024**3
"""The most that S3 takes in one request."""
_LENGTH: Final = re.compile(r"0*(\d{1,12})", re.ASCII)
_CHUNK_LENGTH: Final = re.compile(rb"0*([0-9A-Fa-f]{1,10})\s*(?:;.*)?")
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BACK_OFF: Final = 0.1
"""Seconds until the next try where the process has no descriptors left."""


class HttpRequest(NamedTuple):
    """A request as received.

    Attributes:
        target: path and query as sent, percent-encoded.
        headers: (name, value) pairs, names in any case; repeated headers appear repeatedly.
        connection: the number of its connection.
    """

    method: str
    target: str
    headers: Message
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        """Return a header's value; a repeated header's values are joined."""
        values = self.headers.get_all(name)
        return ",".join(values) if values else None


class Answer(NamedTuple):
    """An HTTP answer; the server adds Content-Length."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


Respond = Callable[["WebServer", HttpRequest], "Answer | None"]
"""Answers a server's request; None breaks the connection, so that the answer is lost."""


class _RefusedError(Exception):
    """A request that is not read to its end: its status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class WebServer(socketserver.ThreadingTCPServer):
    """Serves one function on one port, from when it is made until the port is closed.

    Args:
        address: host and port, port 0 for a free one.
        respond: answers requests; called in many threads at once.
        on_error: called with internal errors, which are not the client's fault.
    """

    # On Windows, reuse would let two servers have the same port.
    allow_reuse_address = os.name == "posix"
    request_queue_size = 128
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        respond: Respond,
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.respond = respond
        self._on_error = on_error
        self._numbers = itertools.count(1)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_closing = False
        super().__init__(address, _Handler)
        self._thread = threading.Thread(target=self._accept, name=f"{OURS} server", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        """Take connections. Not `serve_forever`: to end that takes as long as it sleeps."""
        while True:
            try:
                connection, address = self.get_request()
            except OSError as error:  # the client went away before, or the port is closed
                if self._is_closing:
                    return
                if error.errno in _EXHAUSTED:
                    time.sleep(_BACK_OFF)  # the connection waits; some other may end meanwhile
                continue
            if self._is_closing:
                connection.close()
                return
            try:
                self.process_request(connection, address)
            except RuntimeError:  # no more threads
                self.shutdown_request(connection)
                time.sleep(_BACK_OFF)

    def close_port(self) -> None:
        """Take no connection any more; those that are open stay."""
        self._is_closing = True
        with suppress(OSError):
            socket.create_connection((str(self.server_address[0]), self.port), 5).close()
        with suppress(OSError):  # where no descriptor is left to connect with, this wakes Linux
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self.server_address[1])

    def number(self) -> int:
        """Return the next connection's number."""
        return next(self._numbers)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, with a name that marks it as the endpoint's."""
        with self._lock:
            self._open.add(request)
        threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"{OURS} connection",
            daemon=True,
        ).start()

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Close all connections that are still open, so that their threads end."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report an error, unless the client has closed the connection."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self._on_error(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # send head and body together
    disable_nagle_algorithm = True
    server: WebServer

    def setup(self) -> None:
        super().setup()
        self._number = self.server.number()

    def _serve(self) -> None:
        try:
            self._check_head()
            body = self._body()
        except _RefusedError as error:
            self.send_error(error.status, str(error))
            return
        request = HttpRequest(self.command, self.path, self.headers, body, self._number)
        answer = self.server.respond(self.server, request)
        if answer is None:
            self.close_connection = True
        else:
            self._write(answer)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve

    def handle_expect_100(self) -> bool:
        """Ask for the body at once, as the client waits for it before it sends the body."""
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def _check_head(self) -> None:
        size = len(self.requestline)
        size += sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        if size > _LARGEST_HEAD:
            raise _RefusedError(431, f"the headers have more than {_LARGEST_HEAD} bytes")

    # -- the body ----------------------------------------------------------------------------------

    def _body(self) -> bytes:
        """Read the whole body.

        Raises:
            ConnectionAbortedError: the client closed the connection too early.
        """
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        given = self.headers.get("Content-Length", "0")
        if not (given.isascii() and given.isdigit()):
            raise _RefusedError(400, "Content-Length is not a number")
        length = _LENGTH.fullmatch(given)
        return self._exactly(int(length[1]) if length else _LARGEST_BODY + 1)

    def _exactly(self, length: int, before: int = 0) -> bytes:
        if before + length > _LARGEST_BODY:
            raise _RefusedError(413, f"the body has more than {_LARGEST_BODY} bytes")
        parts = []
        while length:
            part = self.rfile.read(min(length, _PIECE))
            if not part:
                raise ConnectionAbortedError("the client hung up")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _chunks(self) -> bytes:
        parts = []
        size = 0
        while length := self._chunk_length():
            parts.append(self._exactly(length, size))
            size += length
            self._line()
        while self._line():  # trailers
            pass
        return b"".join(parts)

    def _chunk_length(self) -> int:
        length = _CHUNK_LENGTH.fullmatch(self._line())
        if length is None:
            raise _RefusedError(400, "a chunk's length is not a number")
        return int(length[1], 16)

    def _line(self) -> bytes:
        line = self.rfile.readline(_LARGEST_HEAD)
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError("the client hung up")
        return line.strip()

    # -- the answer --------------------------------------------------------------------------------

    def _write(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        told = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            self.send_header(name, value)
        if "date" not in told:  # SDKs correct clock skew by it
            self.send_header("Date", self.date_time_string())
        if "content-length" not in told and answer.status not in _NO_BODY:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in _NO_BODY:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal belongs to the test run."""
