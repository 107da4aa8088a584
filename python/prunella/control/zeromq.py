"""Control over ZeroMQ: Protocol Buffers in and out, on an encrypted socket that knows its peers.

The second way to a target, beside the unix socket of `server`: for programs in other languages, and
so that the kill switch does not hang on one door. Both doors answer through the same `Answers`.
"""

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import zmq
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from prunella.control import command_pb2 as wire
from prunella.control.answers import Answers
from prunella.control.commands import Command, Reply, Request
from prunella.control.curve import CurveContext, CurvePair, connect
from prunella.errors import (
    CommandUnsupportedError,
    RetryableError,
    TargetUnavailableError,
    UsageError,
)

MESSAGE_BYTES_MAX = 64 * 1024
_POLL_MS = 100
_RETRY_NS = 100_000_000


def read_request(message: bytes) -> Request:
    """A `CommandRequest` in, the request out.

    Raises:
        ValueError: It is none, or a field has a wrong value; the message says which.
    """
    try:
        told = wire.CommandRequest.FromString(message)
    except DecodeError as error:
        raise ValueError(f"expected a CommandRequest: {error}") from None
    name = told.WhichOneof("command")
    if name is None:
        raise ValueError("expected a command in the CommandRequest, found none that is known")
    fields = _plain(getattr(told, name))
    record = {
        "token": told.token,
        "actor": told.actor,
        "reason": told.reason,
        "key": told.key,
        "command": {"type": name, **fields},
    }
    return msgspec.convert(record, type=Request)


def write_request(request: Request) -> bytes:
    """A request in, its `CommandRequest` out.

    Raises:
        CommandUnsupportedError: The command is not one that travels over ZeroMQ.
        UsageError: A number is larger than the message can hold; trying again cannot help.
    """
    fields = msgspec.to_builtins(request.command)
    name = fields.pop("type")
    told = wire.CommandRequest(
        token=request.token, actor=request.actor, reason=request.reason, key=request.key
    )
    if name not in told.DESCRIPTOR.fields_by_name:
        raise CommandUnsupportedError(f"{name} does not travel over ZeroMQ")
    command = getattr(told, name)
    command.SetInParent()
    try:
        json_format.ParseDict(fields, command)
    except json_format.ParseError as error:
        raise UsageError(f"{name}: {error}") from None
    return bytes(told.SerializeToString())


def _plain(message: Any) -> dict[str, Any]:
    """A message's fields, defaults included, with numbers as numbers."""
    return {
        field.name: _value(message, field.name, is_message=field.message_type is not None)
        for field in message.DESCRIPTOR.fields
    }


def _value(message: Any, name: str, *, is_message: bool) -> Any:
    value = getattr(message, name)
    if not is_message:
        return value
    if isinstance(value, Mapping):
        return dict(value)
    return _plain(value) if message.HasField(name) else None


class CommandDoor:
    """Serves commands on a socket until closed.

    Args:
        path: Where the socket is made.
        server: This target's key pair.
        clients: Public keys that may connect.
        answers: Who answers.
    """

    def __init__(
        self, path: Path, *, server: CurvePair, clients: frozenset[str], answers: Answers
    ) -> None:
        self._path = path
        self._server = server
        self._clients = clients
        self._answers = answers
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="command-door", daemon=True)

    def start(self) -> None:
        """Binds the socket and answers from now on."""
        self._context = CurveContext(self._server, self._clients)
        self._socket = self._context.bind(zmq.ROUTER, self._path)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        self._thread.start()

    def close(self) -> None:
        """Stops answering and removes the socket."""
        self._closed.set()
        self._thread.join(timeout=2)
        self._socket.close(linger=200)
        self._context.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._closed.is_set():
            if not self._socket.poll(_POLL_MS):
                continue
            peer, *parts = self._socket.recv_multipart()
            # Whether a lost command was done is unknown, and silence is what says so.
            with contextlib.suppress(RetryableError):
                reply = self._answer(parts[-1] if parts else b"")
                told = wire.CommandReply(**msgspec.to_builtins(reply))
                self._socket.send_multipart((peer, *parts[:-1], told.SerializeToString()))

    def _answer(self, message: bytes) -> Reply:
        try:
            request = read_request(message)
        except ValueError as error:
            return Reply(ok=False, code="REQUEST_MALFORMED", message=str(error))
        return self._answers.to(request)


class ZeroMqTarget:
    """A target behind a `CommandDoor`.

    Args:
        path: The door's socket.
        token: The control token.
        client: Our key pair, on the door's list.
        server: The door's public key.
        name: What the target is called in messages.
        timeout_s: How long an answer is waited for.
    """

    def __init__(
        self,
        path: Path,
        *,
        token: str,
        client: CurvePair,
        server: str,
        name: str,
        timeout_s: float = 2.0,
    ) -> None:
        self.name = name
        self._path = path
        self._token = token
        self._client = client
        self._server = server
        self._timeout_s = timeout_s

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Sends one command and waits for the reply.

        Raises:
            TargetUnavailableError: No answer in time; whether it was done is unknown, so ask again
                with the same `key`.
            CommandUnsupportedError: The command does not travel over ZeroMQ, or is not known there.
        """
        request = Request(token=self._token, actor=actor, reason=reason, key=key, command=command)
        with zmq.Context() as context:
            socket = connect(
                context, zmq.DEALER, self._path, client=self._client, server=self._server
            )
            with socket:
                socket.send_multipart((b"", write_request(request)))
                if not socket.poll(round(self._timeout_s * 1_000)):
                    raise TargetUnavailableError(
                        f"{self.name} does not answer on {self._path}; is the stack running, and "
                        "is this client's key on its list?",
                        retry_after_ns=_RETRY_NS,
                    )
                told = wire.CommandReply.FromString(socket.recv_multipart()[-1])
        reply = Reply(**_plain(told))
        if reply.code == "COMMAND_UNSUPPORTED":
            raise CommandUnsupportedError(f"{self.name}: {reply.message}")
        return reply
