"""The scorers of detection on hand-made cases, whose answers were computed by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from prunella.errors import UsageError
from prunella.evaluation.detection.corpus import Series
from prunella.evaluation.detection.evaluate import evaluate
from prunella.evaluation.detection.nab import Scores, nab_score, probation, scaled_sigmoid
from prunella.evaluation.detection.tally import Flags, Spans, Tally, tally

MINUTE, HOUR = 60, 3600


def _flags(length: int, *at: int) -> Flags:
    return np.isin(np.arange(length), at)


def _spans(*spans: tuple[int, int]) -> Spans:
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


def _count(*alarms: int, events: Spans, step_s: int = MINUTE, warmup: int = 0) -> Tally:
    t = np.arange(200, dtype=np.int64) * step_s
    return tally(_flags(200, *alarms), t, events, warmup=warmup)


@pytest.mark.parametrize(("alarm", "found"), [(46, 0), (47, 1), (50, 1), (55, 1), (58, 1), (59, 0)])
def test_alarm_up_to_three_samples_beside_an_event_finds_it(alarm: int, found: int) -> None:
    """The window of 50 to 55 reaches from 47 to 58; beyond, the alarm is a page."""
    counts = _count(alarm, events=_spans((50, 55)))
    assert (counts.events, counts.found, counts.pages) == (1, found, 1 - found)


def test_many_alarms_in_one_event_count_once() -> None:
    """One event is one finding, whoever repeats it."""
    counts = _count(50, 51, 52, 54, events=_spans((50, 55)))
    assert (counts.found, counts.pages, counts.precision, counts.f1) == (1, 0, 1.0, 1.0)


def test_one_alarm_between_two_close_events_finds_both() -> None:
    """The tolerances overlap at 56 and 57."""
    assert _count(56, events=_spans((50, 53), (59, 62))).found == 2


def test_pages_within_an_hour_of_the_first_are_one() -> None:
    """Minutes 0 to 60 are one page; 61 opens the next, which covers up to 121."""
    assert _count(0, 30, 60, events=_spans()).pages == 1
    assert _count(0, 30, 60, 61, 121, events=_spans()).pages == 2
    assert _count(*range(181), events=_spans()).pages == 3


def test_nothing_before_the_warm_up_counts() -> None:
    """Neither an event that begins before it nor an alarm."""
    counts = _count(10, 99, 150, events=_spans((98, 104), (150, 151)), warmup=100)
    assert (counts.events, counts.found, counts.pages) == (1, 1, 0)


def test_tail_of_an_event_that_began_before_the_warm_up_is_no_page() -> None:
    """Something is wrong there; nobody is called in vain."""
    counts = _count(103, events=_spans((98, 104)), warmup=100)
    assert (counts.events, counts.found, counts.pages) == (0, 0, 0)


def test_counts_are_pooled_before_rates_are_taken() -> None:
    """2 of 4 found with 2 pages: precision 1/2, recall 1/2; days add up over series."""
    total = Tally(events=1, found=1, pages=2, days=1.5) + Tally(events=3, found=1, days=2.5)
    assert (total.precision, total.recall, total.f1) == (0.5, 0.5, 0.5)
    assert total.pages_per_day == 0.5


def test_days_are_those_after_the_warm_up() -> None:
    """From sample 80 to sample 199 in hours: 119 hours."""
    assert _count(events=_spans(), step_s=HOUR, warmup=80).days == pytest.approx(119 / 24)


def _row(length: int, **scores: float) -> Scores:
    made = np.zeros(length)
    for at, score in scores.items():
        made[int(at.removeprefix("at"))] = score
    return made


def test_first_row_of_every_window_and_nothing_else_earns_100() -> None:
    """Perfection, by definition."""
    score = nab_score([(_row(100, at40=0.9, at70=0.8), _spans((40, 49), (70, 79)))])
    assert score.score == pytest.approx(100.0)
    assert (score.found, score.windows, score.false_alarms) == (2, 2, 0)
    assert score.threshold == 0.8


def test_silence_earns_nothing() -> None:
    """Rows that all have the same score cannot be told apart."""
    score = nab_score([(np.zeros(100), _spans((40, 49)))])
    assert (score.score, score.threshold) == (0.0, math.inf)


def test_late_finding_and_false_alarms_cost_what_the_sigmoid_says() -> None:
    """One window of 10 rows, found at its sixth, one false alarm before and one behind.

    In the window: position -(49 - 45 + 1) / 10 = -0.5, so sigma(-0.5) / sigma(-1). Before any
    window: -0.11. Behind: (54 - 49) / 9 widths, so 0.11 sigma(5/9). Sum s; score 100 (s + 1) / 2.
    """
    scores = _row(100, at45=0.7, at20=0.9, at54=0.8)
    inside = math.tanh(1.25) / math.tanh(2.5)  # sigma(x) = -tanh(2.5 x)
    behind = -0.11 * math.tanh(2.5 * 5 / 9)
    score = nab_score([(scores, _spans((40, 49)))])
    assert score.score == pytest.approx(100 * (inside - 0.11 + behind + 1) / 2)
    assert (score.threshold, score.false_alarms) == (0.7, 2)


def test_window_earns_by_its_earliest_row_beyond_the_threshold() -> None:
    """A later, louder row adds nothing to an earlier one, and takes nothing away."""
    both = nab_score([(_row(100, at41=0.7, at45=0.9), _spans((40, 49)))])
    early = nab_score([(_row(100, at41=0.7), _spans((40, 49)))])
    assert both.score == pytest.approx(early.score)


def test_threshold_is_left_high_where_lowering_it_costs_more_than_it_earns() -> None:
    """The second window could be had for 20 false alarms of 0.11; it earns 2 at most."""
    noise = {f"at{at}": 0.5 for at in range(20, 40)}
    scores = _row(100, at45=0.9, at71=0.5, **noise)
    score = nab_score([(scores, _spans((45, 49), (70, 74)))])
    assert (score.found, score.false_alarms, score.threshold) == (1, 0, 0.9)


def test_probation_counts_for_nothing() -> None:
    """Of 100 rows the first 15: neither a false alarm there nor a window costs."""
    scores = _row(100, at3=0.9, at14=0.9, at40=0.9)
    score = nab_score([(scores, _spans((2, 9), (40, 49)))])
    assert score.score == pytest.approx(100.0)
    assert (score.windows, score.false_alarms) == (1, 0)
    assert (probation(100), probation(15_902)) == (15, 750)


def test_far_behind_a_window_a_false_alarm_costs_the_whole_weight() -> None:
    """From three widths on."""
    assert scaled_sigmoid(3.01) == -1.0
    assert scaled_sigmoid(-1.0) == pytest.approx(math.tanh(2.5))


def _folder(tmp_path: Path, *entries: dict[str, object]) -> Path:
    rows = np.zeros((200, 1))
    for entry in entries:
        path = tmp_path / str(entry["file"])
        path.parent.mkdir(exist_ok=True)
        t, spans = np.arange(200) * HOUR, _spans((100, 103))
        np.savez(path, t=t, x=rows, events=spans, warmup=20, period_s=3600.0)
    (tmp_path / "manifest.json").write_text(json.dumps(entries), encoding="utf-8")
    return tmp_path


def test_mean_is_over_the_corpora_whose_faults_nobody_injected(tmp_path: Path) -> None:
    """a: found without a page, F1 1; b: missed, F1 0; c: injected, not in the mean."""
    folder = _folder(
        tmp_path,
        {"id": "one", "corpus": "a", "file": "one.npz", "further": [1]},
        {"id": "two", "corpus": "b", "file": "two.npz"},
        {"id": "three", "corpus": "c", "file": "three.npz", "faults": [[3, "pod", "cpu"]]},
    )

    def judge(series: Series) -> tuple[Scores, Flags]:
        alarms = _flags(200, 102) if series.corpus != "b" else _flags(200)
        return alarms.astype(float), alarms

    found = evaluate(folder, judge=judge)
    assert [(one.corpus, one.f1, one.natural) for one in found.corpora] == [
        ("a", 1.0, True),
        ("b", 0.0, True),
        ("c", 1.0, False),
    ]
    assert found.f1_mean == 0.5
    assert found.nab is None


def test_folder_without_manifest_is_refused_with_its_path(tmp_path: Path) -> None:
    """The message names the missing file."""
    with pytest.raises(UsageError, match=r"manifest\.json is missing"):
        evaluate(tmp_path)


def test_archive_without_an_array_is_refused_by_name(tmp_path: Path) -> None:
    """The message names the file and the array."""
    folder = _folder(tmp_path, {"id": "one", "corpus": "a", "file": "one.npz"})
    np.savez(folder / "one.npz", t=np.arange(3), x=np.zeros(3))
    with pytest.raises(UsageError, match=r"one\.npz: expected an array 'events'"):
        evaluate(folder)
