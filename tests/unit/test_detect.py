"""The detector, the forecast and the reader of tables: what a user gives, and what is told."""

from pathlib import Path

import numpy as np
import pytest
from command_line import run
from prunella.detect import Detector, Forecast, Symptom
from prunella.detect.table import Array, read_table
from prunella.errors import UsageError

RNG = np.random.default_rng(11)
ROWS = 4000
T = np.arange(ROWS) * 60.0
FAULT = 3000


def _first(rows: Array) -> tuple[int, Symptom]:
    """Row and symptom of the first alarm from the fault on."""
    detector = Detector(rows.shape[1], 60.0, [f"m{at}" for at in range(rows.shape[1])])
    detector.update_many(T[:FAULT], rows[:FAULT])
    for row in range(FAULT, ROWS):
        _, alarm = detector.update(float(T[row]), rows[row])
        if alarm:
            return row, detector.explain()
    raise AssertionError("no alarm")


def _noise(width: int = 1) -> Array:
    return np.asarray(50.0 + RNG.normal(size=(ROWS, width)))


def test_spike_is_told_at_once_with_metric_and_onset() -> None:
    """One value far off, among four metrics."""
    rows = _noise(4)
    rows[FAULT, 2] += 25.0
    row, symptom = _first(rows)
    assert (row, symptom.kind, symptom.metric) == (FAULT, "spike", "m2")
    assert symptom.onset_t == T[FAULT]
    assert symptom.contributions[0].value == rows[FAULT, 2]
    assert symptom.contributions[0].share > 0.5
    assert symptom.score > 0.5


def test_silence_of_a_restless_metric_is_told() -> None:
    """A sensor that keeps its last value, and one that sends nothing."""
    for last in (50.0, float("nan")):
        rows = _noise()
        rows[FAULT:] = last
        row, symptom = _first(rows)
        assert (symptom.kind, row - FAULT < 40) == ("silence", True)


def test_burst_of_errors_is_told_as_such() -> None:
    """A count that is 0 nearly always."""
    rows = np.where(RNG.random((ROWS, 1)) < 0.02, 1.0, 0.0)
    rows[FAULT : FAULT + 20] = 40.0
    row, symptom = _first(rows)
    assert (symptom.kind, row - FAULT < 5) == ("burst of errors", True)


def test_what_was_told_is_not_told_again_while_it_lasts() -> None:
    """A level that has moved for good is a handful of alarms in 17 hours, not one a minute."""
    rows = _noise()
    rows[FAULT:] += 30.0
    _, alarms = Detector(1, 60.0).update_many(T, rows)
    assert 1 <= int(alarms[FAULT:].sum()) <= 10


def test_quiet_noise_hardly_raises_an_alarm() -> None:
    """Nothing happens in three days of twenty machines, and hardly anything is told."""
    alarms = [Detector(3, 60.0).update_many(T, _noise(3))[1].sum() for _ in range(20)]
    assert int(np.sum(alarms)) <= 0.5 * 20 * ROWS / 1440


@pytest.mark.parametrize(
    ("metrics", "period", "names"), [(0, 60.0, None), (1, 0.0, None), (2, 60.0, ["one"])]
)
def test_senseless_settings_are_refused(
    metrics: int, period: float, names: list[str] | None
) -> None:
    """Before anything is measured."""
    with pytest.raises(ValueError, match="expected"):
        Detector(metrics, period, names)


def test_forecast_of_a_falling_disk_names_a_time_that_its_interval_holds() -> None:
    """Free space that falls by 0.4 each ten seconds, from 100 to 5."""
    forecast = Forecast(limit=5.0, period_s=10.0, horizon_s=1200.0)
    free = [100.0 - 0.4 * max(at - 200, 0) + 0.2 * RNG.normal() for at in range(437)]
    told = []
    for at, value in enumerate(free):
        outlook = forecast.update(value)
        if outlook is not None and outlook.alarm:
            told.append((at, outlook))
    at, outlook = told[0]
    left_s = (437 - at) * 10.0
    assert at > 200
    assert outlook.earliest_s <= left_s <= outlook.latest_s <= 1200.0


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found 0 lines"),
        ("a,b\n", "found 1 lines"),
        ("1,2\n3,4\n", "line 1: found figures, expected the names"),
        ("a,b\n1,2\n1\n", "line 3: found 1 cells, expected 2"),
        ("a,b\n1,2\n\n1,two\n", "line 4, column 'b': found 'two', expected a number"),
        ("time\n1\n", "expected at least one metric"),
        ("time,a\nnoon,1\n", "line 2, column 'time': found 'noon', expected a time such as"),
        ("time,a\n2,1\n1,1\n", "line 3, column 'time': found a time before"),
    ],
)
def test_bad_table_is_refused_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    """What was found and what was expected, and where."""
    with pytest.raises(UsageError, match=message):
        read_table(_file(tmp_path, text))


def test_times_of_every_usual_form_are_read(tmp_path: Path) -> None:
    """ISO, seconds, milliseconds and nanoseconds of the same two moments; an empty cell."""
    for cells in (
        ("2026-01-01T00:00:00Z", "2026-01-01 00:05:00"),
        ("1767225600", "1767225900"),
        ("1767225600000", "1767225900000"),
        ("1767225600000000000", "1767225900000000000"),
    ):
        table = read_table(_file(tmp_path, f"cpu,Time\n1.5,{cells[0]}\n,{cells[1]}\n"))
        assert table.t.tolist() == [1767225600.0, 1767225900.0]
        assert (table.period_s, table.metrics, table.dated) == (300.0, ("cpu",), True)
        assert np.isnan(table.rows[1, 0])


def _spiky(tmp_path: Path) -> Path:
    rows = _noise()
    rows[FAULT] += 25.0
    lines = [f"{int(t)},{value:.4f}" for t, value in zip(T, rows[:, 0], strict=True)]
    return _file(tmp_path, "\n".join(["t,latency", *lines]))


def test_command_tells_the_row_and_draws_it(tmp_path: Path) -> None:
    """For machines as JSON, and a picture that needs no network."""
    plot = tmp_path / "out.html"
    said = run("detect", str(_spiky(tmp_path)), "--json", "--plot", str(plot), home=tmp_path)
    assert said.status == 0, said.err
    alarms = said.json["alarms"]
    assert (FAULT, "latency") in [(one["row"], one["symptom"]["metric"]) for one in alarms]
    assert "latency" in plot.read_text(encoding="utf-8")


def test_command_on_a_missing_file_says_so_without_a_trace(tmp_path: Path) -> None:
    """A sentence and a code, no stack."""
    said = run("detect", str(tmp_path / "none.csv"), home=tmp_path)
    assert said.status != 0
    assert "none.csv" in said.err
    assert "Traceback" not in said.err
