"""Prometheus text in, samples out: the subset that exporters write, read fast.

A histogram's buckets are left out: a detector reads its `_sum` and `_count`, and a hundred buckets
ten times a second would be most of the work.
"""

import re
from collections.abc import Iterator

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? +(\S+)(?: +-?\d+)?$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    r"""Metric, labels and value of each sample; comments, buckets and the unreadable left out.

    Example:
        >>> list(samples('# HELP a x\na{venue="p"} 1.5\nb_bucket{le="1"} 2\nc 3'))
        [('a', {'venue': 'p'}, 1.5), ('c', {}, 3.0)]
    """
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match is None or match[1].endswith("_bucket"):
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        yield match[1], _labels(match[2]) if match[2] else {}, value


def _labels(text: str) -> dict[str, str]:
    return {
        name: re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0]), value) if "\\" in value else value
        for name, value in _LABEL.findall(text)
    }
