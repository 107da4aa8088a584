"""A unix socket that takes commands: lines of JSON in, an authenticated handler's answers out.

Standard library only and one thread per connection: the engine must answer `kill` within
milliseconds, whatever else its process is doing, and starts within a fraction of a second.
"""

import contextlib
import hmac
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from prunella.control.commands import Reply, Request
from prunella.control.replies import Replies
from prunella.control.wire import Lines
from prunella.errors import CommandUnsupportedError, PermanentError, RetryableError

Handler = Callable[[Request], Reply]

_CONNECTIONS_MAX = 32
_IDLE_S = 60.0


class ControlServer:
    """Serves one socket until closed.

    Args:
        path: Where the socket is made (mode 0600); a stale one is replaced.
        token: What a request must carry.
        handler: Called with each authenticated request, one at a time.

    Only processes of the same user (or root) get an answer at all; a request without the token gets
    `AUTHENTICATION_FAILED`. The same non-empty key again gives the first reply again.
    """

    def __init__(self, path: Path, *, token: str, handler: Handler) -> None:
        self._path = path
        self._token = token.encode()
        self._handler = handler
        self._turn = threading.Lock()
        self._replies = Replies()
        self._slots = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Binds the socket and answers from now on."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(before)
        self._socket.listen(_CONNECTIONS_MAX)
        self._thread.start()

    def close(self) -> None:
        """Stops answering and removes the socket."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread up
        self._thread.join(timeout=2)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not _same_user(connection) or not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Answers one peer until it is done, silent for too long, or sends too long a line."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(self._slots.release)
            stack.enter_context(connection)
            connection.settimeout(_IDLE_S)
            lines = Lines(connection)
            try:
                while (line := lines.read()) is not None:
                    connection.sendall(msgspec.json.encode(self._answer(line)) + b"\n")
            except RetryableError:
                # Whether it was done is unknown, and that is what a hung-up connection says.
                return
            except PermanentError as error:
                refusal = Reply(ok=False, code="REQUEST_MALFORMED", message=str(error))
                connection.sendall(msgspec.json.encode(refusal) + b"\n")

    def _answer(self, line: bytes) -> Reply:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError as error:
            return Reply(ok=False, code="REQUEST_MALFORMED", message=str(error))
        if not hmac.compare_digest(request.token.encode(), self._token):
            return Reply(ok=False, code="AUTHENTICATION_FAILED", message="wrong control token")
        with self._turn:
            return self._replies.once(request.key, lambda: self._handle(request))

    def _handle(self, request: Request) -> Reply:
        try:
            return self._handler(request)
        except CommandUnsupportedError as error:
            return Reply(ok=False, code="COMMAND_UNSUPPORTED", message=str(error))
        except PermanentError as error:
            return Reply(ok=False, code="COMMAND_FAILED", message=str(error))


def _same_user(connection: socket.socket) -> bool:
    """Whether the peer runs as us, or as root."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return uid in {0, os.getuid()}
