"""An exchange that ccxt knows and symbols in; books and trades, in files to check or replay, out.

For exchanges without a decoder of ours. What the library gives is weaker, and cannot be mended
here: prices are floats (written with nine decimals), updates that come together are merged, no
number or checksum is left that could prove a book, and a feed that stops raises nothing. So every
book is written whole, as a message of its own, and a silence is noticed by time. Frames have the
form of OKX's messages, because those can hold whole books; their numbers are counted here.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from prunella.errors import UsageError
from prunella.trading.venue.frame_file import FrameFile
from prunella.trading.venue.recorder import BACKOFF_S, BACKOFF_S_MAX, Progress
from prunella.values import Clock

PREFIX = "ccxt:"
PROTOCOL = "okx"
LEVELS_MAX = 400
SILENCE_S = 30.0
"""No quiet but living instrument that is worth recording is silent for longer."""


def library_client(name: str) -> Any:
    """The library's client of an exchange, with its limits of rate kept.

    Args:
        name: As the library calls it, such as `bybit`.

    Raises:
        UsageError: The library is not installed or does not know the exchange. Trying again cannot
            help.
    """
    try:
        library = importlib.import_module("ccxt.pro")
    except ImportError:
        raise UsageError("ccxt is not installed: pip install 'prunella[ccxt]'") from None
    if name not in library.exchanges:
        count = len(library.exchanges)
        raise UsageError(f"ccxt streams from {count} exchanges, and none of them is {name!r}")
    return getattr(library, name)({"enableRateLimit": True, "newUpdates": True})


def decimal_text(number: float) -> str:
    """A float of the library as decimal text, at the nine places that the core keeps.

    Example:
        >>> decimal_text(61500.1), decimal_text(1e-05), decimal_text(3.0)
        ('61500.1', '0.00001', '3')
    """
    text = f"{Decimal(repr(number)):.9f}"
    return text.rstrip("0").rstrip(".")


class LibraryRecorder:
    """Records one exchange through the library until it is stopped; a `Recorder` to its caller.

    Args:
        client: A client of `ccxt.pro`; closed at the end.
    """

    def __init__(
        self,
        client: Any,
        symbols: Sequence[str],
        output: FrameFile,
        *,
        clock: Clock,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._client = client
        self._symbols = list(symbols)
        self._output = output
        self._clock = clock
        self._silence_s = silence_s
        self._errors = importlib.import_module("ccxt")
        self._stop = asyncio.Event()
        self._number = 0
        self.progress = Progress()

    def stop(self) -> None:
        """Ends the recording after the frame being written."""
        self._stop.set()

    async def run(self) -> None:
        """Records until `stop`.

        Raises:
            UsageError: The exchange has no such symbol or no such stream; trying again cannot help.
            OSError: The files cannot be written.
        """
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._stop.wait())]
        try:
            await self._known()
            self._connected()
            kinds = [self._book, *([self._trades] if self._client.has["watchTrades"] else [])]
            tasks += [
                asyncio.create_task(self._follow(watch, symbol))
                for symbol in self._symbols
                for watch in kinds
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.stop()  # beside the cancelling: the library loses a cancellation now and then
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()
            self._output.close()

    async def _known(self) -> None:
        """Symbols are looked up before anything is waited for."""
        try:
            await self._client.load_markets()
        except self._errors.NetworkError as error:
            self.progress.last_problem = str(error)
            return
        for symbol in self._symbols:
            if symbol not in self._client.markets:
                raise UsageError(f"{self._client.id} has no {symbol!r}; ccxt writes BTC/USDT")

    def _connected(self) -> None:
        self.progress.connections += 1
        self._write(
            {
                "prunella": "connected",
                "venue": PREFIX + self._client.id,
                "protocol": PROTOCOL,
                "connection": self.progress.connections,
                "symbols": self._symbols,
            }
        )

    async def _follow(self, watch: Callable[[str], Awaitable[None]], symbol: str) -> None:
        """Waits for one thing after the other, through errors and silences."""
        pause_s = BACKOFF_S
        while not self._stop.is_set():
            try:
                async with asyncio.timeout(self._silence_s):
                    await watch(symbol)
                pause_s = BACKOFF_S
                continue
            except TimeoutError:
                self.progress.last_problem = f"{symbol} is silent"
            except (self._errors.BadSymbol, self._errors.NotSupported) as error:
                raise UsageError(f"{self._client.id}: {error}") from None
            except (self._errors.NetworkError, self._errors.ExchangeError) as error:
                self.progress.last_problem = str(error)
            self.progress.reconnects += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, BACKOFF_S_MAX)

    async def _book(self, symbol: str) -> None:
        book = await self._client.watch_order_book(symbol)
        self._number += 1
        sides = {
            side: [
                [decimal_text(level[0]), decimal_text(level[1]), "0", "1"]
                for level in book[side][:LEVELS_MAX]
            ]
            for side in ("bids", "asks")
        }
        stamp = str(book["timestamp"] or self._clock.now_ns() // 1_000_000)
        numbers = {"checksum": 0, "seqId": self._number, "prevSeqId": -1}
        self._tell("books", symbol, {**sides, "ts": stamp, **numbers}, action="snapshot")

    async def _trades(self, symbol: str) -> None:
        for trade in await self._client.watch_trades(symbol):
            data = {
                "px": decimal_text(trade["price"]),
                "sz": decimal_text(trade["amount"]),
                "side": trade["side"],
                "ts": str(trade["timestamp"]),
            }
            self._tell("trades", symbol, data)

    def _tell(self, channel: str, symbol: str, data: dict[str, object], **more: str) -> None:
        arg = {"channel": channel, "instId": symbol}
        self._write({"arg": arg, **more, "data": [data]})
        self.progress.frames += 1

    def _write(self, frame: dict[str, object]) -> None:
        self._output.write(self._clock.now_ns(), msgspec.json.encode(frame).decode())


__all__ = ["PREFIX", "LibraryRecorder", "decimal_text", "library_client"]
