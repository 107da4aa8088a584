"""Every detector of the shelf is held to the same promises."""

import doctest
import importlib
import random
from collections.abc import Callable, Iterator

import msgspec
import pytest
from prunella.healing.detect import DETECTORS, Detector, Series, builder
from prunella.healing.incident import Symptom, Watch
from prunella.telemetry import Reading

ROUND_NS = 100_000_000
QUIET_ROUNDS = 3000
SEEDS = (11, 12, 13)
Values = Callable[[random.Random, int], dict[str, float]]
"""Random source and round number in, one value per outcome label (empty: no label) out."""


class Case(msgspec.Struct, kw_only=True):
    """How a detector is tried: its options, a quiet series, its own fault, and its stated delay."""

    options: dict[str, float | str | tuple[str, ...]]
    kind: str
    quiet: Values
    fault: Values
    delay_s: float


CASES = {
    "absence": Case(
        options={"misses": 3},
        kind="absence",
        quiet=lambda _r, i: {"": float(i % 200 not in {7, 8})},
        fault=lambda _r, _i: {"": 0.0},
        delay_s=0.3,
    ),
    "overdue": Case(
        options={"limit_s": 0.5},
        kind="silence",
        quiet=lambda r, _: {"": r.uniform(0, 0.3)},
        fault=lambda _r, i: {"": 0.1 * i},
        delay_s=0.7,
    ),
    "stall": Case(
        options={"limit_s": 1.0},
        kind="silence",
        quiet=lambda r, i: {"": i * 4.0 + r.randrange(3)},
        fault=lambda _r, _i: {"": QUIET_ROUNDS * 4.0},
        delay_s=1.3,
    ),
    "saturation": Case(
        options={"limit": 0.8},
        kind="saturation",
        quiet=lambda r, _: {"": min(1.0, r.gauss(0.4, 0.1))},
        fault=lambda r, _: {"": r.uniform(0.9, 1.0)},
        delay_s=0.8,
    ),
    "shift": Case(
        options={"rise_min": 0.08, "scale_min": 0.01},
        kind="shift",
        quiet=lambda r, _: {"": max(0.0, r.gauss(0.03, 0.01)) + (0.3 if r.random() < 0.003 else 0)},
        fault=lambda r, _: {"": max(0.0, r.gauss(0.3, 0.05))},
        delay_s=0.6,
    ),
    "spike": Case(
        options={"floor": 0.05, "scale_min": 0.002},
        kind="spike",
        quiet=lambda r, _: {"": r.expovariate(200.0)},
        fault=lambda r, _: {"": r.uniform(0.2, 0.4)},
        delay_s=0.2,
    ),
    "error_burst": Case(
        options={"failures": ("throttled",), "name": "overload"},
        kind="error_burst",
        quiet=lambda _r, i: {"ok": i * 1.0, "throttled": i // 40},
        fault=lambda _r, i: {"ok": QUIET_ROUNDS + i * 0.5, "throttled": QUIET_ROUNDS // 40 + i},
        delay_s=0.9,
    ),
}


class Trial:
    """One detector with its case, fed round by round."""

    def __init__(self, name: str, seed: int) -> None:
        self.case = CASES[name]
        self.random = random.Random(seed)
        self.detector: Detector = builder(
            Watch(detector=name, metric="m", options=self.case.options)
        )(Series(domain="cpu", metric="m", entity="e"))
        self.round = 0

    def feed(self, values: Values, number: int) -> Iterator[Symptom]:
        """One round; what the detector says."""
        now_ns = 1_000_000_000_000 + self.round * ROUND_NS
        self.round += 1
        for outcome, value in values(self.random, number).items():
            labels = {"outcome": outcome} if outcome else {}
            reading = Reading(
                metric="m",
                entity="e",
                value=value,
                labels=labels,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )
            told = self.detector.update(reading, now_ns)
            if told is not None:
                yield told
        told = self.detector.check(now_ns)
        if told is not None:
            yield told

    def quiet(self, rounds: int = QUIET_ROUNDS) -> list[Symptom]:
        """So many rounds of nothing wrong."""
        return [each for i in range(rounds) for each in self.feed(self.case.quiet, i)]

    def fault(self, rounds: int) -> list[Symptom]:
        """So many rounds of its own fault."""
        return [each for i in range(1, rounds + 1) for each in self.feed(self.case.fault, i)]


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def seed(request: pytest.FixtureRequest) -> int:
    """A seed, printed so that a failure can be run again."""
    chosen: int = request.param
    print(f"seed {chosen}: pytest tests/conformance/test_detectors.py -k 'seed{chosen}'")  # noqa: T201
    return chosen


def test_every_detector_of_the_shelf_is_tried_here() -> None:
    """A new detector cannot be added without a case."""
    assert set(CASES) == set(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_quiet_series_raises_nothing(name: str, seed: int) -> None:
    """Five minutes of noise, with the odd outlier, are silent."""
    assert Trial(name, seed).quiet() == []


@pytest.mark.parametrize("name", DETECTORS)
def test_own_fault_is_raised_within_the_stated_delay(name: str, seed: int) -> None:
    """It fires on what it is for, once, with the kind that it states."""
    trial = Trial(name, seed)
    trial.quiet()
    rounds = round(trial.case.delay_s * 10)
    told = trial.fault(rounds)
    assert [each.kind for each in told if each.active][:1] == [trial.case.kind]
    first = told[0]
    assert first.score >= 1.0
    assert first.onset_ns <= first.detected_ns
    assert len(trial.fault(60)) <= 12


@pytest.mark.parametrize("name", DETECTORS)
def test_end_of_the_fault_ends_the_symptom(name: str, seed: int) -> None:
    """Back to normal gives exactly one inactive symptom."""
    trial = Trial(name, seed)
    if name == "stall":
        trial.quiet()
        trial.fault(20)
        told = [e for i in range(60) for e in trial.feed(lambda _r, n: {"": 1e6 + n}, i)]
    else:
        trial.quiet(300)
        trial.fault(20)
        told = trial.quiet(60)
    assert [each.active for each in told] == [False]


@pytest.mark.parametrize("name", DETECTORS)
def test_same_readings_give_the_same_symptoms(name: str, seed: int) -> None:
    """Two detectors and one seed say the same; nothing is read from a clock or from chance."""
    runs = []
    for _ in range(2):
        trial = Trial(name, seed)
        runs.append(trial.quiet(500) + trial.fault(40) + trial.quiet(60))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", DETECTORS)
def test_later_readings_never_change_what_was_said(name: str, seed: int) -> None:
    """No look-ahead: a run that is cut short said the same as far as it went."""
    whole = Trial(name, seed)
    short = Trial(name, seed)
    whole.quiet(300)
    short.quiet(300)
    told = whole.fault(40)
    assert short.fault(15) == [
        each for each in told if each.detected_ns < 1_000_000_000_000 + 315 * ROUND_NS
    ]


@pytest.mark.parametrize("name", DETECTORS)
def test_memory_stays_the_same_however_much_it_reads(name: str, seed: int) -> None:
    """State after 300 and after 3,000 readings has as many parts."""
    trial = Trial(name, seed)
    trial.quiet(300)
    before = _parts(trial.detector)
    trial.quiet(QUIET_ROUNDS)
    assert _parts(trial.detector) == before


@pytest.mark.parametrize("name", DETECTORS)
def test_reset_gives_a_new_detector(name: str, seed: int) -> None:
    """After a reset it says what a fresh one says."""
    used = Trial(name, seed)
    used.quiet(300)
    used.fault(20)
    used.detector.reset(1_000_000_000_000 + used.round * ROUND_NS)
    fresh = Trial(name, seed)
    fresh.round = used.round
    used.random = random.Random(seed)
    assert used.quiet(300) + used.fault(40) == fresh.quiet(300) + fresh.fault(40)


@pytest.mark.parametrize("name", DETECTORS)
def test_page_cites_its_source_and_its_example_runs(name: str) -> None:
    """The detector's page has its source, its thresholds, what was rejected, and a live example."""
    module = importlib.import_module(f"prunella.healing.detect.{name}")
    page = module.__doc__ or ""
    for part in ("Source:", "Example:", "Threshold", "ejected", "Answers:"):
        assert part in page
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def _parts(thing: object) -> int:
    """How many values a detector holds, containers included."""
    if isinstance(thing, dict):
        return 1 + sum(_parts(each) for each in thing.values())
    if isinstance(thing, list | tuple | set | frozenset):
        return 1 + sum(_parts(each) for each in thing)
    names = list(getattr(thing, "__dict__", {})) + list(getattr(type(thing), "__slots__", ()))
    if isinstance(thing, Symptom) or not names:
        return 1
    return 1 + sum(_parts(getattr(thing, each)) for each in names)
