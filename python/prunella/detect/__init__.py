"""Rows of metrics in, how unusual each is out: one sample at a time, with nothing to set.

    >>> import numpy as np
    >>> from prunella.detect import Detector
    >>> rng = np.random.default_rng(7)
    >>> rows = rng.normal(size=(3000, 2)) + [50.0, 10.0]
    >>> rows[2000] += [0.0, 20.0]
    >>> detector = Detector(2, 60.0, metrics=["cpu", "queue"])
    >>> told = []
    >>> for t, row in enumerate(rows):
    ...     score, alarm = detector.update(t * 60.0, row)
    ...     if alarm:
    ...         told.append((t, detector.explain().metric))
    >>> told
    [(2000, 'queue')]

`Detector.update_many` takes a whole table and gives the same bits. A value that is NaN is missing
and says nothing. The arithmetic is `crates/stream`.
"""

from prunella.detect.detector import Contribution, Detector, Kind, Symptom
from prunella.detect.forecast import Forecast, Outlook
from prunella.detect.templates import Templates

__all__ = [
    "Contribution",
    "Detector",
    "Forecast",
    "Kind",
    "Outlook",
    "Symptom",
    "Templates",
]
