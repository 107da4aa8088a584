"""What every process shows of itself: /health, /ready, /metrics and /status on loopback.

Standard library: a service imports this before it does its work, and the engine's way back after a
crash begins with its imports.
"""

import hmac
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from prunella.errors import UsageError

_IDLE_S = 30.0
"""A scraper that keeps its connection and says nothing does not keep a thread for ever."""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pages' contents come from; each is called on the server's thread.

    Attributes:
        ready: Why the process does not do its job; empty when it does.
        metrics: Prometheus text.
        status: Anything that msgspec can write as JSON.
    """

    ready: Callable[[], str]
    metrics: Callable[[], bytes]
    status: Callable[[], object]


class StatusServer:
    """Serves the pages in a daemon thread until closed.

    Args:
        port: TCP port; 0 takes a free one.
        token: Bearer token that /metrics and /status want; the other two are open.
        pages: Contents.
        host: Address to listen on; loopback unless configured.

    Raises:
        UsageError: The port is in use; the message names it and the remedy.
    """

    def __init__(self, port: int, *, token: str, pages: Pages, host: str = "127.0.0.1") -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(token, pages))
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {error.strerror}. Stop what listens there, or "
                "set another `port_base` under [stack] in settings.toml."
            ) from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="status", daemon=True
        )

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stops answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


def _handler(token: str, pages: Pages) -> type[BaseHTTPRequestHandler]:
    """The request handler's class, closed over what it serves."""
    bearer = f"Bearer {token}".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/health":
                self._send(HTTPStatus.OK, b"alive\n")
            elif path == "/ready":
                why_not = pages.ready()
                status = HTTPStatus.SERVICE_UNAVAILABLE if why_not else HTTPStatus.OK
                self._send(status, (why_not or "ready").encode() + b"\n")
            elif path not in {"/metrics", "/status"}:
                self._send(HTTPStatus.NOT_FOUND, b"/health, /ready, /metrics or /status\n")
            elif not self._authorised():
                self._send(HTTPStatus.UNAUTHORIZED, b"needs `Authorization: Bearer TOKEN`\n")
            elif path == "/metrics":
                self._send(HTTPStatus.OK, pages.metrics(), "text/plain; version=0.0.4")
            else:
                self._send(HTTPStatus.OK, msgspec.json.encode(pages.status()), "application/json")

        def _authorised(self) -> bool:
            given = self.headers.get("Authorization", "").encode()
            return hmac.compare_digest(given, bearer)

        def _send(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Ten scrapes a second are no news."""

    return Handler
