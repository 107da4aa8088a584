"""What every process shows of itself: /health, /ready, /metrics and /status on loopback.

One thread over plain sockets, which knows GET and nothing else. A service imports this before it
does its work, and the engine's way back after a crash begins with its imports. Beyond msgspec,
which every service has, this costs 8 ms of CPU to import, the standard library's server 25 ms, and
uvicorn with Starlette 140 ms (`bench/telemetry.py`).
"""

import contextlib
import hmac
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from prunella.errors import UsageError

_CONNECTIONS_MAX = 64
"""A scraper, a few people and room; who comes when all are taken is turned away, not queued."""
_HEAD_BYTES_MAX = 8192
"""No request of ours is longer; whoever goes on sending is not speaking HTTP to us."""
_IDLE_S = 30.0
"""A peer that keeps its connection and says nothing does not keep it for ever."""
_CLOSE_S = 1.0
"""How long a closing server waits for its last answers to leave."""

_TEXT = "text/plain; charset=utf-8"


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


class _Answer(NamedTuple):
    status: str
    body: bytes
    kind: str = _TEXT


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
        self._bearer = f"Bearer {token}".encode()
        self._pages = pages
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[int, _Peer] = {}
        self._waker, self._wakened = socket.socketpair()
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stops answering; answers that are on their way are still sent."""
        self._waker.close()  # the other end becomes readable, which ends the loop
        if self._thread.ident is not None:
            self._thread.join(timeout=2 * _CLOSE_S)
        self._listener.close()
        for peer in self._peers.values():
            peer.socket.settimeout(_CLOSE_S)
            with contextlib.suppress(OSError):
                peer.socket.sendall(peer.answers)
            peer.socket.close()
        self._peers.clear()
        self._selector.close()
        self._wakened.close()

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select(_IDLE_S):
                if key.fileobj is self._wakened:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._serve(self._peers[key.fd], events)
            self._drop_idle()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._peers) >= _CONNECTIONS_MAX:
                connection.close()
                return
            connection.setblocking(False)  # noqa: FBT003  the socket's own method
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = _Peer(connection)
            self._peers[connection.fileno()] = peer
            self._selector.register(connection, selectors.EVENT_READ)

    def _drop_idle(self) -> None:
        deadline = time.monotonic() - _IDLE_S
        for peer in [peer for peer in self._peers.values() if peer.active_s < deadline]:
            self._drop(peer)

    def _drop(self, peer: "_Peer") -> None:
        self._selector.unregister(peer.socket)
        del self._peers[peer.socket.fileno()]
        peer.socket.close()

    def _serve(self, peer: "_Peer", events: int) -> None:
        """Reads what has come, answers what is whole, sends what the peer takes."""
        try:
            if events & selectors.EVENT_READ:
                chunk = peer.socket.recv(_HEAD_BYTES_MAX)
                if not chunk:
                    self._drop(peer)
                    return
                peer.active_s = time.monotonic()
                peer.asked += chunk
                self._answer_all(peer)
            if peer.answers:
                del peer.answers[: peer.socket.send(peer.answers)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(peer)
            return
        if peer.last and not peer.answers:
            self._drop(peer)
            return
        # While an answer waits for its reader, nothing more is read: one answer is the bound.
        wanted = selectors.EVENT_WRITE if peer.answers else selectors.EVENT_READ
        self._selector.modify(peer.socket, wanted)

    def _answer_all(self, peer: "_Peer") -> None:
        while not peer.last and (end := peer.asked.find(b"\r\n\r\n")) >= 0:
            head = bytes(peer.asked[:end])
            del peer.asked[: end + 4]
            answer, stays = self._answer(head)
            peer.last = not stays
            peer.answers += (
                f"HTTP/1.1 {answer.status}\r\n"
                f"Content-Type: {answer.kind}\r\n"
                f"Content-Length: {len(answer.body)}\r\n"
                f"Connection: {'keep-alive' if stays else 'close'}\r\n\r\n"
            ).encode() + answer.body
        if len(peer.asked) > _HEAD_BYTES_MAX:
            peer.last = True
            peer.answers += b"HTTP/1.1 431 Request Too Long\r\nContent-Length: 0\r\n\r\n"

    def _answer(self, head: bytes) -> tuple[_Answer, bool]:
        """The answer to one request, and whether the connection stays."""
        request, *lines = head.split(b"\r\n")
        parts = request.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _Answer("400 Bad Request", b"this is not HTTP\n"), False
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines)
        }
        if parts[0] != b"GET" or fields.get(b"content-length", b"0") != b"0":
            return _Answer("405 Method Not Allowed", b"only GET, without a body\n"), False
        stays = parts[2] == b"HTTP/1.1" and fields.get(b"connection", b"").lower() != b"close"
        try:
            return self._page(parts[1].partition(b"?")[0], fields), stays
        except Exception as error:  # noqa: BLE001  a broken page must not end the others
            sys.stderr.write(f"status page {parts[1]!r}: {error!r}\n")
            return _Answer("500 Internal Server Error", b"see the log\n"), stays

    def _page(self, path: bytes, fields: dict[bytes, bytes]) -> _Answer:
        if path == b"/health":
            return _Answer("200 OK", b"alive\n")
        if path == b"/ready":
            why_not = self._pages.ready()
            status = "503 Service Unavailable" if why_not else "200 OK"
            return _Answer(status, f"{why_not or 'ready'}\n".encode())
        if path not in {b"/metrics", b"/status"}:
            return _Answer("404 Not Found", b"/health, /ready, /metrics or /status\n")
        if not hmac.compare_digest(fields.get(b"authorization", b""), self._bearer):
            return _Answer("401 Unauthorized", b"needs `Authorization: Bearer TOKEN`\n")
        if path == b"/metrics":
            return _Answer("200 OK", self._pages.metrics(), "text/plain; version=0.0.4")
        return _Answer("200 OK", msgspec.json.encode(self._pages.status()), "application/json")


class _Peer:
    """One connection: what it asked so far and what it is still to be sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.asked = bytearray()
        self.answers = bytearray()
        self.active_s = time.monotonic()
        self.last = False


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)  # noqa: FBT003  the socket's own method
    try:
        listener.bind((host, port))
        listener.listen(_CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}. Stop what listens there, or "
            "set another `port_base` under [stack] in settings.toml."
        ) from None
    return listener
