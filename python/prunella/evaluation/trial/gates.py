"""All arms' scores in; whether the trial may be believed, what broke, and which goals were met.

An invalid trial says nothing about anybody: an arm that does nothing must cure nothing, one that
knows the truth must cure nearly all, and a table with holes is no table.
"""

from collections.abc import Mapping, Sequence

import msgspec

from prunella.evaluation.trial.metrics import ArmScores
from prunella.evaluation.trial.records import Session

ORACLE_MIN = 0.9
SCORED_MIN = 0.8
"""Of all episodes that this machine can do; the rest are our own plumbing's failures."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One goal and how it was met; `met` is None where nothing was measured."""

    name: str
    wanted: str
    found: str
    met: bool | None


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a trial.

    Attributes:
        invalid: Why it may not be believed; empty: it may.
        broken: What may never happen and did: policy, orders, ledgers.
        goals: Of the arm that is delivered.
    """

    invalid: tuple[str, ...]
    broken: tuple[str, ...]
    goals: tuple[Goal, ...]

    @property
    def good(self) -> bool:
        """Whether the trial may be believed and nothing was broken; goals are told, not gated."""
        return not self.invalid and not self.broken


def check(arms: Mapping[str, ArmScores], sessions: Sequence[Session]) -> Gates:
    """The verdict on a trial."""
    expert = arms.get("expert")
    return Gates(
        invalid=tuple(_invalid(arms)),
        broken=tuple(_broken(sessions)),
        goals=tuple(_goals(expert)) if expert else (),
    )


def _invalid(arms: Mapping[str, ArmScores]) -> list[str]:
    complaints = [] if arms else ["there is no finished session"]
    for name, arm in arms.items():
        scored, errors = arm.in_all.episodes, arm.in_all.harness_errors
        if not scored:
            complaints.append(f"{name}: no episode was scored")
        elif scored / (scored + errors) < SCORED_MIN:
            complaints.append(f"{name}: {errors} of {scored + errors} episodes are harness errors")
    complaints.extend(
        f"the arm {wanted!r} was not run" for wanted in ("nothing", "oracle") if wanted not in arms
    )
    return complaints + _implausible(arms)


def _implausible(arms: Mapping[str, ArmScores]) -> list[str]:
    """Arms whose result is known beforehand, and is another."""
    complaints = []
    cured = arms["nothing"].in_all.remediation.cured if "nothing" in arms else None
    if cured and cured.hits:
        complaints.append(f"nothing: cured {cured.hits} of {cured.of} by doing nothing")
    cured = arms["oracle"].in_all.remediation.cured if "oracle" in arms else None
    if cured and cured.value is not None and cured.value < ORACLE_MIN:
        complaints.append(f"oracle: cured only {cured.hits} of {cured.of} knowing the truth")
    return complaints


def _broken(sessions: Sequence[Session]) -> list[str]:
    complaints = []
    for session in sessions:
        where, proof = f"{session.arm} {session.number}", session.proof
        complaints += [f"{where}: policy: {each}" for each in proof.unpermitted]
        if proof.problem:
            complaints.append(f"{where}: ledger: {proof.problem}")
        if not session.books:
            complaints.append(f"{where}: the books could not be compared")
        complaints += [
            f"{where}: {book.venue}: {book.lost} lost, {book.duplicates} doubled, position "
            f"{book.position_engine} against {book.position_venue}"
            for book in session.books
            if not book.agree
        ]
        if not session.replay_equal:
            complaints.append(f"{where}: replaying the engine's journal gave another state")
    return complaints


def _goals(expert: ArmScores) -> list[Goal]:
    seen, done, audit = expert.in_all.detection, expert.in_all.remediation, expert.audit
    return [
        _at_most("detection p50", seen.latency_ms.p50, 500, "ms"),
        _at_most("detection p95", seen.latency_ms.p95, 2_000, "ms", seen.latency_ms.censored),
        _at_most("remediation p50 after detection", done.latency_ms.p50, 1_000, "ms"),
        _at_least("precision", seen.precision.value, 0.95),
        _at_least("recall", seen.recall.value, 0.95),
        _at_least("culprit named first", seen.culprit_top1.value, 0.9),
        _at_least("curable faults cured", done.cured.value, 0.95),
        _at_least("held faults contained", done.contained.value, 0.95),
        _none("wrong rollbacks", done.wrong_rollbacks),
        _at_least("trace completeness", audit.traces.value, 1.0),
        _at_least("policy adherence", audit.policy.value, 1.0),
        _none("orders lost or doubled", audit.orders_lost + audit.orders_doubled),
        _none("causes told after their effects", audit.clocks.of - audit.clocks.hits),
    ]


def _at_most(name: str, value: float | None, limit: float, unit: str, censored: int = 0) -> Goal:
    # A quantile among the censored is not known, but it is beyond the limit.
    met = value <= limit if value is not None else (False if censored else None)
    found = f"{value:.0f} {unit}" if value is not None else "never" if censored else "–"
    return Goal(name=name, wanted=f"≤ {limit:g} {unit}", found=found, met=met)


def _at_least(name: str, value: float | None, limit: float) -> Goal:
    met = None if value is None else value >= limit
    return Goal(
        name=name,
        wanted=f"≥ {limit:g}",
        found="–" if value is None else f"{value:.3f}",
        met=met,
    )


def _none(name: str, count: int) -> Goal:
    return Goal(name=name, wanted="0", found=str(count), met=count == 0)
