"""Control over ZeroMQ: real sockets, real keys."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import zmq
from prunella.control import Halt, Kill, Renice, Reply, Request, SetOrderRate, command_pb2
from prunella.control.answers import Answers
from prunella.control.client import SocketTarget
from prunella.control.commands import Command
from prunella.control.curve import CurvePair, connect, ensure_curve_pair, load_curve_pair
from prunella.control.server import ControlServer
from prunella.control.zeromq import CommandDoor, ZeroMqTarget, read_request, write_request
from prunella.errors import (
    AuthenticationError,
    CommandUnsupportedError,
    TargetUnavailableError,
    UsageError,
)

TOKEN = "right"


class Recorder:
    """A handler that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        return Reply(ok=True, replaced={"trading_state": "active"}, seq=len(self.seen), at_ns=7)


class Door(NamedTuple):
    """A running door with its keys."""

    path: Path
    unix: Path
    server: CurvePair
    client: CurvePair
    recorder: Recorder

    def target(self, *, token: str = TOKEN, client: CurvePair | None = None) -> ZeroMqTarget:
        """A client of the door."""
        return ZeroMqTarget(
            self.path,
            token=token,
            client=client or self.client,
            server=self.server.public,
            name="engine",
            timeout_s=0.5 if client else 5,
        )


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Both doors of one target."""
    server = ensure_curve_pair(tmp_path / "server.curve")
    client = ensure_curve_pair(tmp_path / "client.curve")
    recorder = Recorder()
    answers = Answers(TOKEN, recorder)
    path, unix = tmp_path / "z.sock", tmp_path / "u.sock"
    zeromq = CommandDoor(path, server=server, clients=frozenset({client.public}), answers=answers)
    plain = ControlServer(unix, answers=answers)
    zeromq.start()
    plain.start()
    yield Door(path, unix, server, client, recorder)
    zeromq.close()
    plain.close()


def test_command_comes_with_all_its_fields_and_its_reply_goes_back(door: Door) -> None:
    """Typed fields, defaults included, in both directions."""
    command = SetOrderRate(venue="primary", per_second=3, lease_ns=5, lease_id="ann")
    reply = door.target().apply(command, actor="ann", reason="busy", key="k")
    assert reply == Reply(ok=True, replaced={"trading_state": "active"}, seq=1, at_ns=7)
    assert door.recorder.seen == [
        Request(token=TOKEN, actor="ann", reason="busy", key="k", command=command)
    ]


def test_wrong_token_is_refused(door: Door) -> None:
    """The key opens the connection, not the command."""
    reply = door.target(token="guess").apply(Kill(), actor="eve", reason="")
    assert (reply.ok, reply.code) == (False, "AUTHENTICATION_FAILED")
    assert door.recorder.seen == []


def test_unknown_client_gets_no_answer(door: Door, tmp_path: Path) -> None:
    """Somebody with a key of his own, and even the token, never reaches the handler."""
    stranger = ensure_curve_pair(tmp_path / "stranger.curve")
    with pytest.raises(TargetUnavailableError, match="is this client's key on its list"):
        door.target(client=stranger).apply(Kill(), actor="eve", reason="")
    assert door.recorder.seen == []


def test_key_given_at_one_door_is_known_at_the_other(door: Door) -> None:
    """A command repeated through the other door is not carried out twice."""
    first = door.target().apply(Kill(), actor="ann", reason="", key="same")
    unix = SocketTarget(door.unix, token=TOKEN, name="engine")
    assert unix.apply(Kill(), actor="ann", reason="", key="same") == first
    assert len(door.recorder.seen) == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\xff\xff", "expected a CommandRequest"),
        (b"", "expected a command"),
        (
            command_pb2.CommandRequest(
                token=TOKEN, actor="a", cancel_all=command_pb2.CancelAll()
            ).SerializeToString()[:-2]
            + b"\xa2\x07\x00",
            "expected a command",
        ),
    ],
)
def test_malformed_request_is_told_so(door: Door, message: bytes, expected: str) -> None:
    """Garbage, nothing, and a command of a later version."""
    with (
        zmq.Context() as context,
        connect(
            context, zmq.DEALER, door.path, client=door.client, server=door.server.public
        ) as socket,
    ):
        socket.send_multipart((b"", message))
        assert socket.poll(5_000)
        reply = command_pb2.CommandReply.FromString(socket.recv_multipart()[-1])
    assert (reply.ok, reply.code) == (False, "REQUEST_MALFORMED")
    assert expected in reply.message


def test_schema_and_records_say_the_same() -> None:
    """Every command of the schema is one of the records', field by field."""
    records = {each.__struct_config__.tag: each for each in Command.__args__}
    oneof = command_pb2.CommandRequest.DESCRIPTOR.oneofs_by_name["command"]
    for field in oneof.fields:
        assert field.message_type is not None
        record = records[field.name]
        fields = getattr(command_pb2, field.message_type.name).DESCRIPTOR.fields
        assert [each.name for each in fields] == list(record.__struct_fields__)
    reply = command_pb2.CommandReply.DESCRIPTOR.fields
    assert {each.name for each in reply} == set(Reply.__struct_fields__)
    request = Request(token="t", actor="a", command=Halt(venue="primary"))
    assert read_request(write_request(request)) == request


def test_command_for_another_target_does_not_travel() -> None:
    """The host's commands stay on the host."""
    renice = Renice(pid=1, start_ticks=2, nice=3)
    with pytest.raises(CommandUnsupportedError, match="renice does not travel"):
        write_request(Request(token="t", actor="a", command=renice))


def test_number_too_large_for_the_message_is_refused_with_a_sentence() -> None:
    """Somebody typed a digit too many: that is no crash."""
    rate = SetOrderRate(venue="primary", per_second=2**70, lease_ns=1, lease_id="x")
    with pytest.raises(UsageError, match=r"set_order_rate: .*per_second.*out of range"):
        write_request(Request(token="t", actor="a", command=rate))


def test_keys_are_private_and_kept(tmp_path: Path) -> None:
    """Made once, mode 0600; refused when open to others or damaged."""
    path = tmp_path / "k.curve"
    made = ensure_curve_pair(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_curve_pair(path) == made
    assert made.secret not in repr(made)
    path.chmod(0o644)
    with pytest.raises(AuthenticationError, match="can be read by others"):
        load_curve_pair(path)
    path.write_bytes(msgspec.json.encode({"public": 1}))
    with pytest.raises(AuthenticationError, match="expected a CURVE key pair"):
        load_curve_pair(path)
    with pytest.raises(AuthenticationError, match="is missing"):
        load_curve_pair(tmp_path / "absent")
