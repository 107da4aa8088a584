"""The pages of a process: real requests, right and wrong, to a real server."""

import http.client
import socket
from collections.abc import Iterator

import pytest
from prunella.errors import UsageError
from prunella.telemetry.serve import Pages, StatusServer

PATIENCE_S = 10.0


def broken() -> object:
    """A page that cannot be made."""
    raise RuntimeError("no figures today")


@pytest.fixture
def server() -> Iterator[StatusServer]:
    """A process that is not ready, has figures of 300 kB and a broken status."""
    pages = Pages(ready=lambda: "not yet", metrics=lambda: b"a 1\n" * 75_000, status=broken)
    served = StatusServer(0, token="t", pages=pages)
    served.start()
    yield served
    served.close()


def exchange(port: int, data: bytes) -> bytes:
    """Sends bytes as they are and reads until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def get(port: int, path: str, token: str = "") -> tuple[int, bytes]:
    """One request; status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_pages_answer_who_may_read_and_refuse_who_may_not() -> None:
    """Health is open, figures want the token, and an unknown page names the known ones."""
    server = StatusServer(
        0,
        token="t",
        pages=Pages(ready=lambda: "not yet", metrics=lambda: b"a 1\n", status=lambda: {"b": 2}),
    )
    server.start()
    answers = [
        get(server.port, path, token)
        for path, token in (
            ("/health", ""),
            ("/ready", ""),
            ("/metrics", ""),
            ("/metrics", "x"),
            ("/metrics", "t"),
            ("/status?x=1", "t"),
            ("/", "t"),
        )
    ]
    server.close()
    assert [status for status, _ in answers] == [200, 503, 401, 401, 200, 200, 404]
    assert [body for _, body in answers][4:6] == [b"a 1\n", b'{"b":2}']
    assert answers[1][1] == b"not yet\n"


def test_one_connection_serves_many_requests(server: StatusServer) -> None:
    """A scraper keeps its connection; large pages come whole, also when two are asked at once."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    for _ in range(3):
        connection.request("GET", "/metrics", headers={"Authorization": "Bearer t"})
        assert len(connection.getresponse().read()) == 300_000
    connection.close()
    ask = b"GET /health HTTP/1.1\r\n\r\n"
    both = exchange(server.port, ask + ask[:-4] + b"\r\nConnection: close\r\n\r\n")
    assert both.count(b"200 OK") == 2


def test_page_that_breaks_leaves_the_others_whole(server: StatusServer) -> None:
    """A bug in one page is that page's alone."""
    assert get(server.port, "/status", "t")[0] == 500
    assert get(server.port, "/health") == (200, b"alive\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", b" 400 "),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b" 400 "),
        (b"GET  HTTP/1.1\r\n\r\n", b" 404 "),
        (b"POST /status HTTP/1.1\r\n\r\n", b" 405 "),
        (b"GET /health HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b" 405 "),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000, b" 431 "),
        (b"GET /metrics HTTP/1.0\r\nAuthorization: Bearer \xff\r\n\r\n", b" 401 "),
        (b"", b""),
    ],
)
def test_what_is_no_proper_request_is_refused(
    server: StatusServer, data: bytes, status: bytes
) -> None:
    """Garbage gets a refusal and the next one its answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            assert status in connection.makefile("rb").readline()
        except ConnectionResetError:
            assert status == b" 431 "  # it closed on what was still being sent
    assert get(server.port, "/health")[0] == 200


def test_silent_peers_keep_nobody_out_and_are_bounded(server: StatusServer) -> None:
    """Peers that say half a word hold up nobody; beyond the bound they are turned away."""
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    for each in silent:
        each.sendall(b"GET /health HT")
    assert get(server.port, "/health")[0] == 200
    crowd = [
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) for _ in range(40)
    ]
    assert crowd[-1].recv(1) == b""
    for each in silent + crowd:
        each.close()
    for _ in range(100):
        try:
            assert get(server.port, "/health")[0] == 200
            break
        except OSError:
            continue
    else:
        pytest.fail("the crowd has left, and still nobody is let in")


def test_port_in_use_is_named_with_the_remedy(server: StatusServer) -> None:
    """Who starts twice is told which port and what to do."""
    with pytest.raises(UsageError, match=rf"{server.port}.*port_base"):
        StatusServer(server.port, token="t", pages=Pages(ready=str, metrics=bytes, status=dict))


def test_closed_server_frees_its_port_at_once(server: StatusServer) -> None:
    """A restart listens on the same port without waiting, connections or not."""
    pages = Pages(ready=str, metrics=bytes, status=dict)
    first = StatusServer(0, token="t", pages=pages)
    first.start()
    with socket.create_connection(("127.0.0.1", first.port)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        connection.recv(10)
        first.close()
        second = StatusServer(first.port, token="t", pages=pages)
        second.start()
        assert get(second.port, "/health")[0] == 200
        second.close()
    assert get(server.port, "/health")[0] == 200
