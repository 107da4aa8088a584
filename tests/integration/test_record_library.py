"""Recording through ccxt, unmodified, from the simulated exchange; its silences and refusals."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest
from exchange_process import Exchange, running
from prunella.cli.clock import SystemClock
from prunella.errors import UsageError
from prunella.trading.market.check import check_market
from prunella.trading.venue.frame_file import FrameFile
from prunella.trading.venue.library import LibraryRecorder, library_client

pytest.importorskip("ccxt.pro", reason="ccxt is not installed: make setup")

INSTRUMENTS = ("--instrument", "BTC/USDT:61500", "--instrument", "ETH/USDT:2500")
PATIENCE_S = 30.0


def _pointed_at(exchange: Exchange) -> Any:
    """The library's Binance, pointed at ours by nothing but addresses."""
    client = library_client("binance")
    client.options |= {
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
    }
    rest = f"http://127.0.0.1:{exchange.port}/api/v3"
    client.urls["api"]["public"] = client.urls["api"]["private"] = rest
    client.urls["api"]["ws"]["spot"] = f"{exchange.ws_url}/ws"
    return client


def _recorder(exchange: Exchange, folder: Path, *symbols: str, silence_s: float) -> LibraryRecorder:
    output = FrameFile(folder, "session", bytes_max=0, age_ns_max=0)
    client = _pointed_at(exchange)
    return LibraryRecorder(client, symbols, output, clock=SystemClock(), silence_s=silence_s)


async def _until(task: asyncio.Task[None], what: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            if task.done():
                await task
                raise AssertionError("the recorder ended by itself")
            await asyncio.sleep(0.01)


def test_books_and_trades_of_two_instruments_are_recorded_and_pass_the_check(
    tmp_path: Path,
) -> None:
    """Every book is whole; the check reads the files like those of any venue."""

    async def run(exchange: Exchange) -> None:
        recorder = _recorder(exchange, tmp_path, "BTC/USDT", "ETH/USDT", silence_s=20.0)
        task = asyncio.create_task(recorder.run())
        await _until(task, lambda: recorder.progress.frames >= 60)
        recorder.stop()
        await task

    with running(tmp_path, *INSTRUMENTS) as exchange:
        asyncio.run(run(exchange))
    report = check_market([str(path) for path in tmp_path.glob("*.gz")])
    assert report.findings == []
    assert {one.symbol for one in report.instruments} == {"BTC/USDT", "ETH/USDT"}
    assert all(one.status == "Live" for one in report.instruments)
    assert sum(one.counters["snapshots"] for one in report.instruments) > 10
    assert report.connections == 1


class _BusyClient:
    """Gives one book after the other, each after so many turns of the event loop."""

    id = "busy"
    has: ClassVar[dict[str, bool]] = {"watchTrades": False}
    markets: ClassVar[dict[str, dict[str, str]]] = {"BTC/USDT": {}}

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self.is_over = False

    async def load_markets(self) -> None:
        """Knows its markets."""

    async def watch_order_book(self, _symbol: str) -> dict[str, Any]:
        """The same book again."""
        if self.is_over:
            raise RuntimeError("asked after the end")
        for _ in range(self._turns):
            await asyncio.sleep(0)
        return {"bids": [[1.0, 1.0]], "asks": [[2.0, 1.0]], "timestamp": 1}

    async def close(self) -> None:
        """Has nothing open."""


@pytest.mark.parametrize("turns", range(1, 7))
def test_recording_ends_whenever_it_is_stopped(tmp_path: Path, turns: int) -> None:
    """Also in the very turn in which a book arrives: the cancellation must not be lost."""

    async def run() -> None:
        output = FrameFile(tmp_path, "session", bytes_max=0, age_ns_max=0)
        client = _BusyClient(turns)
        recorder = LibraryRecorder(client, ["BTC/USDT"], output, clock=SystemClock())
        task = asyncio.create_task(recorder.run())
        await _until(task, lambda: recorder.progress.frames >= 3)
        recorder.stop()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        client.is_over = True
        assert done, "the recorder goes on for ever"

    asyncio.run(run())
    assert len(list(tmp_path.glob("*.gz"))) == 1


def test_a_feed_that_stops_without_a_word_is_noticed_by_time(tmp_path: Path) -> None:
    """The library waits for ever; the recorder does not."""

    async def run(exchange: Exchange) -> None:
        recorder = _recorder(exchange, tmp_path, "BTC/USDT", silence_s=0.5)
        task = asyncio.create_task(recorder.run())
        await _until(task, lambda: recorder.progress.frames >= 10)
        exchange.admin("market", speed=1e-6)
        await _until(task, lambda: "silent" in recorder.progress.last_problem)
        exchange.admin("market", speed=1)
        before = recorder.progress.frames
        await _until(task, lambda: recorder.progress.frames > before + 5)
        recorder.stop()
        await task
        assert recorder.progress.reconnects >= 1

    with running(tmp_path, *INSTRUMENTS) as exchange:
        asyncio.run(run(exchange))


def test_an_unknown_exchange_or_symbol_is_refused_with_what_there_is(tmp_path: Path) -> None:
    """A person who mistypes is told before anything is written."""
    with pytest.raises(UsageError, match="none of them is 'nowhere'"):
        library_client("nowhere")
    with running(tmp_path, *INSTRUMENTS) as exchange:
        recorder = _recorder(exchange, tmp_path, "NO/NE", silence_s=5.0)
        with pytest.raises(UsageError, match="binance has no 'NO/NE'"):
            asyncio.run(asyncio.wait_for(recorder.run(), PATIENCE_S))
    assert not list(tmp_path.glob("*.gz*"))
