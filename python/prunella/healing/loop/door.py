"""A person's ask over the unix socket in, the plane's answer out; and the client that asks.

One JSON object per line each way. Who may ask: a process of the same user (the kernel tells who is
at the other end) that knows the control token. Everything has an end: line length, time to speak,
connections at once.
"""

import contextlib
import hmac
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from prunella.control import SignedAct
from prunella.errors import TargetUnavailableError, UsageError
from prunella.healing.loop.approvals import ApprovalView
from prunella.healing.loop.commands import (
    Answer,
    Approve,
    Ask,
    EndMaintenance,
    Freeze,
    ListApprovals,
    ListIncidents,
    ShowIncident,
    StartMaintenance,
    Status,
    SwitchAgent,
)
from prunella.healing.loop.view import IncidentView, StatusView
from prunella.values import Home

LINE_BYTES_MAX = 65_536
"""An ask is small; a longer line is somebody filling our memory."""
TALK_S = 5.0
"""Whoever connects and says nothing is sent away."""
CONNECTIONS_MAX = 8
_CREDENTIALS = struct.Struct("3i")


class _Letter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ask with its proof."""

    token: str
    ask: Ask


class Door:
    """Answers asks on a unix socket, on threads of its own.

    Args:
        path: The socket; made with mode 0600.
        token: What the asker must know.
        answer: Answers one ask; called from several threads.
    """

    def __init__(self, path: Path, token: str, answer: Callable[[Ask], Answer]) -> None:
        self._token = token.encode()
        self._answer = answer
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.refused = 0
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = _Server(str(path), _handler(self))
        finally:
            os.umask(before)
        self._thread = threading.Thread(target=self._server.serve_forever, name="door", daemon=True)
        self._path = path

    def open(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answers no more and removes the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def serve(self, connection: socket.socket) -> None:
        """Answers one connection's asks until it ends."""
        if not self._places.acquire(blocking=False):
            self.refused += 1
            return
        try:
            self._talk(connection)
        finally:
            self._places.release()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(TALK_S)
        credentials = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        stranger = _CREDENTIALS.unpack(credentials)[1] != os.getuid()
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while line := lines.readline(LINE_BYTES_MAX):
                reply = self._reply(line, stranger=stranger)
                connection.sendall(msgspec.json.encode(reply) + b"\n")
                if not line.endswith(b"\n") or reply.code == "AUTHENTICATION_FAILED":
                    return

    def _reply(self, line: bytes, *, stranger: bool) -> Answer:
        try:
            letter = msgspec.json.decode(line, type=_Letter)
        except msgspec.MsgspecError as error:
            return Answer(ok=False, code="ASK_UNREADABLE", message=str(error))
        if stranger or not hmac.compare_digest(letter.token.encode(), self._token):
            self.refused += 1
            return Answer(ok=False, code="AUTHENTICATION_FAILED", message="wrong user or token")
        return self._answer(letter.ask)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _handler(door: Door) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            door.serve(self.request)

    return Handler


class HealingClient:
    """Asks a running healing plane.

    Args:
        home: The stack's folder.
        timeout_s: How long an answer may take.
    """

    def __init__(self, home: Home, *, timeout_s: float = 5.0) -> None:
        self._home = home
        self._timeout_s = timeout_s

    def status(self) -> StatusView:
        """How the plane is."""
        status = self._ask(Status()).status
        if status is None:
            raise UsageError("the healing plane gave no status")
        return status

    def incidents(self) -> tuple[IncidentView, ...]:
        """All incidents that the plane remembers, oldest first."""
        return self._ask(ListIncidents()).incidents

    def incident(self, name: str) -> IncidentView:
        """One incident with its ledger entries."""
        return self._ask(ShowIncident(id=name)).incidents[0]

    def maintenance(self, component: str, *, seconds: int, actor: str, reason: str) -> None:
        """Announces work on a component."""
        self._ask(
            StartMaintenance(component=component, seconds=seconds, actor=actor, reason=reason)
        )

    def end_maintenance(self, component: str, *, actor: str) -> None:
        """Says that the work ended early."""
        self._ask(EndMaintenance(component=component, actor=actor))

    def freeze(self, *, frozen: bool, actor: str, reason: str) -> None:
        """Stops all acts of the plane, or allows them again."""
        self._ask(Freeze(frozen=frozen, actor=actor, reason=reason))

    def switch_agent(self, name: str, *, enabled: bool, actor: str, reason: str) -> None:
        """Has the plane listen to a replica of an agent no more, or again."""
        self._ask(SwitchAgent(name=name, enabled=enabled, actor=actor, reason=reason))

    def approvals(self) -> tuple[ApprovalView, ...]:
        """Every action that waits for a person's signature."""
        return self._ask(ListApprovals()).approvals

    def approve(
        self, incident: str, workflow: str, *, approve: bool, signed: SignedAct, reason: str
    ) -> str:
        """Hands in a signature; gives what it was about, in words."""
        ask = Approve(id=incident, workflow=workflow, approve=approve, signed=signed, reason=reason)
        return self._ask(ask).message

    def _ask(self, ask: Ask) -> Answer:
        """One ask.

        Raises:
            TargetUnavailableError: The plane does not answer; it may be starting.
            UsageError: It refused, and says why.
        """
        token = self._home.key("control.token").read_text(encoding="ascii").strip()
        line = msgspec.json.encode(_Letter(token=token, ask=ask)) + b"\n"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(self._timeout_s)
                connection.connect(str(self._home.socket("healing")))
                connection.sendall(line)
                with connection.makefile("rb") as lines:
                    reply = lines.readline()
        except OSError as error:
            raise TargetUnavailableError(f"the healing plane does not answer: {error}") from error
        if not reply:
            raise TargetUnavailableError("the healing plane hung up")
        answer = msgspec.json.decode(reply, type=Answer)
        if not answer.ok:
            raise UsageError(f"{answer.code}: {answer.message}")
        return answer
