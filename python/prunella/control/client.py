"""A target behind a unix socket: a command in, its reply out, or a plain word that none came."""

import socket
from pathlib import Path

import msgspec

from prunella.control.commands import Command, Reply, Request
from prunella.control.wire import Lines
from prunella.errors import CommandUnsupportedError, PermanentError, TargetUnavailableError

_RETRY_NS = 100_000_000


class SocketTarget:
    """Speaks to a `ControlServer`; one connection per command, so that none is ever stale.

    Args:
        path: The server's socket.
        token: The control token.
        name: What the target is called in messages.
        timeout_s: How long an answer is waited for.
    """

    def __init__(self, path: Path, *, token: str, name: str, timeout_s: float = 2.0) -> None:
        self.name = name
        self._path = path
        self._token = token
        self._timeout_s = timeout_s

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Sends one command and waits for the reply.

        Raises:
            TargetUnavailableError: No (whole) answer in time; whether it was done is unknown, so
                ask again with the same `key`.
            CommandUnsupportedError: The target does not know the command.
        """
        request = Request(token=self._token, actor=actor, reason=reason, key=key, command=command)
        try:
            line = self._exchange(msgspec.json.encode(request) + b"\n")
        except OSError as error:
            raise self._unavailable(f"{error}") from None
        if line is None:
            raise self._unavailable("it closed the connection without an answer")
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except msgspec.DecodeError as error:
            raise PermanentError(f"{self.name} answered what is no reply: {error}") from None
        if reply.code == "COMMAND_UNSUPPORTED":
            raise CommandUnsupportedError(f"{self.name}: {reply.message}")
        return reply

    def _exchange(self, line: bytes) -> bytes | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            connection.connect(str(self._path))
            connection.sendall(line)
            return Lines(connection).read()

    def _unavailable(self, why: str) -> TargetUnavailableError:
        return TargetUnavailableError(
            f"{self.name} does not answer on {self._path}: {why}", retry_after_ns=_RETRY_NS
        )
