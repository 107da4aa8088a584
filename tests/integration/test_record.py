"""Recording from a real server of each protocol, through cuts and hand-overs, and checking it."""

import asyncio
import random
from pathlib import Path

import pytest
from exchange_process import running
from prunella.cli.clock import SystemClock
from prunella.errors import UsageError
from prunella.trading.market.check import MarketReport, check_market
from prunella.trading.venue.catalogue import VENUES, venue_named
from prunella.trading.venue.frame_file import FrameFile
from prunella.trading.venue.recorder import Progress, Recorder, addresses
from venue_server import VenueServer

SYMBOLS = {
    "binance": "BTCUSDT",
    "binance-usdm": "BTCUSDT",
    "binance-coinm": "BTCUSDT",
    "coinbase": "BTC-USD",
    "kraken": "BTC/USD",
    "okx": "BTC-USDT",
    "bitstamp": "btcusd",
    "bitstamp-orders": "btcusd",
}
PATIENCE_S = 30.0


async def _until(done: asyncio.Task[None], what: object) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # type: ignore[operator]
            if done.done():
                await done
                raise AssertionError("the recorder ended by itself")
            await asyncio.sleep(0.01)


def _record(
    folder: Path,
    venue: str,
    *,
    frames: int,
    cut: str = "",
    life_s: float | None = None,
    bytes_max: int = 0,
) -> tuple[Progress, list[Path], VenueServer]:
    """Records so many frames; `cut` is `early`, before the book was whole, or `late`, after."""

    async def run() -> tuple[Progress, list[Path], VenueServer]:
        async with VenueServer(venue, refuses_first=cut == "early").running() as server:
            found = venue_named(venue)
            output = FrameFile(folder, venue, bytes_max=bytes_max, age_ns_max=0)
            recorder = Recorder(
                found,
                [SYMBOLS[venue]],
                output,
                clock=SystemClock(),
                at=addresses(found, server.url),
                chance=random.Random(7),
                life_s=life_s,
            )
            done = recorder.progress
            task = asyncio.create_task(recorder.run())
            needs = found.snapshot_path(SYMBOLS[venue]) is not None
            newest, before = 0, 0

            def is_whole() -> bool:
                """Whether the newest connection has its snapshot; it takes a while to come."""
                nonlocal newest, before
                if newest != done.connections:
                    newest, before = done.connections, done.snapshots
                return done.snapshots > before or not needs

            if cut:
                ready = is_whole if cut == "late" else lambda: True
                await _until(task, lambda: ready() and done.frames >= frames)
                server.cut()
            wanted = 1 + bool(cut or life_s is not None)
            await _until(
                task,
                lambda: is_whole() and done.frames >= frames * wanted and newest >= wanted,
            )
            recorder.stop()
            await task
            return done, output.paths, server

    return asyncio.run(run())


def _checked(paths: list[Path]) -> MarketReport:
    return check_market([str(path) for path in paths])


def test_every_venue_is_tried() -> None:
    """A venue that is added to the catalogue is added here."""
    assert SYMBOLS.keys() == VENUES.keys()


@pytest.mark.parametrize("cut", ["early", "late"])
@pytest.mark.parametrize("venue", sorted(VENUES))
def test_recording_with_a_cut_connection_passes_the_check(
    tmp_path: Path, venue: str, cut: str
) -> None:
    """After a cut the recorder connects anew, and nothing is wrong with what it wrote."""
    progress, paths, server = _record(tmp_path, venue, frames=50, cut=cut)
    report = _checked(paths)
    assert report.findings == []
    assert (progress.reconnects, server.connections, report.connections) == (1, 2, 2)
    assert report.protocol == VENUES[venue].facts.protocol
    assert report.frames == progress.frames + progress.snapshots
    [instrument] = report.instruments
    assert instrument.counters["diffs"] > 40
    if venue != "bitstamp-orders":
        assert instrument.status == "Live"


@pytest.mark.parametrize("venue", ["binance", "coinbase"])
def test_a_connection_is_replaced_before_its_life_ends(tmp_path: Path, venue: str) -> None:
    """The successor delivers before the old one is closed; the book stays right."""
    progress, paths, server = _record(tmp_path, venue, frames=100, life_s=1.5)
    report = _checked(paths)
    assert report.findings == []
    assert progress.handovers >= 1
    assert progress.reconnects == 0
    assert server.connections >= 2


def test_rotated_files_follow_each_other_and_end_in_whole_lines(tmp_path: Path) -> None:
    """Every file is whole; together they are one clean session."""
    _, paths, _ = _record(tmp_path, "kraken", frames=200, bytes_max=8_000)
    assert len(paths) > 2
    assert not list(tmp_path.glob("*.part"))
    assert _checked(paths).findings == []


def test_the_simulated_exchange_is_recorded_and_its_books_agree(tmp_path: Path) -> None:
    """Two instruments of the exchange process: snapshots, changes, trades, and a second witness."""
    instruments = ("--instrument", "BTC/USDT:61500", "--instrument", "ETH/USDT:2500")
    symbols = ["BTCUSDT", "ETHUSDT"]

    async def run(url: str) -> list[Path]:
        found = venue_named("binance")
        output = FrameFile(tmp_path, "session", bytes_max=0, age_ns_max=0)
        recorder = Recorder(
            found,
            symbols,
            output,
            clock=SystemClock(),
            at=addresses(found, url),
            chance=random.Random(7),
        )
        done = recorder.progress
        task = asyncio.create_task(recorder.run())
        await _until(task, lambda: done.snapshots == 2)
        more = done.frames + 100
        await _until(task, lambda: done.frames >= more)
        recorder.stop()
        await task
        return output.paths

    with running(tmp_path, *instruments) as exchange:
        report = _checked(asyncio.run(run(exchange.ws_url)))
    assert report.findings == []
    assert {one.symbol for one in report.instruments} == set(symbols)
    for instrument in report.instruments:
        assert instrument.status == "Live"
        assert instrument.counters["gaps"] == instrument.counters["crossed"] == 0
        assert instrument.ticker_equal > 0
        assert instrument.ticker_differs == 0


def test_a_refused_subscription_ends_the_recording_with_the_venues_words(tmp_path: Path) -> None:
    """A wrong symbol cannot be cured by connecting anew."""

    async def run() -> None:
        found = venue_named("kraken")
        output = FrameFile(tmp_path, "x", bytes_max=0, age_ns_max=0)
        async with VenueServer("kraken").running() as server:
            refusal = '{"error":"Currency pair not supported","success":false}'
            server.acknowledge = lambda *_: [refusal]  # type: ignore[method-assign]
            recorder = Recorder(
                found,
                ["NO/NE"],
                output,
                clock=SystemClock(),
                at=addresses(found, server.url),
                chance=random.Random(7),
            )
            await asyncio.wait_for(recorder.run(), PATIENCE_S)

    with pytest.raises(UsageError, match=r"kraken refuses: .*pair not supported"):
        asyncio.run(run())
