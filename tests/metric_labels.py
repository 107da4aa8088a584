"""Metrics in, the labels that the table of metrics does not list for them out."""

from prunella.telemetry import Reading
from prunella.telemetry.catalogue import METRICS
from prunella.telemetry.exposition import Exposition, Series


def unlisted_labels(series: Reading | Series) -> set[str]:
    """Labels beyond those of the metric's row; a histogram's parts have the histogram's."""
    name = series.metric
    for suffix in ("_sum", "_count"):
        if name not in METRICS:
            name = name.removesuffix(suffix)
    return set(series.labels) - set(METRICS[name].labels.split())


def unlisted_on(page: str) -> dict[str, set[str]]:
    """The same over a process's metrics page, by metric."""
    series = [each for each, _value in Exposition().read(page)]
    assert series, "the page holds no metric of the table"
    return {each.metric: found for each in series if (found := unlisted_labels(each))}
