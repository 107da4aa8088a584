"""A table and what was found in it in, one HTML file that needs no network out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from plotly.subplots import make_subplots

from prunella.detect import Symptom
from prunella.detect.table import Array, Table
from prunella.errors import UsageError

METRICS_MAX = 12
"""More rows than this cannot be read; those with the most alarms are drawn."""


def write_plot(
    table: Table, scores: Array, alarms: Sequence[tuple[int, Symptom]], path: Path
) -> None:
    """Draws the score, the loudest metrics, and a mark at each alarm.

    Raises:
        UsageError: The file cannot be written.
    """
    times = [datetime.fromtimestamp(t, tz=UTC) for t in table.t] if table.dated else table.t
    counts = {name: sum(one.metric == name for _, one in alarms) for name in table.metrics}
    drawn = sorted(table.metrics, key=lambda name: -counts[name])[:METRICS_MAX]
    figure = make_subplots(
        rows=1 + len(drawn), cols=1, shared_xaxes=True, subplot_titles=("score", *drawn)
    )
    figure.add_scatter(x=times, y=scores, name="score", row=1, col=1)
    for place, name in enumerate(drawn, 2):
        column = table.rows[:, table.metrics.index(name)]
        figure.add_scatter(x=times, y=column, name=name, row=place, col=1)
        told = [(row, one) for row, one in alarms if one.metric == name]
        figure.add_scatter(
            x=[times[row] for row, _ in told],
            y=[column[row] for row, _ in told],
            mode="markers",
            marker={"color": "red", "size": 9, "symbol": "x"},
            text=[one.kind for _, one in told],
            name=f"{name}: alarms",
            row=place,
            col=1,
        )
    figure.update_layout(title=f"{len(alarms)} alarms", height=260 * (1 + len(drawn)))
    try:
        figure.write_html(path, include_plotlyjs=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error}") from None
