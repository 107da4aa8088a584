"""Whatever is measured, a table at once and row by row give the same, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunella.detect import Detector

VALUES = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from((0.0, 1.0, 1e300, -1e300, float("nan"), float("inf")))
)


@settings(max_examples=60)
@given(
    width=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    odd=st.lists(st.tuples(st.integers(0, 399), VALUES), max_size=12),
    cut=st.integers(0, 400),
)
def test_table_and_rows_give_the_same_bits(
    width: int, seed: int, odd: list[tuple[int, float]], cut: int
) -> None:
    """However the rows are split, and whatever stands in them; scores stay within 0 and 1."""
    rows = np.cumsum(np.random.default_rng(seed).normal(size=(400, width)), axis=0)
    for at, value in odd:
        rows[at, at % width] = value
    t = np.arange(400) * 300.0
    single, many = Detector(width, 300.0), Detector(width, 300.0)
    one_by_one = [single.update(float(at), row) for at, row in zip(t, rows, strict=True)]
    parts = [many.update_many(t[:cut], rows[:cut]), many.update_many(t[cut:], rows[cut:])]
    scores = np.concatenate([part[0] for part in parts])
    alarms = np.concatenate([part[1] for part in parts])
    assert np.array_equal(scores, [score for score, _ in one_by_one])
    assert np.array_equal(alarms, [alarm for _, alarm in one_by_one])
    assert ((scores >= 0) & (scores <= 1)).all()
    assert single.explain() == many.explain()


def test_later_rows_change_nothing_before_them() -> None:
    """No look ahead: what was said stands, whatever comes."""
    rows = np.random.default_rng(1).normal(size=(600, 2))
    other = rows.copy()
    other[300:] += 100.0
    t = np.arange(600) * 60.0
    first, second = (Detector(2, 60.0).update_many(t, table)[0] for table in (rows, other))
    assert np.array_equal(first[:300], second[:300])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("row", [[1.0], [1.0, 2.0, 3.0], []])
def test_row_of_another_width_is_refused(row: list[float]) -> None:
    """The message tells both numbers."""
    with pytest.raises(ValueError, match=f"found a row of {len(row)} values, expected 2"):
        Detector(2, 60.0).update(0.0, row)
