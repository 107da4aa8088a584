"""Market data of venues that we do not trade with, in the engine process, over real sockets."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine_process
import exchange_process
import msgspec
import pytest
from engine_process import Engine, wait_until
from exchange_process import DATA, Exchange
from live_venue import LiveServer, Relay, Script, recorded
from prunella.control import SubmitOrder, SwitchVenue
from prunella.trading.engine import Replica, replay
from prunella.trading.execution import VenueLimits
from prunella.trading.market.check import check_market
from prunella.trading.runtime import LoopSettings, TradingSettings
from prunella.trading.runtime.settings import TradedInstrument
from prunella.trading.venue import VenueEndpoint
from prunella.trading.venue.catalogue import venue_named
from prunella.values import SCALE, parse_fixed

RECORDINGS = {
    "kraken": "cryptofeed_KRAKEN.jsonl.zst",
    "okx": "cryptofeed_OKX.jsonl.zst",
    "coinbase": "cryptofeed_COINBASE.jsonl.zst",
    "bitstamp": "cryptofeed_BITSTAMP.jsonl.zst",
    "binance-usdm": "binance_usdm_btcusdt_20240808.gz",
}
ALL_LEVELS = 1_000_000
TOP_LEVELS = 100
METRICS = {
    "venue_state",
    "venue_health",
    "venue_gaps_total",
    "venue_resyncs_total",
    "venue_malformed_total",
    "data_venue_frames_total",
    "data_venue_feed_age_seconds",
}
REFUSAL = '{"error":"Currency pair not supported","method":"subscribe","success":false}'


def _traded() -> TradedInstrument:
    return TradedInstrument(
        symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01", lot="0.00001", venues=("primary",)
    )


def _settings(name: str, symbols: list[str], port: int) -> TradingSettings:
    """The stack's own venue to trade with, and one more to look at."""
    watched = {
        f"watched-{index}": TradedInstrument(
            symbol=symbol, base="X", quote="Y", tick="0.01", lot="0.00001", venues=("other",)
        )
        for index, symbol in enumerate(symbols)
    }
    url = f"127.0.0.1:{port}"
    return TradingSettings(
        # A machine under test may stand still for longer than trading would wait.
        venues={"primary": VenueLimits(stale_after_ms=5_000), "other": VenueLimits()},
        instruments={"BTCUSDT": _traded()} | watched,
        endpoints={
            "other": VenueEndpoint(
                protocol=name, stream_url=f"ws://{url}", rest_url=f"http://{url}"
            )
        },
        loop=LoopSettings(snapshot_every_s=0.5, journal_segment_bytes=32 << 20),
    )


def _engine(tmp_path: Path, exchange: Exchange, settings: TradingSettings) -> Any:
    return engine_process.running(tmp_path, {"primary": exchange}, settings)


@pytest.fixture(name="exchange")
def fixture_exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A running exchange to trade with."""
    (tmp_path / "x").mkdir()
    with exchange_process.running(tmp_path / "x", "--seed", "3") as running:
        yield running


class Watched:
    """The other venue's books as the journal has them."""

    def __init__(self, engine: Engine) -> None:
        self._replica = Replica(engine.home.engine_journal)

    def markets(self, levels: int) -> dict[str, dict[str, Any]]:
        """By symbol, after all that has been journaled."""
        while self._replica.follow(100_000)[0]:
            pass
        view = json.loads(self._replica.view(levels))
        return {each["symbol"]: each for each in view["markets"] if each["venue"] == "other"}

    def digests(self) -> dict[str, str]:
        """Of the books that are in step."""
        live = {n: m for n, m in self.markets(ALL_LEVELS).items() if m["status"] == "live"}
        return {name: _digest(market) for name, market in live.items()}


def _plain(raw: int) -> str:
    whole, part = divmod(raw, SCALE)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


def _digest(market: dict[str, Any]) -> str:
    lines = [
        f"{letter} {_plain(price)} {_plain(quantity)}"
        for letter, side in (("b", "bids"), ("a", "asks"))
        for price, quantity in market[side]
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _expected(name: str) -> dict[str, str]:
    """The books at the end of a recording, as the check without sockets has them."""
    path = DATA / "market" / RECORDINGS[name]
    report = check_market([str(path)])
    assert report.findings == []
    return {each.symbol: each.digest for each in report.instruments if each.counters["diffs"]}


def _assert_replays(engine: Engine) -> None:
    """The journal gives the recorded states again, from its beginning and from a snapshot."""
    assert engine.stop() == 0, engine.log()
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole
    assert whole["checks"] > 0
    late = replay(engine.home.engine_journal, from_snapshot=True)
    assert late["hash_equal"], late
    assert late["state_hash"] == whole["state_hash"]


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_recorded_session_played_live_gives_the_books_of_the_check(
    tmp_path: Path, exchange: Exchange, name: str
) -> None:
    """The right subscription is sent, and every book is the one of the check without sockets."""
    frames, expected = recorded(RECORDINGS[name]), _expected(name)
    symbols = list(expected)
    server = LiveServer(venue_named(name), symbols, frames)
    with (
        server.running(),
        _engine(tmp_path, exchange, _settings(name, symbols, server.port)) as engine,
    ):
        assert server.is_played.wait(60), engine.log()
        watched = Watched(engine)
        wait_until(lambda: watched.digests() == expected, f"the books of {name}")
        assert server.wrong == []
        assert server.path == (venue_named(name).stream_path(symbols) or "/")
        wait_until(lambda: engine.venue("other").get("state") == "live", "the status to say so")
        venue = engine.venue("other")
        assert venue["data_only"]
        assert (venue["gaps"], venue["resyncs"], venue["malformed"]) == (0, 0, 0)
        # The recording's times are years old, which is the one thing that may be said against it.
        assert set(venue["reasons"]) <= {"clock_offset"}
        assert venue["trouble"] == ""
        assert engine.venue("primary")["health"] == "healthy"
        _assert_replays(engine)


def _a_frame_of(frames: list[str], marks: tuple[str, ...]) -> frozenset[int]:
    """The number of a frame in the middle that has all these marks."""
    found = [n for n, each in enumerate(frames) if all(mark in each for mark in marks)]
    return frozenset({found[len(found) // 2]})


@pytest.mark.parametrize(
    ("name", "marks", "voided"),
    [
        ("kraken", ('"book-1000","XMR/USD"', '"c"'), ["XMR/USD"]),
        ("okx", ('"books","instId":"UNI-USD-SWAP"', '"update"'), ["UNI-USD-SWAP"]),
        # One number counts all messages, so each book may be the one that lacks something.
        ("coinbase", ('"l2_data"', '"update"', "ETH-USD"), ["BTC-USD", "ETH-USD"]),
    ],
)
def test_lost_message_voids_the_right_books_which_are_asked_for_anew(
    tmp_path: Path, exchange: Exchange, name: str, marks: tuple[str, ...], voided: list[str]
) -> None:
    """By checksum or number the loss is seen; the connection and the good books stay."""
    frames, expected = recorded(RECORDINGS[name]), _expected(name)
    lost = _a_frame_of(frames, marks)
    server = LiveServer(venue_named(name), list(expected), frames, lost=lost, renewals=len(voided))
    with (
        server.running(),
        _engine(tmp_path, exchange, _settings(name, list(expected), server.port)) as engine,
    ):
        assert server.is_played.wait(60), engine.log()
        watched = Watched(engine)
        # A book that holds less than the venue's forgets its worst levels earlier or later.
        tops = _tops_played_clean(name)
        wait_until(lambda: _tops(watched.markets(TOP_LEVELS)) == tops, f"the books of {name}")
        assert sorted(server.renewed) == voided
        assert (server.wrong, server.connections) == ([], 1)
        if name != "coinbase":
            assert watched.digests() == expected
        wait_until(
            lambda: engine.venue("other").get("resyncs") == len(voided), "the status to say so"
        )
        assert engine.venue("other")["state"] == "live"
        _assert_replays(engine)


def _tops(markets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: (each["status"], each["bids"], each["asks"]) for name, each in markets.items()}


def _tops_played_clean(name: str) -> dict[str, Any]:
    """The best levels at the end of a recording, by the plain books of the test's own server."""
    script = Script(venue_named(name).facts.protocol)
    for frame in recorded(RECORDINGS[name]):
        script.read(frame)
    return {
        symbol: ("live", *(_raw(book.levels(side)) for side in ("bids", "asks")))
        for symbol, book in script.books.items()
    }


def _raw(levels: list[list[str]]) -> list[list[int]]:
    return [[parse_fixed(price), parse_fixed(size)] for price, size, *_ in levels[:TOP_LEVELS]]


def test_refused_subscription_is_told_with_the_venues_words_and_the_others_go_on(
    tmp_path: Path, exchange: Exchange
) -> None:
    """One wrong symbol is trouble, asked for again at a pace; the books of the others are there."""
    frames, expected = recorded(RECORDINGS["kraken"]), _expected("kraken")
    symbols = ["XMR/USD", "NO/NE"]
    server = LiveServer(venue_named("kraken"), symbols, frames, refusal=REFUSAL)
    with (
        server.running(),
        _engine(tmp_path, exchange, _settings("kraken", symbols, server.port)) as engine,
    ):
        wait_until(
            lambda: "subscription_refused" in engine.venue("other").get("reasons", ()),
            "the refusal to be told",
        )
        found = engine.venue("other")
        assert found["health"] == "degraded"
        assert "Currency pair not supported" in found["trouble"]
        assert server.is_played.wait(60)
        watched = Watched(engine)
        wait_until(lambda: watched.digests() == {"XMR/USD": expected["XMR/USD"]}, "the other book")
        assert engine.venue("other")["state"] == "syncing"
        assert "Currency pair not supported" in engine.log()


def test_silent_venue_is_stale_and_then_reached_anew(tmp_path: Path, exchange: Exchange) -> None:
    """A connection that says nothing more and does not end is given up; trading goes on."""
    frames, expected = recorded(RECORDINGS["kraken"]), _expected("kraken")
    symbols = list(expected)
    server = LiveServer(venue_named("kraken"), symbols, frames)
    with (
        server.running(),
        Relay(server.port).running() as relay,
        _engine(tmp_path, exchange, _settings("kraken", symbols, relay.port)) as engine,
    ):
        wait_until(lambda: engine.venue("other").get("state") == "live", "the first books")
        assert server.is_played.wait(60)
        relay.frozen.set()
        wait_until(lambda: "stale" in engine.venue("other").get("reasons", ()), "staleness")
        assert engine.venue("other")["health"] == "down"
        assert engine.venue("other")["reflexes"]["stale_market"] == 1
        assert engine.venue("primary")["health"] == "healthy"
        relay.frozen.clear()
        watched = Watched(engine)
        wait_until(
            lambda: server.connections >= 2 and watched.digests() == expected, "the books again"
        )
        wait_until(lambda: "stale" not in engine.venue("other")["reasons"], "fresh data")
        _assert_replays(engine)


def test_connection_is_replaced_before_it_ends_without_a_gap(
    tmp_path: Path, exchange: Exchange
) -> None:
    """The new connection's books take over at once; nothing is lost, and nothing is stale."""
    frames, expected = recorded(RECORDINGS["okx"]), _expected("okx")
    server = LiveServer(venue_named("okx"), list(expected), frames)
    with server.running():
        settings = _settings("okx", list(expected), server.port)
        loop = msgspec.structs.replace(settings.loop, connection_life_s=3.0)
        settings = msgspec.structs.replace(settings, loop=loop)
        with _engine(tmp_path, exchange, settings) as engine:
            watched = Watched(engine)
            wait_until(
                lambda: engine.venue("other").get("connections_renewed", 0) >= 2, "two renewals"
            )
            wait_until(lambda: watched.digests() == expected, "the books")
            found = engine.venue("other")
            assert (found["gaps"], found["resyncs"]) == (0, 0)
            assert found["reflexes"]["stale_market"] == 0
            assert server.connections >= 3
            _assert_replays(engine)


def test_orders_to_such_a_venue_are_denied(tmp_path: Path, exchange: Exchange) -> None:
    """Neither a person nor a switch nor a strategy trades there; elsewhere trading goes on."""
    frames, expected = recorded(RECORDINGS["kraken"]), _expected("kraken")
    server = LiveServer(venue_named("kraken"), list(expected), frames)
    with (
        server.running(),
        _engine(tmp_path, exchange, _settings("kraken", list(expected), server.port)) as engine,
    ):
        wait_until(lambda: engine.venue("other").get("state") == "live", "the books")
        target = engine.target()
        order = SubmitOrder(
            symbol="watched-0", venue="other", side="buy", quantity="1", style="limit", limit="1"
        )
        for command in (order, SwitchVenue(venue="other")):
            reply = target.apply(command, actor="ann", reason="try")
            assert (reply.ok, reply.code) == (False, "VENUE_DATA_ONLY"), reply
        engine.wait_trading()
        assert engine.venue("other")["orders_submitted"] == 0
        _, page = engine.get("/metrics")
        told = [line for line in page.decode().splitlines() if 'venue="other"' in line]
        assert {line.split("{")[0] for line in told} >= METRICS
        # Their names are those that the healing plane acts upon, or of orders.
        assert not [line for line in told if line.startswith(("venue_feed", "venue_fr", "order"))]
        assert engine.status()["active_venue"] == "primary"


def test_five_processes_look_at_it_as_one_does(tmp_path: Path, exchange: Exchange) -> None:
    """The market stage holds the connection, and the others follow the same journal."""
    frames, expected = recorded(RECORDINGS["kraken"]), _expected("kraken")
    lost = _a_frame_of(frames, ('"book-1000","XMR/USD"', '"c"'))
    server = LiveServer(venue_named("kraken"), list(expected), frames, lost=lost)
    with server.running():
        settings = _settings("kraken", list(expected), server.port)
        with engine_process.running_split(tmp_path, {"primary": exchange}, settings) as engine:
            assert server.is_played.wait(60), engine.log()
            watched = Watched(engine)
            wait_until(lambda: watched.digests() == expected, "the books")
            # A new session, which begins when `execution` joins, begins with a new connection.
            assert (set(server.renewed), server.wrong) == ({"XMR/USD"}, [])
            assert engine.venue("other")["health"] != "down"
            _assert_replays(engine)
