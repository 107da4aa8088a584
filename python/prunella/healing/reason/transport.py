"""One HTTP POST with a deadline that holds: address, headers and bytes in, status and bytes out.

Of the standard library alone, so that nobody else's code sees a key. It follows no redirect (a key
must not travel to an address that the settings do not name), uses no proxy of the environment, and
reads no more than it wants. A server that sends one byte a second is cut off at the deadline like
one that sends none.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

ANSWER_BYTES_MAX = 1 << 20


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        retry_after_s: What the server asked for; 0 when it did not.
    """

    status: int
    body: bytes
    retry_after_s: float = 0.0


class UnreachableError(Exception):
    """No answer, and why in one word: `timeout`, `refused`, `tls`, `broken` or `oversized`."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Post(Protocol):
    """How a gateway reaches an endpoint."""

    def __call__(
        self, url: str, headers: dict[str, str], body: bytes, *, timeout_s: float, ca_file: str
    ) -> HttpAnswer:
        """Sends and waits."""
        ...


def post(
    url: str, headers: dict[str, str], body: bytes, *, timeout_s: float, ca_file: str = ""
) -> HttpAnswer:
    """Sends `body` to `url`.

    Raises:
        UnreachableError: Nothing usable came back in time.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file or None)
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    except (OSError, ssl.SSLError):
        raise UnreachableError("tls") from None
    cut = threading.Event()
    sockets: list[socket.socket] = []

    def hang_up() -> None:
        cut.set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    guard = threading.Timer(timeout_s, hang_up)
    guard.daemon = True
    guard.start()
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        sockets.append(connection.sock)
        connection.request("POST", path, body, headers)
        return _read(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError("timeout" if cut.is_set() else _word(error)) from None
    finally:
        guard.cancel()
        connection.close()


def _read(response: http.client.HTTPResponse) -> HttpAnswer:
    """The whole answer.

    Raises:
        ValueError: It is longer than any answer may be, or ended before its end.
    """
    body = response.read(ANSWER_BYTES_MAX + 1)
    if len(body) > ANSWER_BYTES_MAX:
        raise ValueError("oversized")
    if response.length:
        raise ValueError("broken")
    retry = response.getheader("Retry-After", "")
    return HttpAnswer(
        status=response.status,
        body=body,
        retry_after_s=float(retry) if retry.isascii() and retry.isdecimal() else 0.0,
    )


def _word(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return "refused"
    return "oversized" if str(error) == "oversized" else "broken"
