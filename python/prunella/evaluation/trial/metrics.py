"""An arm's sessions in; the nine metrics with their intervals out, per fault class and in all.

The definitions, one for each: detection latency (physical effect to first symptom), remediation
latency (first symptom to first answered act, and effect to lasting cure), agent throughput
(readings a second and per second of processor time), detection precision and recall, remediation
success, rollback frequency, trace completeness, policy adherence, time synchronisation integrity.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from prunella.evaluation.trial.interval import Rate, Spread, rate, spread
from prunella.evaluation.trial.judge import Judgement, judge, planned
from prunella.evaluation.trial.records import Session


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """How well and how fast faults are seen.

    Attributes:
        latency_ms: From the physical effect; the undetected are censored.
        precision: Of all alarms, those about something that was injected.
        recall: Of all faults, those with an alarm about them.
        culprit_top1: Of all faults that were detected, those whose culprit is named first.
        cause_top1: And whose class is right too.
        false_alarms_per_hour: While nothing was injected, or a negative was.
    """

    latency_ms: Spread
    precision: Rate
    recall: Rate
    culprit_top1: Rate
    cause_top1: Rate
    false_alarms_per_hour: float | None


class Remediation(msgspec.Struct, frozen=True, kw_only=True):
    """What is done, and what it is worth.

    Attributes:
        latency_ms: From the first symptom to the first act that was answered.
        recovery_ms: From the physical effect to the harm's lasting end; the uncured are censored.
        cured: Of the curable faults, those cured with nothing wrong done.
        contained: Of the held faults, those contained (or rightly told) with nothing wrong done.
        wrong_acts: Remediations of somebody else, by a wrong workflow, or of nothing at all.
        rollbacks: Of all remediations, those undone.
        healthy_after: Of all episodes, those after which the stack was healthy again.
    """

    latency_ms: Spread
    recovery_ms: Spread
    cured: Rate
    contained: Rate
    wrong_acts: int
    rollbacks: Rate
    wrong_rollbacks: int
    healthy_after: Rate


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledgers and the books say.

    Attributes:
        policy: Of all acts, those with a fitting permission.
        traces: Of all incidents, those whose records lead from evidence to end.
        clocks: Of all causes and effects in two processes, those in order.
        ledgers: Sessions whose ledger verifies.
        replays: Sessions whose engine journal replays to the same state.
        books: Venues whose books agree with ours.
        orders_lost: And orders that were doubled.
    """

    policy: Rate
    traces: Rate
    clocks: Rate
    ledgers: Rate
    replays: Rate
    books: Rate
    orders_lost: int
    orders_doubled: int


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """How much the agents take in."""

    readings_per_second: float | None
    readings_per_cpu_second: float | None


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """An arm's nine metrics over some of its episodes."""

    episodes: int
    skipped: int
    harness_errors: int
    detection: Detection
    remediation: Remediation


class ArmScores(msgspec.Struct, frozen=True, kw_only=True):
    """An arm's column.

    Attributes:
        by_class: Per fault class, and `negative`.
        by_domain: Per domain.
        confusion: How often which class was told, by true class; `nothing` when none was.
    """

    arm: str
    seconds: float
    in_all: Scores
    by_class: dict[str, Scores]
    by_domain: dict[str, Scores]
    held_out: Scores | None
    confusion: dict[str, dict[str, int]]
    audit: Audit
    throughput: Throughput


def arm_scores(
    arm: str, sessions: Sequence[Session], *, held_out: Iterable[str] = (), seed: int = 0
) -> ArmScores:
    """All metrics of one arm."""
    episodes = [each for session in sessions for each in session.episodes]
    judged = [judge(each) for each in episodes if each.outcome == "scored"]
    calm = sum(not planned(each) for session in sessions for each in session.calm)
    calm_s = sum(session.calm_s for session in sessions) + sum(
        (each.reverted_ns - each.commanded_ns) / 1e9
        for each, judgement in zip(
            (e for e in episodes if e.outcome == "scored"), judged, strict=True
        )
        if judgement.kind == "negative"
    )
    skipped = sum(each.outcome == "skipped" for each in episodes)
    errors = sum(each.outcome == "harness error" for each in episodes)
    apart = set(held_out)
    return ArmScores(
        arm=arm,
        seconds=round(sum(sum(each.phases_s.values()) for each in sessions), 1),
        in_all=_scores(judged, calm, calm_s, skipped=skipped, errors=errors, seed=seed),
        by_class={
            name: _scores([j for j in judged if (j.fault_class or "negative") == name], seed=seed)
            for name in sorted({j.fault_class or "negative" for j in judged})
        },
        by_domain={
            name: _scores([j for j in judged if j.domain == name], seed=seed)
            for name in sorted({j.domain for j in judged})
        },
        held_out=_scores([j for j in judged if j.fault_class in apart], seed=seed)
        if apart
        else None,
        confusion=_confusion(judged),
        audit=_audit(sessions),
        throughput=_throughput(sessions),
    )


def _scores(
    judged: Sequence[Judgement],
    calm: int = 0,
    calm_s: float = 0.0,
    *,
    skipped: int = 0,
    errors: int = 0,
    seed: int,
) -> Scores:
    faults = [each for each in judged if each.kind != "negative"]
    return Scores(
        episodes=len(judged),
        skipped=skipped,
        harness_errors=errors,
        detection=_detection(judged, faults, calm, calm_s, seed),
        remediation=_remediation(judged, faults, seed),
    )


def _detection(
    judged: Sequence[Judgement], faults: Sequence[Judgement], calm: int, calm_s: float, seed: int
) -> Detection:
    seen = [each for each in faults if each.detected]
    false = calm + sum(each.false_alarms for each in judged)
    quiet = calm + sum(each.false_alarms for each in judged if each.kind == "negative")
    return Detection(
        latency_ms=spread(
            [each.detection_ms for each in seen if each.detection_ms is not None],
            censored=len(faults) - len(seen),
            seed=seed,
        ),
        precision=rate(len(seen), len(seen) + false),
        recall=rate(len(seen), len(faults)),
        culprit_top1=rate(sum(each.culprit_right for each in seen), len(seen)),
        cause_top1=rate(sum(each.class_right for each in seen), len(seen)),
        false_alarms_per_hour=round(quiet * 3600 / calm_s, 2) if calm_s else None,
    )


def _remediation(
    judged: Sequence[Judgement], faults: Sequence[Judgement], seed: int
) -> Remediation:
    state = [each for each in faults if each.kind == "state"]
    held = [each for each in faults if each.kind == "held"]
    acts = sum(each.acts for each in judged)
    recovered = [
        each.recovery_ms for each in state if each.success and each.recovery_ms is not None
    ]
    return Remediation(
        latency_ms=spread([e.acted_ms for e in faults if e.acted_ms is not None], seed=seed),
        recovery_ms=spread(recovered, censored=len(state) - len(recovered), seed=seed),
        cured=rate(sum(each.success is True for each in state), len(state)),
        contained=rate(sum(each.success is True for each in held), len(held)),
        wrong_acts=sum(each.wrong_acts for each in judged),
        rollbacks=rate(min(acts, sum(each.rollbacks for each in judged)), acts),
        wrong_rollbacks=sum(each.wrong_rollbacks for each in judged),
        healthy_after=rate(sum(each.aftermath for each in judged), len(judged)),
    )


def _confusion(judged: Iterable[Judgement]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for each in judged:
        told = each.told_class or ("false alarm" if each.false_alarms else "nothing")
        counted.setdefault(each.fault_class or "negative", Counter())[told] += 1
    return {truth: dict(sorted(told.items())) for truth, told in sorted(counted.items())}


def _audit(sessions: Sequence[Session]) -> Audit:
    proofs = [each.proof for each in sessions]
    books = [book for each in sessions for book in each.books]
    acts, traces = sum(each.acts for each in proofs), sum(each.traces for each in proofs)
    pairs = sum(each.pairs for each in proofs)
    return Audit(
        policy=rate(acts - sum(len(each.unpermitted) for each in proofs), acts),
        traces=rate(traces - sum(len(each.incomplete) for each in proofs), traces),
        clocks=rate(pairs - sum(len(each.disordered) for each in proofs), pairs),
        ledgers=rate(sum(not each.problem for each in proofs), len(proofs)),
        replays=rate(sum(each.replay_equal for each in sessions), len(sessions)),
        books=rate(sum(each.agree for each in books), len(books)),
        orders_lost=sum(each.lost for each in books),
        orders_doubled=sum(each.duplicates for each in books),
    )


def _throughput(sessions: Sequence[Session]) -> Throughput:
    readings = sum(each.work.readings for each in sessions)
    seconds = sum(each.work.seconds for each in sessions)
    cpu_seconds = sum(each.work.cpu_seconds for each in sessions)
    return Throughput(
        readings_per_second=round(readings / seconds, 1) if seconds else None,
        readings_per_cpu_second=round(readings / cpu_seconds, 1) if cpu_seconds else None,
    )
