"""A file of comma-separated figures in, its times and columns out, or what is wrong with it.

The first line names the columns. A column called `t`, `ts`, `time`, `timestamp`, `date` or
`datetime` holds the times, ascending: ISO 8601, or seconds, milliseconds, microseconds or
nanoseconds since 1970. Every other column is a metric; an empty cell is a missing value.
"""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from prunella.errors import UsageError

Array: TypeAlias = NDArray[np.float64]

TIME_NAMES = frozenset({"t", "ts", "time", "timestamp", "date", "datetime"})
MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})
SECONDS_MAX = 1e11
"""Larger times are in milliseconds or finer: as seconds it would be the year 5138."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of figures.

    Attributes:
        metrics: The names of the columns.
        t: Seconds of each row; since 1970 if `dated`.
        rows: One row per sample, one column per metric; NaN where a value is missing.
        period_s: Seconds between rows, the median.
        dated: Whether the file has a column of times.
    """

    metrics: tuple[str, ...]
    t: Array
    rows: Array
    period_s: float
    dated: bool


def read_table(path: Path, *, period_s: float | None = None) -> Table:
    """Reads a file.

    Args:
        path: The file.
        period_s: Seconds between rows; taken from the times without, and 60 where there are none.

    Raises:
        UsageError: The file is no such table; the message names line, column, what was found and
            what was expected. Trying again cannot help.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, line) for line in reader if any(map(str.strip, line))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: expected a file of comma-separated figures: {error}") from None
    if len(lines) < 2:
        raise UsageError(f"{path}: found {len(lines)} lines, expected names and at least one row")
    names = [name.strip() for name in lines[0][1]]
    body = lines[1:]
    if all(_is_number(name) for name in names):
        raise UsageError(f"{path}: line 1: found figures, expected the names of the columns")
    at = next((i for i, name in enumerate(names) if name.lower() in TIME_NAMES), None)
    columns = [i for i in range(len(names)) if i != at]
    if not columns:
        raise UsageError(f"{path}: found no column beside the times, expected at least one metric")
    for number, line in body:
        if len(line) != len(names):
            raise UsageError(
                f"{path}: line {number}: found {len(line)} cells, expected {len(names)}"
            )
    rows = np.array(
        [[_figure(path, number, names[i], line[i]) for i in columns] for number, line in body]
    )
    t = (
        None
        if at is None
        else _times(path, names[at], [(number, line[at]) for number, line in body])
    )
    period = period_s if period_s is not None else _period(t)
    return Table(
        metrics=tuple(names[i] for i in columns),
        t=np.linspace(0.0, (len(rows) - 1) * period, len(rows)) if t is None else t,
        rows=rows,
        period_s=period,
        dated=t is not None,
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _figure(path: Path, number: int, name: str, cell: str) -> float:
    if cell.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise UsageError(
            f"{path}: line {number}, column {name!r}: found {cell[:40]!r}, expected a number"
        ) from None


def _times(path: Path, name: str, cells: list[tuple[int, str]]) -> Array:
    t = np.array([_time(path, number, name, cell.strip()) for number, cell in cells])
    while t.max() > SECONDS_MAX:
        t /= 1000.0
    falls = np.flatnonzero(np.diff(t) < 0)
    if len(falls):
        raise UsageError(
            f"{path}: line {cells[falls[0] + 1][0]}, column {name!r}: found a time before that of "
            "the line above, expected ascending times"
        )
    return t


def _time(path: Path, number: int, name: str, cell: str) -> float:
    if _is_number(cell) and np.isfinite(float(cell)):
        return float(cell)
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        raise UsageError(
            f"{path}: line {number}, column {name!r}: found {cell[:40]!r}, expected a time such as "
            "2026-01-31T12:00:00Z or seconds since 1970"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _period(t: Array | None) -> float:
    if t is None or len(t) < 2:
        return 60.0
    steps = np.diff(t)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 60.0
