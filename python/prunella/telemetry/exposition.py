"""Prometheus text in, samples out: what exporters write, read fast.

A page of one process has the same lines round after round with other numbers, so what stands before
the number is understood once and remembered. A histogram's buckets are left out: a detector reads
its `_sum` and `_count`, and a hundred buckets ten times a second would be most of the work.
"""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

from prunella.telemetry.catalogue import domain_of
from prunella.telemetry.reading import Domain

SERIES_MAX = 2000
"""Series of one page that are read; a page with more is no page of ours, and must not grow us."""

_SERIES = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})?$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Series(NamedTuple):
    """What stands before the number."""

    metric: str
    labels: dict[str, str]
    domain: Domain


class Exposition:
    r"""Reads one process's pages.

    Args:
        domain: Where series go that are not of the catalogue; without it they are left out.
        wanted: Whether a metric is to be read at all, by its name.
        series_max: How many series are read.

    Example:
        >>> page = Exposition()
        >>> text = '# HELP a x\norders_open{venue="p"} 1.5\nother 2\ntrading_state 0\nbroken\n'
        >>> [(series.metric, series.labels, value) for series, value in page.read(text)]
        [('orders_open', {'venue': 'p'}, 1.5), ('trading_state', {}, 0.0)]
    """

    def __init__(
        self,
        domain: Domain | None = None,
        wanted: Callable[[str], bool] = lambda _metric: True,
        series_max: int = SERIES_MAX,
    ) -> None:
        self._known: dict[str, Series | None] = {}
        self._domain = domain
        self._wanted = wanted
        self._series_max = series_max

    def read(self, text: str) -> list[tuple[Series, float]]:
        """Each sample that the catalogue knows; comments and the unreadable are left out.

        A sample that is not finite is left out too: it says that there is no value.
        """
        samples: list[tuple[Series, float]] = []
        known = self._known
        for line in text.splitlines():
            # The value follows the last blank; exporters of ours give no times.
            head, _, number = line.rpartition(" ") if self._domain is None else _split(line)
            if head in known:
                series = known[head]
            elif len(known) < self._series_max:
                series = known[head] = self._series(head)
            else:
                continue
            if series is None:
                continue
            try:
                value = float(number)
            except ValueError:
                continue
            if math.isfinite(value):
                samples.append((series, value))
        return samples

    def _series(self, head: str) -> Series | None:
        """What a line is about; None for a comment, a bucket and whatever nobody asked for."""
        match = _SERIES.match(head.rstrip())
        if match is None or match[1].endswith("_bucket") or not self._wanted(match[1]):
            return None
        labels = {
            name: re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0]), value)
            for name, value in _LABEL.findall(match[2] or "")
        }
        domain = domain_of(match[1], labels) or self._domain
        return None if domain is None else Series(match[1], labels, domain)


def _split(line: str) -> tuple[str, str, str]:
    """Series and value of a line that may end in a time.

    Example:
        >>> _split('a{b="c } d"} 1.5 1790000000000'), _split("a 2"), _split("# HELP a b")[0]
        (('a{b="c } d"}', ' ', '1.5'), ('a', ' ', '2'), '#')
    """
    head, brace, rest = line.rpartition("}")
    if not brace:
        head, _, rest = line.partition(" ")
    return head + brace, " ", rest.split()[0] if rest.split() else ""
