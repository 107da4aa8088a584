"""Control: a real socket between a client and a server."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prunella.control import Halt, Kill, Reply, Request
from prunella.control.answers import Answers
from prunella.control.client import SocketTarget
from prunella.control.replies import KEYS_MAX
from prunella.control.server import ControlServer
from prunella.control.tokens import ensure_token, load_token
from prunella.control.wire import LINE_BYTES_MAX
from prunella.errors import (
    AuthenticationError,
    CommandUnsupportedError,
    TargetUnavailableError,
)

TOKEN = "5ecret"


class Recorder:
    """A handler that knows `kill` alone and remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        if not isinstance(request.command, Kill):
            raise CommandUnsupportedError("only kill")
        return Reply(ok=True, replaced={"trading_state": "active"}, seq=len(self.seen))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, Recorder]]:
    """A running control server."""
    handler = Recorder()
    served = ControlServer(tmp_path / "c.sock", answers=Answers(TOKEN, handler))
    served.start()
    yield tmp_path / "c.sock", handler
    served.close()


def raw(path: Path, data: bytes) -> bytes:
    """Sends bytes as they are and reads one line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(data)
        return connection.makefile("rb").readline()


def test_right_token_is_answered_with_the_state_replaced(server: tuple[Path, Recorder]) -> None:
    """A command reaches the handler, and its reply comes back whole."""
    path, handler = server
    target = SocketTarget(path, token=TOKEN, name="engine")
    reply = target.apply(Kill(), actor="ann", reason="test")
    assert reply == Reply(ok=True, replaced={"trading_state": "active"}, seq=1)
    assert handler.seen[0].actor == "ann"


def test_wrong_token_never_reaches_the_handler(server: tuple[Path, Recorder]) -> None:
    """A wrong token is refused with its code."""
    path, handler = server
    reply = SocketTarget(path, token="guess", name="engine").apply(Kill(), actor="a", reason="")
    assert (reply.ok, reply.code) == (False, "AUTHENTICATION_FAILED")
    assert handler.seen == []


def test_same_key_twice_acts_once(server: tuple[Path, Recorder]) -> None:
    """An act asked for again with the same key gives the first reply again."""
    path, handler = server
    target = SocketTarget(path, token=TOKEN, name="engine")
    replies = [target.apply(Kill(), actor="a", reason="", key="k1") for _ in range(3)]
    assert len(handler.seen) == 1
    assert replies[0] == replies[1] == replies[2]


def test_old_keys_are_forgotten_in_order(server: tuple[Path, Recorder]) -> None:
    """The memory of keys is bounded."""
    path, handler = server
    target = SocketTarget(path, token=TOKEN, name="engine")
    for number in range(KEYS_MAX + 1):
        target.apply(Kill(), actor="a", reason="", key=f"k{number}")
    target.apply(Kill(), actor="a", reason="", key="k0")
    assert len(handler.seen) == KEYS_MAX + 2


def test_unknown_command_raises_for_the_caller(server: tuple[Path, Recorder]) -> None:
    """What the target does not know is an error that retrying cannot help."""
    target = SocketTarget(server[0], token=TOKEN, name="engine")
    with pytest.raises(CommandUnsupportedError, match="only kill"):
        target.apply(Halt(), actor="a", reason="")


@pytest.mark.parametrize(
    "line", [b"\n", b"nonsense\n", b"{}\n", b'{"token":"5ecret"}\n', b"\xff\n"]
)
def test_garbage_is_refused_and_the_server_lives(
    server: tuple[Path, Recorder], line: bytes
) -> None:
    """A malformed line gets an answer that says so; the next request works."""
    path, _ = server
    assert msgspec.json.decode(raw(path, line), type=Reply).code == "REQUEST_MALFORMED"
    assert SocketTarget(path, token=TOKEN, name="e").apply(Kill(), actor="a", reason="").ok


def test_endless_line_is_cut_off(server: tuple[Path, Recorder]) -> None:
    """A peer cannot fill the memory with a line that never ends."""
    answer = raw(server[0], b"x" * (LINE_BYTES_MAX + 32 * 1024))
    assert msgspec.json.decode(answer, type=Reply).code == "REQUEST_MALFORMED"


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    """No socket, no answer: the caller may ask again."""
    with pytest.raises(TargetUnavailableError, match="does not answer"):
        SocketTarget(tmp_path / "no.sock", token="t", name="x").apply(Kill(), actor="a", reason="")


def test_socket_is_private(server: tuple[Path, Recorder]) -> None:
    """Nobody else may even connect."""
    assert stat.S_IMODE(server[0].stat().st_mode) == 0o600


def test_token_file_is_made_once_and_private(tmp_path: Path) -> None:
    """The same token is found again; others cannot read it."""
    path = tmp_path / "t"
    assert ensure_token(path) == ensure_token(path) == load_token(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A token that was left open is not a secret any more."""
    path = tmp_path / "t"
    ensure_token(path)
    path.chmod(0o644)
    with pytest.raises(AuthenticationError, match="chmod 600"):
        load_token(path)
