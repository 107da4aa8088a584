"""The market sources: recordings with the buffering rule, and the synthetic flow."""

import gzip
import hashlib
import itertools
import json
from pathlib import Path

import pytest
from exchange_process import DATA
from prunella.errors import RecordingError
from prunella.exchange.frames import BookFrame, DiffFrame, TickerFrame, TradeFrame
from prunella.exchange.recording import Recording
from prunella.exchange.settings import ExchangeSettings, SymbolSettings
from prunella.exchange.streams import Hub
from prunella.exchange.synthetic import SECOND_NS, SyntheticMarket
from prunella.exchange.venue import Venue
from prunella.values import ManualClock, format_fixed

MARKET = DATA / "market"
SETTINGS = ExchangeSettings(port=0, admin_token="a", read_token="r")


def depth(first: int, last: int) -> str:
    """A recorded depth frame of one bid."""
    levels = '"b":[["100.00","1"]],"a":[]'
    frame = f'{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},{levels}}}'
    return f'1 {{"stream":"btcusdt@depth@100ms","data":{frame}}}'


SNAPSHOT = '2 {"lastUpdateId":10,"bids":[["100.00","2"]],"asks":[["101.00","3"]]}'


def recording(tmp_path: Path, *lines: str) -> Recording:
    """A plain recording of these lines."""
    path = tmp_path / "market"
    path.write_text("\n".join(lines) + "\n")
    return Recording([path])


@pytest.mark.skipif(not MARKET.exists(), reason=f"no recordings in {MARKET} (PRUNELLA_DATA)")
@pytest.mark.parametrize(
    "group",
    [
        "binance_spot_btcusdt_202408",
        "binance_usdm_btcusdt_202408",
        "binance_coinm_btcusd_perp_202408",
    ],
)
def test_played_recording_ends_with_the_expected_book(group: str) -> None:
    """Snapshot mid-stream, buffering, best prices between: the last book is the known one."""
    expected = json.loads((MARKET / "expected.json").read_text())[group]
    venue = Venue(SETTINGS, ManualClock(), Hub()).market("BTCUSDT")
    for _, frame in Recording([MARKET / name for name in expected["files"]]).frames():
        venue.play(frame)
    lines = [
        f"{side} {format_fixed(price)} {format_fixed(quantity)}"
        for side, levels in zip("ba", venue.external_levels(), strict=True)
        for price, quantity in levels
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == expected["final_book_sha256"]


def test_frames_before_the_snapshot_are_kept_or_dropped_by_its_number(tmp_path: Path) -> None:
    """What the snapshot contains is dropped; what goes on after it is applied."""
    played = recording(tmp_path, depth(8, 9), depth(10, 12), SNAPSHOT, depth(13, 13))
    kinds = [type(frame) for _, frame in played.frames()]
    assert kinds == [BookFrame, DiffFrame, DiffFrame]


@pytest.mark.parametrize(
    ("lines", "place", "message"),
    [
        ((), "", "expected at least one recorded frame"),
        ((depth(8, 9),), ":", "expected a depth snapshot"),
        ((SNAPSHOT, depth(11, 11), depth(13, 13)), ": line 3:", "frames are missing"),
        ((SNAPSHOT, depth(12, 12)), ": line 2:", "frames are missing"),
        ((SNAPSHOT, "3 {"), ": line 2:", "expected a string at byte 1"),
        ((SNAPSHOT, '3 {"data":{"e":5}}'), ": line 2:", "expected a Binance frame"),
        ((SNAPSHOT, "no time"), ": line 2:", "expected a receive time in nanoseconds"),
        ((SNAPSHOT, '3 {"data":{"e":"kline"}}'), ": line 2:", "found event 'kline'"),
        ((SNAPSHOT, '3 {"data":{"e":"trade","p":"1"}}'), ": line 2:", "expected a trade"),
    ],
)
def test_bad_recording_names_file_line_and_expectation(
    tmp_path: Path, lines: tuple[str, ...], place: str, message: str
) -> None:
    """A person can find what is wrong."""
    path = tmp_path / "market"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError) as caught:
        list(Recording([path]).frames())
    assert f"{path}{place}" in str(caught.value)
    assert message in str(caught.value)


def test_truncated_or_false_gzip_is_told(tmp_path: Path) -> None:
    """A cut file and a file that is not gzip at all."""
    path = tmp_path / "market.gz"
    whole = gzip.compress("\n".join([SNAPSHOT] * 500).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match=r"line [0-9]+: expected more of the packed file"):
        list(Recording([path]).frames())
    path.write_text(SNAPSHOT)
    with pytest.raises(RecordingError, match="expected gzip because of the name"):
        list(Recording([path]).frames())
    with pytest.raises(RecordingError, match="cannot open it"):
        list(Recording([tmp_path / "absent"]).frames())


def test_synthetic_market_is_the_same_for_a_seed_and_looks_alive() -> None:
    """Reproducible; uncrossed; with depth, trades and movement at a market's pace."""
    flows = [SyntheticMarket(SymbolSettings(), seed=seed).frames() for seed in (3, 3, 4)]
    one, same, other = ([next(flow) for _ in range(20_000)] for flow in flows)
    assert one == same
    assert one != other
    seconds = one[-1][0] / SECOND_NS
    assert 100 < len(one) / seconds < 400
    trades = [frame for _, frame in one if isinstance(frame, TradeFrame)]
    assert 0.3 < sum(trade.buyer_is_maker for trade in trades) / len(trades) < 0.7
    venue = Venue(SETTINGS, ManualClock(), Hub()).market("BTCUSDT")
    tops = set()
    for number, (_, frame) in enumerate(one):
        venue.play(frame)
        if number % 20:
            continue
        bids, asks = venue.external_levels()
        assert bids[0][0] < asks[0][0]
        assert len(bids) == len(asks) == 400
        tops.add(bids[0][0])
    assert len(tops) > 50


def test_best_price_that_the_book_already_contains_is_left_out(tmp_path: Path) -> None:
    """An old best price never moves the book back."""
    frame = '{{"u":{},"s":"BTCUSDT","b":"100.00","B":"1","a":"101.00","A":"1"}}'
    lines = [f'3 {{"data":{frame.format(number)}}}' for number in (9, 10, 11)]
    frames = itertools.islice(recording(tmp_path, SNAPSHOT, *lines).frames(), 9)
    assert [type(frame) for _, frame in frames] == [BookFrame, TickerFrame]
