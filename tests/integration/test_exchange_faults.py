"""The exchange process under load, misbehaviour, stops and bad input."""

import contextlib
import itertools
import json
import signal
import socket as sockets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchange_process import DATA, Exchange, free_port, running, start
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

RECORDINGS = [
    DATA / "market" / f"binance_spot_btcusdt_{day}.gz" for day in ("20240808", "20240809")
]
needs_recordings = pytest.mark.skipif(
    not RECORDINGS[0].exists(), reason=f"no recordings in {DATA}/market (PRUNELLA_DATA)"
)


class Follower:
    """A client that keeps a book by the documented rule."""

    def __init__(self, socket: ClientConnection, exchange: Exchange) -> None:
        self._socket = socket
        self.sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        first = self._diff()
        while True:
            snapshot = exchange.call("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000").body
            if snapshot["lastUpdateId"] >= first["U"]:
                break
        self.update_id: int = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self._joined = False
        self._apply(first)

    def _diff(self) -> Any:
        return json.loads(self._socket.recv(timeout=10))

    def _apply(self, diff: Any) -> None:
        if diff["u"] <= self.update_id:
            return
        assert diff["U"] <= self.update_id + 1, "a gap"
        assert not self._joined or diff["U"] == self.update_id + 1
        self._joined = True
        self.update_id = diff["u"]
        for name, side in self.sides.items():
            for price, quantity in diff[name]:
                if float(quantity) == 0:
                    side.pop(price, None)
                else:
                    side[price] = quantity

    def follow(self, until: Callable[[], bool]) -> None:
        """Applies what comes until that is so."""
        while not until():
            self._apply(self._diff())

    def levels(self) -> dict[str, list[list[str]]]:
        """The book, best first."""
        bids = sorted(self.sides["b"].items(), key=lambda level: -float(level[0]))
        asks = sorted(self.sides["a"].items(), key=lambda level: float(level[0]))
        return {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Waits until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def order(exchange: Exchange, number: int) -> Any:
    """A new bid far below the market."""
    return exchange.signed(
        "POST",
        "order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        price="30000.00",
        quantity="0.001",
        newClientOrderId=f"PRN-1-{number}",
    )


def until_closed(socket: ClientConnection) -> None:
    """Reads until the other side ends the connection; `TimeoutError` when it only falls silent."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=10)


def balance(exchange: Exchange, asset: str) -> float:
    """What the account has of an asset, free."""
    rows = exchange.signed("GET", "account").body["balances"]
    return next(float(row["free"]) for row in rows if row["asset"] == asset)


@needs_recordings
def test_follower_of_the_recorded_session_at_full_speed_has_the_exchanges_book(
    tmp_path: Path,
) -> None:
    """Ten minutes in seconds, without a gap, to the same 5,000 levels a side."""
    market = ["--once", "--speed", "50", "--market", *map(str, RECORDINGS)]
    with (
        running(tmp_path, *market) as exchange,
        connect(f"{exchange.ws_url}/ws/btcusdt@depth@100ms") as socket,
    ):
        follower = Follower(socket, exchange)
        exchange.admin("market", speed=1_000_000)
        until(lambda: "market_ended" in (tmp_path / "exchange.log").read_text(), 60)
        last = exchange.call("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000").body
        follower.follow(lambda: follower.update_id == last["lastUpdateId"])
        assert follower.levels() == {"bids": last["bids"], "asks": last["asks"]}
        assert exchange.status()["clients_dropped"] == 0


def test_follower_with_own_orders_in_the_book_has_the_exchanges_book(tmp_path: Path) -> None:
    """Our own orders are visible quantities like any other."""
    with (
        running(tmp_path) as exchange,
        connect(f"{exchange.ws_url}/ws/btcusdt@depth@100ms") as socket,
    ):
        follower = Follower(socket, exchange)
        order(exchange, 1)
        follower.follow(lambda: follower.sides["b"].get("30000.00000000") == "0.00100000")
        exchange.signed("DELETE", "openOrders", symbol="BTCUSDT")
        follower.follow(lambda: "30000.00000000" not in follower.sides["b"])


def test_overload_is_cured_by_sending_less(tmp_path: Path) -> None:
    """Above the capacity 503 and 429 come in bursts; below it every request succeeds."""
    with running(tmp_path, "--orders-per-10s", "10000") as exchange:
        exchange.admin("behaviour", order_capacity_per_second=5)
        answers = {number: order(exchange, number) for number in range(1, 61)}
        statuses = [answer.status for answer in answers.values()]
        assert statuses.count(200) >= 5
        assert {503, 429} <= set(statuses)
        refusals = sum(status in {503, 429} for status in statuses)
        assert exchange.status()["order_requests_refused"] == refusals
        assert all(
            answer.headers["retry-after"] == "1"
            for answer in answers.values()
            if answer.status == 429
        )
        executed = {row["clientOrderId"] for row in exchange.signed("GET", "openOrders").body}
        lost = [number for number, answer in answers.items() if answer.status == 503]
        unknown = [number for number in lost if f"PRN-1-{number}" in executed]
        assert 0 < len(unknown) < len(lost), "some of the unanswered were executed, some not"
        refused = [number for number, answer in answers.items() if answer.status == 429]
        assert not any(f"PRN-1-{number}" in executed for number in refused)
        for number in range(100, 106):
            # The pace is the condition under test: first a quiet second, then four orders a second.
            time.sleep(1.1 if number == 100 else 0.25)
            assert order(exchange, number).status == 200
        exchange.admin("behaviour")
        assert all(order(exchange, number).status == 200 for number in range(200, 230))
        log = (tmp_path / "exchange.log").read_text()
        assert log.count("behaviour_set") == 2


def test_rejections_latency_and_disconnection_are_off_until_set(tmp_path: Path) -> None:
    """Each behaviour does what it says and ends when it is taken back."""
    with running(tmp_path) as exchange:
        assert order(exchange, 1).status == 200
        exchange.admin("behaviour", reject_ratio=1.0)
        refused = order(exchange, 2)
        assert (refused.status, refused.body["code"]) == (400, -2010)
        exchange.admin("behaviour", latency_ms=200)
        began = time.monotonic()
        assert exchange.call("GET", "/api/v3/ping").status == 200
        assert time.monotonic() - began >= 0.2
        exchange.admin("behaviour")
        with connect(f"{exchange.ws_url}/ws/btcusdt@bookTicker") as socket:
            exchange.admin("behaviour", disconnect=True)
            until_closed(socket)
        with pytest.raises(Exception, match="rejected WebSocket"):
            connect(f"{exchange.ws_url}/ws/btcusdt@bookTicker")
        exchange.admin("behaviour")
        with connect(f"{exchange.ws_url}/ws/btcusdt@bookTicker") as socket:
            socket.recv(timeout=10)
        wrong = exchange.admin("behaviour", reject_ratio=2)
        assert wrong.status == 400
        assert "reject_ratio" in wrong.body["error"]
        misspelt = exchange.admin("behaviour", latency=1)
        assert misspelt.status == 400


def test_order_executed_all_the_same_is_answered_503(tmp_path: Path) -> None:
    """Every answer is "unknown"; half of the orders are there and half are not."""
    with running(tmp_path) as exchange:
        exchange.admin("behaviour", unanswered_ratio=0.5, lost_ratio=0.5)
        answers = [order(exchange, number) for number in range(40)]
        assert {answer.status for answer in answers} == {503}
        exchange.admin("behaviour")
        executed = len(exchange.signed("GET", "openOrders").body)
        assert 5 < executed < 35


def test_frozen_feed_keeps_its_socket_and_answers_pings(tmp_path: Path) -> None:
    """Connected but silent; when it is over the numbers show the gap."""
    with running(tmp_path) as exchange, connect(f"{exchange.ws_url}/ws/btcusdt@depth@100ms") as ws:
        before = json.loads(ws.recv(timeout=10))
        exchange.admin("behaviour", market={"frozen": True})
        frames = exchange.status()["frames"]
        with contextlib.suppress(TimeoutError):
            while True:  # what was on its way already
                before = json.loads(ws.recv(timeout=0.5))
        until(lambda: exchange.status()["frames"] > frames + 100)
        assert ws.ping().wait(timeout=5)
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.3)
        exchange.admin("behaviour")
        after = json.loads(ws.recv(timeout=10))
        assert after["U"] > before["u"] + 1


def test_dropped_and_doubled_messages_are_seen_by_their_numbers(tmp_path: Path) -> None:
    """A dropped update leaves a gap, a doubled one comes twice; own events alike."""
    with running(tmp_path) as exchange, connect(f"{exchange.ws_url}/ws/btcusdt@trade") as ws:
        exchange.admin("behaviour", market={"drop_ratio": 0.3, "duplicate_ratio": 0.3})
        ids = [json.loads(ws.recv(timeout=10))["t"] for _ in range(100)]
        steps = [later - earlier for earlier, later in itertools.pairwise(ids)]
        assert steps.count(0) > 5
        assert sum(step > 1 for step in steps) > 5
        assert min(steps) == 0
        exchange.admin("behaviour", user={"drop_ratio": 0.5})
        assert exchange.admin("behaviour", user={"drop_ratio": 1.5}).status == 400


def test_latency_has_the_asked_median_and_tail(tmp_path: Path) -> None:
    """Most answers near the median, some far beyond it, never the same twice."""
    with running(tmp_path) as exchange:
        exchange.admin("behaviour", latency_ms=10, latency_p99_ms=60)
        took = []
        for _ in range(80):
            began = time.monotonic()
            exchange.call("GET", "/api/v3/ping")
            took.append(time.monotonic() - began)
        took.sort()
        assert 0.006 < took[len(took) // 2] < 0.030
        assert took[-1] > 2 * took[len(took) // 2]


def test_sockets_end_again_and_again_and_may_come_back(tmp_path: Path) -> None:
    """Every half second all connections are gone; new ones are welcome."""
    with running(tmp_path) as exchange:
        exchange.admin("behaviour", disconnect_every_s=0.5)
        for _ in range(3):
            with connect(f"{exchange.ws_url}/ws/btcusdt@bookTicker") as ws:
                until_closed(ws)


def test_wrong_clock_shows_in_every_time_and_refuses_signed_requests(tmp_path: Path) -> None:
    """The venue's clock runs ahead: its times say so, and honest requests seem too old."""
    with running(tmp_path) as exchange:
        exchange.admin("behaviour", clock_offset_ms=60_000)
        told = exchange.call("GET", "/api/v3/time").body["serverTime"]
        assert 55_000 < told - time.time_ns() // 1_000_000 < 65_000  # noqa: TID251 - a client's
        refused = order(exchange, 1)
        assert (refused.status, refused.body["code"]) == (400, -1021)
        later = exchange.signed("GET", "account", timestamp=told)
        assert later.status == 200
        exchange.admin("behaviour")
        assert order(exchange, 2).status == 200


def test_transfer_changes_the_balance_and_is_told(tmp_path: Path) -> None:
    """Money that comes or goes without a trade."""
    with running(tmp_path) as exchange:
        before = balance(exchange, "BTC")
        assert exchange.admin("transfer", asset="BTC", amount=-2_000_000_000).status == 200
        assert balance(exchange, "BTC") == before - 2
        too_much = exchange.admin("transfer", asset="BTC", amount=-9_000_000_000)
        assert too_much.status == 400
        assert "expected at most 8000000000" in too_much.body["error"]
        assert exchange.admin("transfer", asset="DOGE", amount=1).status == 400


def test_market_can_be_sped_up_while_it_runs(tmp_path: Path) -> None:
    """Five times the pace brings about five times the frames."""
    with running(tmp_path) as exchange:

        def frames_in(seconds: float) -> int:
            before = exchange.status()["frames"]
            # The rate is the condition under test.
            time.sleep(seconds)
            return int(exchange.status()["frames"]) - int(before)

        slow = frames_in(1.5)
        assert exchange.admin("market", speed=5).body["before"] == {"speed": 1.0}
        assert frames_in(1.5) > 2.5 * slow
        assert exchange.admin("market", speed=0).status == 400


def test_stopped_process_goes_on_without_rushing_through_what_it_missed(tmp_path: Path) -> None:
    """SIGSTOP is silence with the connection open; after SIGCONT the book goes on without a gap."""
    with (
        running(tmp_path) as exchange,
        connect(f"{exchange.ws_url}/ws/btcusdt@depth@100ms") as socket,
    ):
        before = exchange.status()["frames"]
        exchange.process.send_signal(signal.SIGSTOP)
        with contextlib.suppress(TimeoutError):
            while True:
                socket.recv(timeout=1.0)
        exchange.process.send_signal(signal.SIGCONT)
        assert json.loads(socket.recv(timeout=5))["e"] == "depthUpdate"
        assert exchange.status()["frames"] - before < 400


def test_client_that_does_not_read_is_dropped_and_the_others_are_served(tmp_path: Path) -> None:
    """One that never reads costs a bounded queue, not the exchange."""
    with running(tmp_path, "--speed", "40") as exchange:
        asleep = sockets.create_connection(("127.0.0.1", exchange.port))
        streams = "btcusdt@depth20@100ms/btcusdt@bookTicker/btcusdt@trade"
        asleep.sendall(
            f"GET /stream?streams={streams} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with connect(f"{exchange.ws_url}/ws/btcusdt@depth@100ms") as socket:
            follower = Follower(socket, exchange)
            follower.follow(lambda: exchange.status()["clients_dropped"] == 1)
        asleep.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected at least one recorded frame, found none"),
        (b"1 {}\n", "line 1: expected a stream frame or a snapshot"),
    ],
)
def test_bad_recording_ends_the_process_with_a_plain_message(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Exit status 2, the file and the line, no stack trace."""
    (tmp_path / "market").write_bytes(content)
    exchange = start(tmp_path, "--market", str(tmp_path / "market"))
    assert exchange.process.wait(timeout=20) == 2
    log = (tmp_path / "exchange.log").read_text()
    assert f"{tmp_path}/market" in log
    assert message in log
    assert "Traceback" not in log


def test_port_in_use_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Exit status 2 and what to do."""
    port = free_port()
    with sockets.create_server(("127.0.0.1", port)):
        exchange = start(tmp_path, port=port)
        assert exchange.process.wait(timeout=20) == 2
    assert "choose another port" in (tmp_path / "exchange.log").read_text()


def test_terminated_process_closes_its_sockets_and_ends_with_status_zero(tmp_path: Path) -> None:
    """SIGTERM is a clean end."""
    with (
        running(tmp_path) as exchange,
        connect(f"{exchange.ws_url}/ws/btcusdt@bookTicker") as socket,
    ):
        socket.recv(timeout=10)
        exchange.process.terminate()
        with contextlib.suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=10)
        assert exchange.process.wait(timeout=10) == 0
    assert "Traceback" not in (tmp_path / "exchange.log").read_text()
