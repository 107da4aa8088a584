"""Readings in, symptoms out: streaming detectors that see telemetry and nothing else.

`Bank` builds one detector for each series of a watch list; `DETECTORS` is the shelf.
"""

from prunella.healing.detect.bank import Bank, cleaned, safe_labels, safe_text
from prunella.healing.detect.base import Detector, Episode, Options, Series
from prunella.healing.detect.catalogue import DETECTORS, builder

__all__ = [
    "DETECTORS",
    "Bank",
    "Detector",
    "Episode",
    "Options",
    "Series",
    "builder",
    "cleaned",
    "safe_labels",
    "safe_text",
]
