"""A unix socket that takes commands: lines of JSON in, an authenticated handler's answers out.

Standard library only and one thread per connection: the engine must answer `kill` within
milliseconds, whatever else its process is doing, and starts within a fraction of a second.
"""

import contextlib
import os
import socket
import struct
import threading
from pathlib import Path

import msgspec

from prunella.control.answers import Answers
from prunella.control.commands import Reply, Request
from prunella.control.wire import Lines
from prunella.errors import PermanentError, RetryableError

_CONNECTIONS_MAX = 32
_IDLE_S = 60.0


class ControlServer:
    """Serves one socket until closed.

    Args:
        path: Where the socket is made (mode 0600); a stale one is replaced.
        answers: Who answers.

    Only processes of the same user (or root) get an answer at all; a request without the token gets
    `AUTHENTICATION_FAILED`.
    """

    def __init__(self, path: Path, *, answers: Answers) -> None:
        self._path = path
        self._answers = answers
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
        return self._answers.to(request)


def _same_user(connection: socket.socket) -> bool:
    """Whether the peer runs as us, or as root."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return uid in {0, os.getuid()}
