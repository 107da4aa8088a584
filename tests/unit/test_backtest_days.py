"""Fills and samples of two days and two instruments: each day's row follows from its own rows."""

import json
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from prunella.cli.backtest import config_for, settings_of
from prunella.trading.backtest import (
    FILL,
    SAMPLE,
    Backtest,
    VenueBehaviour,
    write_report,
)
from prunella.trading.backtest.days import Day, days_of

Row: TypeAlias = tuple[int, ...]
DATA = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
ONE = 10**9
DAY_NS = 86_400 * ONE
FIRST = 20_000 * DAY_NS
CONFIG = {
    "instruments": ["BTCUSDT", "ETHUSDT"],
    "markets": [
        {"symbol": "BTCUSDT", "instrument": 0},
        {"symbol": "ETHUSDT", "instrument": 1},
        {"symbol": "BTCUSDT", "instrument": 0},
    ],
}


def _fill(ts_ns: int, market: int, *, sells: int, price: int, quantity: int, fee: int) -> Row:
    return (ts_ns, 1, market, 0, sells, 1, price * ONE, quantity * ONE, fee * ONE, 0, 0)


def _samples(ts_ns: int, marks: Row, held: Row) -> list[Row]:
    rows = zip(marks, held, strict=True)
    return [(ts_ns, at, mark * ONE, position * ONE, 0) for at, (mark, position) in enumerate(rows)]


FILLS = np.array(
    [
        _fill(FIRST + 10, 0, sells=0, price=100, quantity=2, fee=1),
        _fill(FIRST + 30, 2, sells=1, price=120, quantity=1, fee=1),
        _fill(FIRST + DAY_NS + 10, 1, sells=0, price=10, quantity=3, fee=0),
        _fill(FIRST + DAY_NS + 20, 0, sells=1, price=90, quantity=1, fee=2),
    ],
    dtype=FILL,
)
SAMPLES = np.array(
    [
        *_samples(FIRST, (100, 10, 100), (0, 0, 0)),
        *_samples(FIRST + 10, (100, 10, 100), (2, 0, 0)),
        *_samples(FIRST + 20, (130, 10, 130), (2, 0, 0)),
        *_samples(FIRST + 40, (110, 10, 110), (2, 0, -1)),
        *_samples(FIRST + DAY_NS + 20, (90, 10, 90), (1, 3, -1)),
        *_samples(FIRST + DAY_NS + 30, (95, 8, 95), (1, 3, -1)),
    ],
    dtype=SAMPLE,
)


def _figures(day: Day) -> tuple[float, ...]:
    return (day.trades, day.volume, day.turnover, day.fees, day.profit, day.drawdown_max)


def test_each_day_has_a_row_for_each_instrument_over_its_venues() -> None:
    """Trades, volume, turnover, fees, profit and drawdown worked out by hand."""
    days = days_of(FILLS, SAMPLES, CONFIG)
    assert [(day.day, day.instrument) for day in days] == [
        ("2024-10-04", "BTCUSDT"),
        ("2024-10-04", "ETHUSDT"),
        ("2024-10-05", "BTCUSDT"),
        ("2024-10-05", "ETHUSDT"),
    ]
    # Bought 2 at 100 (fee 1), worth 130, sold 1 elsewhere at 120 (fee 1), worth 110 at the end.
    assert _figures(days[0]) == (2, 3, 320, 2, -200 - 1 + 120 - 1 + 110, 31)
    assert _figures(days[1]) == (0, 0, 0, 0, 0, 0)
    # From 28 at midnight: sold 1 at 90 with fee 2, and nothing is held over both venues.
    assert _figures(days[2]) == (1, 1, 90, 2, -22, 22)
    assert _figures(days[3]) == (1, 3, 30, 0, -6, 6)
    assert [day.position for day in days] == [1, 0, 0, 3]


def test_run_without_samples_or_fills_has_no_days_or_empty_ones() -> None:
    """Nothing divides by nothing."""
    assert days_of(FILLS[:0], SAMPLES[:0], CONFIG) == []
    days = days_of(FILLS[:0], SAMPLES[:3], CONFIG)
    assert [_figures(day) for day in days] == [(0, 0, 0, 0, 0, 0)] * 2


@pytest.mark.skipif(not DATA.is_dir(), reason="needs recorded market data in $PRUNELLA_DATA")
def test_recorded_days_add_up_to_the_whole_run_in_json_and_on_the_page(tmp_path: Path) -> None:
    """A session over midnight: two days, whose sums are the run's own figures."""
    files = sorted(DATA.glob("binance_spot_btcusdt_*.gz"))
    data = {"primary": files}
    result = Backtest(
        data, config_for(settings_of("maker"), data), behaviour=VenueBehaviour()
    ).run()
    found = json.loads(json.dumps(result.summary()))["days"]
    assert [(day["day"], day["instrument"]) for day in found] == [
        ("2024-08-08", "BTCUSDT"),
        ("2024-08-09", "BTCUSDT"),
    ]
    whole = result.statistics()
    assert sum(day["trades"] for day in found) == whole.fills > 0
    for name in ("turnover", "fees", "profit"):
        assert sum(day[name] for day in found) == pytest.approx(getattr(whole, name), abs=1e-6)
    assert 0 < max(day["drawdown_max"] for day in found) <= whole.drawdown_max + 1e-6
    page = tmp_path / "report.html"
    write_report(result, page, title="maker")
    text = page.read_text(encoding="utf-8")
    assert "<h2>Days</h2>" in text
    for day in found:
        assert f"<td>{day['day']}</td><td>BTCUSDT</td><td>{day['trades']:,}</td>" in text
