"""The benchmark harness: what it finds, how it compares, what a person sees."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prunella.errors import UsageError
from prunella.evaluation import benches
from prunella.evaluation.bench import Rate, latency
from prunella.evaluation.benches import Figure, Measured, Report
from prunella.trading.market import Book

UNIT = 10**9


def _report(*rounds: tuple[Figure, ...]) -> Report:
    measured = Measured(bench="b", rounds=rounds)
    return Report(machine="", commit="", quick=True, benches=(measured,))


def _rate(per_second: float) -> tuple[Figure, ...]:
    return (Rate(name="r", goal="", per_second=per_second),)


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        ((100, 101, 102), (120, 121, 122), "better"),
        ((100, 101, 102), (80, 81, 82), "worse"),
        ((100, 101, 130), (120, 121, 122), "noise"),
        ((100, 101, 102), (103, 103, 103), "noise"),
    ],
)
def test_change_beyond_the_spread_of_rounds_is_told(
    before: tuple[float, ...], now: tuple[float, ...], verdict: str
) -> None:
    """Overlapping rounds and small changes are noise."""
    old, new = _report(*map(_rate, before)), _report(*map(_rate, now))
    assert [change.verdict for change in benches.compare(old, new)] == [verdict]


def test_longer_latency_is_worse_and_an_unknown_figure_new() -> None:
    """Of latencies the smaller is better; what was not measured before has nothing to say."""
    old = _report((latency("l", [1_000] * 10),))
    new = _report((latency("l", [2_000] * 10), *_rate(1)))
    found = {change.now.number: change.verdict for change in benches.compare(old, new)}
    assert found == {"p50": "worse", "p99": "worse", "rate": "new"}


def test_files_of_a_folder_run_and_read_back(tmp_path: Path) -> None:
    """One file with one function is a benchmark; its report survives the disk."""
    (tmp_path / "one.py").write_text(
        "from prunella.evaluation.bench import Rate\n"
        "def figures(*, quick):\n"
        "    yield Rate(name='x', goal='', per_second=2.0 if quick else 1.0)\n"
    )
    (tmp_path / "other.py").write_text("nothing = 0\n")
    found = benches.find(tmp_path)
    assert set(found) == {"one"}
    told: list[str] = []
    report = benches.run(found, rounds=2, quick=True, tell=told.append)
    assert told == ["one, round 1 of 2", "one, round 2 of 2"]
    assert benches.rows(report)["one", "x", "prunella", "rate"].value == 2.0
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(report))
    assert benches.read(path) == report


def test_mistakes_end_in_a_sentence(tmp_path: Path) -> None:
    """No such folder, name or report."""
    with pytest.raises(UsageError, match="holds no benchmark"):
        benches.find(tmp_path)
    with pytest.raises(UsageError, match="no benchmark 'x'"):
        benches.choose({}, ["x"])
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"machine": 3}))
    with pytest.raises(UsageError, match="expected a report"):
        benches.read(path)


def test_book_from_arrays_is_the_book_of_its_levels() -> None:
    """Beside a sorted dictionary, over batches with removals; equal books have equal digests."""
    rng = np.random.default_rng(7)
    book, single = Book(), Book()
    plain: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for _ in range(40):
        sides = []
        for side, levels in enumerate(plain):
            rows = np.stack([rng.integers(1, 300, 200), rng.integers(0, 3, 200)], axis=1) * UNIT
            rows[:, 0] += side * 1_000 * UNIT
            sides.append(rows)
            for price, quantity in rows.tolist():
                single.set(side == 0, price, quantity)
                levels.pop(price, None)
                if quantity:
                    levels[price] = quantity
        book.apply(*sides)
        assert book.bids(1_000) == sorted(plain[0].items(), reverse=True)
        assert book.asks(1_000) == sorted(plain[1].items())
        assert book.digest() == single.digest()
        assert (book.best_bid, book.best_ask) == (max(plain[0].items()), min(plain[1].items()))
    book.clear()
    assert (book.depth(), book.microprice, book.imbalance_ppm(5)) == ((0, 0), None, None)


def test_book_refuses_what_is_no_level() -> None:
    """The message names the argument and the row."""
    none = np.empty((0, 2), dtype=np.int64)
    with pytest.raises(TypeError, match="bids: expected a contiguous array of int64"):
        Book().apply(np.ones((2, 2)), none)
    with pytest.raises(ValueError, match=r"asks: .* found shape"):
        Book().apply(none, np.ones((2, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="bids, row 1: expected a positive price"):
        Book().apply(np.array([[1, 1], [0, 1]]), none)
