"""A folder of labelled series in, how good the detector is on each corpus out.

Each series gets a detector of its own with the defaults, which sees one sample after the other.
Corpora whose faults were injected count on their own but not in the mean: their rate of events is
not a natural one.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from prunella.detect import Detector
from prunella.evaluation.detection.corpus import Series, manifest, read
from prunella.evaluation.detection.nab import NabScore, Scores, nab_score
from prunella.evaluation.detection.tally import Flags, Spans, Tally, tally

NAB = "nab"
"""The corpus whose files are those of the Numenta benchmark, which has a score of its own."""

Judge = Callable[[Series], tuple[Scores, Flags]]


class CorpusScore(msgspec.Struct, frozen=True, kw_only=True):
    """How good the detector is on one corpus; see `Tally` for the counts.

    Attributes:
        corpus: Its name.
        natural: Whether it counts in the mean.
        series: How many series it has.
        counts: Events, those found, pages in vain and days, of all series together.
        precision: Share of the calls that were about an event.
        recall: Share of the events that were found.
        f1: Their harmonic mean.
        pages_per_day: Pages in vain for each day and series.
    """

    corpus: str
    natural: bool
    series: int
    counts: Tally
    precision: float
    recall: float
    f1: float
    pages_per_day: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """How good the detector is.

    Attributes:
        corpora: Corpus by corpus.
        f1_mean: Mean over the corpora with a natural rate of events.
        nab: The Numenta score with the best threshold over all files, as that benchmark has it.
        nab_own_alarms: The same with the detector's own alarms.
    """

    corpora: tuple[CorpusScore, ...]
    f1_mean: float
    nab: NabScore | None
    nab_own_alarms: NabScore | None


def judge(series: Series) -> tuple[Scores, Flags]:
    """Scores and alarms of a fresh detector."""
    detector = Detector(series.x.shape[1], series.period_s)
    return detector.update_many(series.t, series.x)


def evaluate(
    folder: Path, *, judge: Judge = judge, tell: Callable[[str], None] = lambda _: None
) -> Evaluation:
    """Runs the detector over every series of the folder.

    Args:
        folder: Labelled series; see `corpus`.
        judge: Scores and alarms of each sample of a series.
        tell: Hears which series is next.

    Raises:
        UsageError: The folder holds no such series; trying again cannot help.
    """
    entries = manifest(folder)
    counts: dict[str, list[Tally]] = {}
    scored: list[tuple[Scores, Spans]] = []
    raised: list[tuple[Scores, Spans]] = []
    for number, entry in enumerate(entries, 1):
        tell(f"{number} of {len(entries)}: {entry.corpus} {entry.id}")
        series = read(folder, entry)
        scores, alarms = judge(series)
        one = tally(alarms, series.t, series.events, warmup=series.warmup)
        counts.setdefault(entry.corpus, []).append(one)
        if entry.corpus == NAB:
            scored.append((scores, series.events))
            raised.append((alarms.astype(float), series.events))
    planted = {entry.corpus for entry in entries if entry.faults}
    corpora = tuple(
        _corpus(name, tallies, natural=name not in planted) for name, tallies in counts.items()
    )
    natural = [one.f1 for one in corpora if one.natural]
    return Evaluation(
        corpora=corpora,
        f1_mean=sum(natural) / len(natural) if natural else 0.0,
        nab=nab_score(scored) if scored else None,
        nab_own_alarms=nab_score(raised) if raised else None,
    )


def _corpus(name: str, tallies: Iterable[Tally], *, natural: bool) -> CorpusScore:
    every = list(tallies)
    total = sum(every, start=Tally())
    return CorpusScore(
        corpus=name,
        natural=natural,
        series=len(every),
        counts=total,
        precision=total.precision,
        recall=total.recall,
        f1=total.f1,
        pages_per_day=total.pages_per_day,
    )
