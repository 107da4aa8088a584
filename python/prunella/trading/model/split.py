"""Times of rows in; parts to train on and later parts to test on, with no row in both worlds, out.

A row's label is what the price did within the horizon after it. So a training row close before the
test part already contains the test part's prices: it is left out (purged). And because figures look
back (up to 34 s), a further gap (embargo) keeps the first test rows from sharing their past with
the last training rows' labels.

Source: M. López de Prado, "Advances in Financial Machine Learning", chapter 7 (purging, embargo).
Rejected: shuffled cross-validation, which trains on the future.
"""

from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from prunella.errors import UsageError


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """Row numbers to train on, and later ones to test on."""

    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


def walk_forward(
    ts_ns: npt.NDArray[np.int64],
    *,
    horizon_ns: int,
    embargo_ns: int,
    folds: int,
    rows_min: int = 200,
) -> tuple[Fold, ...]:
    """Cuts rows into `folds + 1` spans of equal time; each but the first is tested once.

    Args:
        ts_ns: Times of the rows, ascending.
        horizon_ns: How far labels look ahead.
        embargo_ns: Further gap between the last label and the first test row.
        folds: How many test spans, at least 1.
        rows_min: Fewest rows to train or to test on.

    Raises:
        UsageError: A part has too few rows; a longer recording or fewer folds help.

    Example:
        >>> folds = walk_forward(np.arange(1000), horizon_ns=10, embargo_ns=5, folds=3)
        >>> [(int(f.train[-1]), int(f.test[0])) for f in folds]
        [(234, 250), (484, 500), (734, 750)]
    """
    cuts = np.linspace(ts_ns[0], ts_ns[-1] + 1, folds + 2).astype(np.int64)
    made = []
    for start, end in pairwise(cuts[1:]):
        train = np.flatnonzero(ts_ns + horizon_ns + embargo_ns < start)
        test = np.flatnonzero((ts_ns >= start) & (ts_ns < end))
        fewest = min(len(train), len(test))
        if fewest < rows_min:
            raise UsageError(
                f"expected at least {rows_min} rows in each part of the walk forward, found "
                f"{fewest}: give more recordings, a smaller stride or fewer folds"
            )
        made.append(Fold(train=train, test=test))
    return tuple(made)
