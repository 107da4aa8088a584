"""Faults, arms, severities and repeats in; the sessions to run out, the same for the same seed."""

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from prunella.errors import UsageError
from prunella.evaluation.arm import ARMS
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.fault.base import Fault
from prunella.evaluation.trial.records import Wanted

SESSION_EPISODES = 8
"""A stack's life: long enough that its start is not most of it, short enough to lose little."""

QUICK_FAULTS = (
    "engine-crash",
    "venue-freeze",
    "order-path-overload",
    "market-burst",
    "cpu-hog",
    "planned-restart",
)
"""At least one of each domain, and negatives."""
QUICK_ARMS = ("nothing", "oracle", "expert")
"""The two that prove the scorer, and the one that is delivered."""


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long everything takes, in seconds.

    Attributes:
        warm_up: Healthy trading before a session's first episode.
        stretch: Healthy trading between episodes.
        budget: How long a fault may take to be cured.
        hold: For how long its harm must stay away to call it cured.
    """

    warm_up: float = 12.0
    stretch: float = 5.0
    budget: float = 30.0
    hold: float = 10.0


QUICK = Pace(warm_up=6.0, stretch=1.0, budget=12.0, hold=2.0)


class PlannedSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One life of a stack to be.

    Attributes:
        needs: What its stack must be prepared with.
    """

    arm: str
    number: int
    seed: int
    needs: tuple[str, ...]
    wanted: tuple[Wanted, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole trial.

    Attributes:
        held_out: Fault classes that were not to be looked at while anything was tuned.
    """

    seed: int
    pace: Pace
    sessions: tuple[PlannedSession, ...]
    held_out: tuple[str, ...] = ()
    quick: bool = False


def make_plan(
    *,
    arms: Sequence[str],
    faults: Sequence[str],
    repeats: int,
    seed: int,
    pace: Pace,
    severities: Sequence[int] = (1, 2, 3),
    held_out: Sequence[str] = (),
    quick: bool = False,
) -> Plan:
    """The sessions of a trial.

    Every arm gets the same episodes in the same order; the order is shuffled by the seed, so that
    no fault always comes after the same one.

    Raises:
        UsageError: An arm, a fault or a class that is not there; the message names those that are.
    """
    known_arms = chosen(ARMS, arms, "arm")
    known = [FAULTS[name] for name in chosen(FAULTS, faults, "fault")]
    classes = {each.fault_class for each in known} - {""}
    for name in held_out:
        if name not in classes:
            raise UsageError(f"no fault of class {name!r}; there are: {', '.join(sorted(classes))}")
    draw = random.Random(seed)  # noqa: S311 - an order of play, not a secret
    groups: dict[tuple[str, ...], list[Wanted]] = {}
    for fault in known:
        groups.setdefault(tuple(sorted(fault.needs)), []).extend(
            _episodes(fault, repeats, severities)
        )
    batches: list[tuple[tuple[str, ...], tuple[Wanted, ...]]] = []
    for needs, wanted in sorted(groups.items()):
        if not quick:
            draw.shuffle(wanted)
        size = len(wanted) if quick else SESSION_EPISODES
        batches += [(needs, tuple(wanted[i : i + size])) for i in range(0, len(wanted), size)]
    return Plan(
        seed=seed,
        pace=pace,
        held_out=tuple(held_out),
        quick=quick,
        sessions=tuple(
            PlannedSession(arm=arm, number=number, seed=seed + number, needs=needs, wanted=wanted)
            for number, (needs, wanted) in enumerate(batches)
            for arm in known_arms
        ),
    )


def _episodes(fault: Fault, repeats: int, severities: Sequence[int]) -> Iterable[Wanted]:
    """A fault that knows one severity is repeated as often as one that knows them all."""
    asked = [each for each in fault.severities if each in severities] or fault.severities[-1:]
    times = repeats * len(severities)
    return (
        Wanted(fault=fault.name, severity=asked[i % len(asked)], repeat=i // len(asked))
        for i in range(times)
    )


def chosen(table: Mapping[str, object], names: Sequence[str], what: str) -> list[str]:
    """The names, in the table's order; all of them when none is given.

    Raises:
        UsageError: One is not in the table.
    """
    for name in names:
        if name not in table:
            raise UsageError(f"no {what} {name!r}; there are: {', '.join(table)}")
    return [name for name in table if name in names or not names]
