"""The disturbed path: real TCP through the real process, each disturbance as a client feels it."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prunella.evaluation.injector.path import Disturbance
from prunella.evaluation.injector.proxy import PathProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while data := client.recv(65_536):
                client.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture
def path(echo: int) -> Iterator[PathProxy]:
    """The path to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    proxy = PathProxy(port, echo, seed=1)
    yield proxy
    proxy.close()


def connect(path: PathProxy) -> socket.socket:
    """A client of the path, patient for five seconds."""
    return socket.create_connection(("127.0.0.1", path.port), timeout=5)


def round_trip_s(client: socket.socket, text: bytes = b"x") -> float:
    """How long it takes until all of it is back."""
    began = time.monotonic()
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        got += client.recv(65_536)
    assert got == text
    return time.monotonic() - began


def test_a_clear_path_carries_everything_in_order(path: PathProxy) -> None:
    """And counts it."""
    with connect(path) as client:
        round_trip_s(client, bytes(range(256)) * 4_000)
    assert path.figures().chunks >= 2


def test_a_delay_is_felt_on_both_ways(path: PathProxy) -> None:
    """Never less than asked for; and it ends when it is taken back."""
    with connect(path) as client:
        path.disturb(Disturbance(delay_ms=100))
        assert round_trip_s(client) >= 0.2
        path.disturb()
        before = path.figures().chunks
        round_trip_s(client)
        assert path.figures().chunks >= before + 2


def test_lost_segments_are_sent_again_and_arrive_late_and_whole(path: PathProxy) -> None:
    """As TCP has it."""
    with connect(path) as client:
        path.disturb(Disturbance(loss_ratio=1.0))
        assert round_trip_s(client) >= 0.4
    assert path.figures().lost >= 2


def test_a_narrow_path_takes_its_time(path: PathProxy) -> None:
    """Ten kilobytes at fifty a second, each way."""
    with connect(path) as client:
        path.disturb(Disturbance(bytes_per_s=50_000))
        assert round_trip_s(client, bytes(10_000)) >= 0.35


def test_a_cut_path_holds_everything_and_loses_nothing(path: PathProxy) -> None:
    """No error, only silence; then all of it."""
    with connect(path) as client:
        path.disturb(Disturbance(silent="both"))
        client.settimeout(0.3)
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(1)
        path.disturb()
        client.settimeout(5)
        assert client.recv(5) == b"hello"


def test_a_reset_is_a_reset(path: PathProxy) -> None:
    """No goodbye; and a new connection is welcome."""
    with connect(path) as client:
        round_trip_s(client)
        path.disturb(Disturbance(reset_every_s=0.05))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    path.disturb()
    with connect(path) as client:
        round_trip_s(client)
