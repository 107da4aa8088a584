"""The bus over sockets: what comes through strange peers, restarts and changed code."""

import contextlib
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from prunella.bus import Message
from prunella.bus.router import Router
from prunella.bus.zeromq import ZeroMqBus, role_password

SECRET = "bus-5ecret"
PATIENCE_S = 10.0
QUIET_S = 0.2
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def routing(folder: Path) -> Iterator[Router]:
    """A running router on sockets in `folder`."""
    router = Router(folder / "in.sock", folder / "out.sock", secret=SECRET)
    thread = threading.Thread(target=router.run, daemon=True)
    thread.start()
    yield router
    router.stop()
    thread.join(timeout=PATIENCE_S)
    assert not thread.is_alive()


def connected(folder: Path, role: str, password: str = "") -> ZeroMqBus:
    """A bus for `role`, with the right password unless another is given."""
    return ZeroMqBus(
        folder / "in.sock",
        folder / "out.sock",
        role=role,
        password=password or role_password(SECRET, role),
    )


def publish_until_heard(folder: Path, topic: str = "local/cpu/host/normal") -> Message:
    """What an agent hears of a watcher, both newly connected."""
    with (
        contextlib.closing(connected(folder, "watch")) as watch,
        contextlib.closing(connected(folder, "agent-cpu")) as agent,
    ):
        inbox = agent.subscribe("local/cpu/")
        for _ in range(int(PATIENCE_S / 0.02)):
            watch.publish(topic, b"!", kind="readings", now_ns=1)
            message = inbox.receive(0.02)
            if message is not None:
                return message
    pytest.fail("nothing came")


def test_sockets_are_private_to_their_owner(tmp_path: Path) -> None:
    """Nobody else may even connect."""
    with routing(tmp_path):
        for name in ("in.sock", "out.sock", "in-urgent.sock", "out-urgent.sock"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_wrong_password_hears_nothing_and_is_counted(tmp_path: Path) -> None:
    """A role is proved, not claimed; another role's password proves nothing."""
    with routing(tmp_path) as router:
        with contextlib.closing(
            connected(tmp_path, "healing", role_password(SECRET, "agent-cpu"))
        ) as liar:
            inbox = liar.subscribe("local/")
            publish_until_heard(tmp_path)
            assert inbox.receive(QUIET_S) is None
        assert router.refused_peers > 0


def test_garbage_on_the_sockets_leaves_the_router_at_work(tmp_path: Path) -> None:
    """Bytes that are no ZeroMQ, messages of wrong shape, envelopes that are none: all survived."""
    with routing(tmp_path) as router:
        for name in ("in.sock", "out.sock"):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(str(tmp_path / name))
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 40)
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.plain_username = b"watch"
            push.plain_password = role_password(SECRET, "watch").encode()
            push.connect(f"ipc://{tmp_path / 'in.sock'}")
            for parts in ([b"local/cpu/host/normal"], [b"a", b"b", b"c"], [b"\xff\xfe", b"x"]):
                push.send_multipart(parts)
            with contextlib.closing(connected(tmp_path, "agent-cpu")) as agent:
                inbox = agent.subscribe("local/cpu/")
                for _ in range(int(PATIENCE_S / 0.02)):
                    push.send_multipart([b"local/cpu/host/normal", b"no envelope"])
                    assert inbox.receive(0.02) is None
                    if inbox.malformed:
                        break
                assert inbox.malformed > 0
        publish_until_heard(tmp_path)
        assert router.refused_messages == 3


def test_router_that_comes_back_carries_again(tmp_path: Path) -> None:
    """Publishers and subscribers outlive the router; what was said meanwhile is counted as lost."""
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(contextlib.closing(connected(tmp_path, "watch")))
        agent = stack.enter_context(contextlib.closing(connected(tmp_path, "agent-cpu")))
        inbox = agent.subscribe("local/cpu/")
        watch.publish("local/cpu/host/normal", b"nobody", kind="k", now_ns=1)
        assert watch.dropped == 1
        for _ in range(2):
            with routing(tmp_path):
                for _ in range(int(PATIENCE_S / 0.02)):
                    watch.publish("local/cpu/host/normal", b"!", kind="k", now_ns=1)
                    if inbox.receive(0.02) is not None:
                        break
                else:
                    pytest.fail("nothing came")
