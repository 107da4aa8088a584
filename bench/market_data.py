"""Messages a second of each venue, read from a file, decoded, proved and kept as a book.

Every message changes ten levels of each side, so that Kraken's checksum covers all of it. What is
timed is what `prunella market check` does with a recording that is not packed. The peer only turns
the same text into Python objects with the standard library's `json`, and keeps no book.
"""

import json
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from prunella.evaluation.bench import Rate
from prunella.trading.market.check import check_market

MESSAGES, QUICK_MESSAGES = 50_000, 2_000
LEVELS = 10
BEGIN_MS = 1_789_000_000_000
STEP_NS = 1_000_000
BID_PRICES = [f"{61_800 - level}.5" for level in range(LEVELS)]
ASK_PRICES = [f"{61_801 + level}.5" for level in range(LEVELS)]
TIME = datetime.fromtimestamp(BEGIN_MS / 1_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def figures(*, quick: bool) -> Iterable[Rate]:
    """One line a venue, ours and the peer's."""
    count = QUICK_MESSAGES if quick else MESSAGES
    for protocol, make in MAKERS.items():
        texts = [json.dumps(make(number), separators=(",", ":")) for number in range(1, count + 1)]
        if protocol == "kraken":
            texts = [text.replace('"<', "").replace('>"', "") for text in texts]
        for system, seconds in (("prunella", checked(protocol, texts)), ("json", decoded(texts))):
            name = f"{protocol} messages"
            yield Rate(name=name, goal="", per_second=count / seconds, system=system)


def decoded(texts: list[str]) -> float:
    """Seconds that the peer takes."""
    begun_ns = time.perf_counter_ns()
    for text in texts:
        json.loads(text)
    return (time.perf_counter_ns() - begun_ns) / 1e9


def checked(protocol: str, texts: list[str]) -> float:
    """Seconds that the check of these messages takes, without writing the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session"
        begin_ns = BEGIN_MS * 1_000_000
        lines = (f"{begin_ns + at * STEP_NS} {text}\n" for at, text in enumerate(texts))
        path.write_text("".join(lines), encoding="utf-8")
        begun_ns = time.perf_counter_ns()
        report = check_market([str(path)], protocol=protocol)
        seconds = (time.perf_counter_ns() - begun_ns) / 1e9
    if report.malformed or any(one.status != "Live" for one in report.instruments):
        raise SystemExit(f"the messages of {protocol} are wrong: {report.findings}")
    return seconds


def pairs(prices: list[str], number: int) -> list[list[str]]:
    """Levels whose quantity is the message's number."""
    return [[price, str(number)] for price in prices]


def binance(number: int) -> dict[str, object]:
    """A change of a depth stream; the second message is the snapshot, after a change names it."""
    bids, asks = pairs(BID_PRICES, number), pairs(ASK_PRICES, number)
    if number == 2:
        data: dict[str, object] = {"lastUpdateId": number, "bids": bids, "asks": asks}
        return {"stream": "btcusdt@snapshot", "data": data}
    change = {"e": "depthUpdate", "E": BEGIN_MS, "s": "BTCUSDT", "U": number, "u": number}
    return {"stream": "btcusdt@depth@100ms", "data": {**change, "b": bids, "a": asks}}


def coinbase(number: int) -> dict[str, object]:
    """A numbered message of changed levels."""
    updates = [
        {"side": side, "price_level": price, "new_quantity": str(number)}
        for side, prices in (("bid", BID_PRICES), ("offer", ASK_PRICES))
        for price in prices
    ]
    event = {"type": _kind(number), "product_id": "BTC-USD", "updates": updates}
    head = {"channel": "l2_data", "timestamp": TIME, "sequence_num": number}
    return {**head, "events": [event]}


def kraken(number: int) -> dict[str, object]:
    """A message with its checksum; numbers are marked, to be written with all their decimals."""
    quantity = f"{number}.00000000"
    digits = [price.replace(".", "") for price in ASK_PRICES + BID_PRICES]
    text = "".join(price + quantity.replace(".", "") for price in digits)
    sides = [
        [{"price": f"<{price}>", "qty": f"<{quantity}>"} for price in prices]
        for prices in (BID_PRICES, ASK_PRICES)
    ]
    book = {"symbol": "BTC/USD", "bids": sides[0], "asks": sides[1], "timestamp": TIME}
    data = {**book, "checksum": zlib.crc32(text.encode())}
    return {"channel": "book", "type": _kind(number), "data": [data]}


def okx(number: int) -> dict[str, object]:
    """A message that names the one before it."""
    sides = {"asks": pairs(ASK_PRICES, number), "bids": pairs(BID_PRICES, number)}
    chain = {"seqId": number, "prevSeqId": number - 1 if number > 1 else -1, "checksum": 0}
    data = {**sides, "ts": str(BEGIN_MS), **chain}
    return {
        "arg": {"channel": "books", "instId": "BTC-USDT"},
        "action": _kind(number),
        "data": [data],
    }


def bitstamp(number: int) -> dict[str, object]:
    """A change with a time that rises, after a snapshot."""
    channel = "order_book_snapshot_btcusd" if number == 1 else "diff_order_book_btcusd"
    sides = {"bids": pairs(BID_PRICES, number), "asks": pairs(ASK_PRICES, number)}
    data = {"microtimestamp": str(BEGIN_MS * 1_000 + number), **sides}
    return {"event": "data", "channel": channel, "data": data}


def _kind(number: int) -> str:
    return "snapshot" if number == 1 else "update"


MAKERS: dict[str, Callable[[int], dict[str, object]]] = {
    "binance_spot": binance,
    "coinbase": coinbase,
    "kraken": kraken,
    "okx": okx,
    "bitstamp": bitstamp,
}
