"""Scores and labelled windows in, the Numenta Anomaly Benchmark's score out (standard profile).

The rules, which are theirs: the first rows are probation and count for nothing. The earliest row
of a window whose score reaches the threshold earns up to 1, by a sigmoid that falls from the
window's begin to its end. A window with none costs 1. Each other row that reaches the threshold
costs up to 0.11, less where it is just behind a window. One threshold for all files is chosen so
that the sum is largest. 0 is what silence earns; 100 what the first row of every window and
nothing else earns.

Source: Lavin and Ahmad (2015), "Evaluating real-time anomaly detection algorithms: the Numenta
Anomaly Benchmark", ICMLA.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from prunella.evaluation.detection.tally import Spans

Scores: TypeAlias = NDArray[np.float64]

FALSE_ALARM_WEIGHT = 0.11
MISS_WEIGHT = 1.0
PROBATION_SHARE = 0.15
PROBATION_ROWS_MAX = 750
STEEPNESS = 5.0
FAR_BEHIND = 3.0
"""Window widths behind a window from which on a false alarm costs the whole weight."""


class NabScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector earns.

    Attributes:
        score: 0 for silence, 100 for perfection; below 0 for noise.
        threshold: The threshold that earns it.
        windows: How many windows there are.
        found: How many of them have an alarm.
        false_alarms: Rows outside that reach the threshold.
    """

    score: float
    threshold: float
    windows: int
    found: int
    false_alarms: int


def scaled_sigmoid(position: float) -> float:
    """What a row earns at a place relative to a window: -1 its begin, 0 just behind it.

    Example:
        >>> [round(scaled_sigmoid(at), 3) for at in (-1.0, 0.0, 1.0, 4.0)]
        [0.987, 0.0, -0.987, -1.0]
    """
    if position > FAR_BEHIND:
        return -1.0
    return 2.0 / (1.0 + math.exp(STEEPNESS * position)) - 1.0


def probation(rows: int) -> int:
    """How many rows at the begin count for nothing.

    Example:
        >>> probation(4032), probation(22_695)
        (604, 750)
    """
    return min(math.floor(PROBATION_SHARE * rows), PROBATION_ROWS_MAX)


def row_values(rows: int, windows: Spans) -> tuple[Scores, NDArray[np.int64]]:
    """What an alarm at each row is worth, and the number of its window, -1 outside."""
    worth = np.full(rows, -FALSE_ALARM_WEIGHT)
    inside = np.full(rows, -1, dtype=np.int64)
    full = scaled_sigmoid(-1.0)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        for row in range(last + 1, rows):
            place = (row - last) / max(width - 1, 1)
            worth[row] = FALSE_ALARM_WEIGHT * scaled_sigmoid(place)
        for row in range(first, last + 1):
            worth[row] = scaled_sigmoid(-(last - row + 1) / width) / full
            inside[row] = number
    return worth, inside


def nab_score(series: Sequence[tuple[Scores, Spans]]) -> NabScore:
    """The score of the standard profile over a corpus.

    Args:
        series: Scores of every row, and the windows (first and last row), of each file.
    """
    gains, scores, windows = _gains(series)
    order = np.argsort(-scores, kind="stable")
    sums = -MISS_WEIGHT * windows + np.cumsum(gains[order])
    # A threshold takes all rows of the same score or none of them.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(order) else order
    silence = -MISS_WEIGHT * windows
    if not len(ends) or sums[ends].max() <= silence:
        return NabScore(score=0.0, threshold=math.inf, windows=windows, found=0, false_alarms=0)
    best = int(ends[np.argmax(sums[ends])])
    taken = gains[order[: best + 1]]
    threshold = float(scores[order[best]])
    return NabScore(
        score=100.0 * float(sums[best] - silence) / max(2 * windows, 1),
        threshold=threshold,
        windows=windows,
        found=_found(series, threshold),
        false_alarms=int((taken < 0).sum()),
    )


def _gains(series: Sequence[tuple[Scores, Spans]]) -> tuple[Scores, Scores, int]:
    """What each row adds when the threshold falls to its score.

    The rows of a window are worth less the later they are. So as the threshold falls, a window's
    sum changes at each row that is earlier than all those with a higher score, by the difference;
    the first of them also takes back the cost of the miss.
    """
    gains, scores, windows = [], [], 0
    for score, spans in series:
        worth, inside = row_values(len(score), spans)
        begin = probation(len(score))
        gain = np.where(inside >= 0, 0.0, worth)
        for number in np.unique(inside[begin:][inside[begin:] >= 0]):
            windows += 1
            rows = np.flatnonzero(inside == number)
            rows = rows[rows >= begin]
            so_far = -MISS_WEIGHT
            for row in rows[np.argsort(-score[rows], kind="stable")]:
                gain[row] = max(worth[row] - so_far, 0.0)
                so_far = max(so_far, worth[row])
        gains.append(gain[begin:])
        scores.append(score[begin:])
    if not gains:
        return np.empty(0), np.empty(0), 0
    return np.concatenate(gains), np.concatenate(scores), windows


def _found(series: Sequence[tuple[Scores, Spans]], threshold: float) -> int:
    count = 0
    for score, spans in series:
        begin = probation(len(score))
        count += sum(
            bool((score[max(first, begin) : last + 1] >= threshold).any()) for first, last in spans
        )
    return count
