"""Benchmark files in; figures beside those of peers, and what changed since another run, out.

How to add a benchmark: one file in `bench/` whose first line says what it measures, with

    def figures(*, quick: bool) -> Iterable[Latency | Rate]:

`latency(name, nanoseconds, goal=..., system=...)` makes percentiles of samples; `Rate` is a number
a second. A figure of another system has the same name and that system's name as `system`; it is
measured in the same run on the same machine, and left out where the system is not installed.
`quick` asks for as little work as still shows an order of magnitude. Nothing else is to be
registered: the file's name is the benchmark's.

Every benchmark runs several rounds. The median round is shown; the spread between rounds is what
noise does here, and a change is called one only beyond it.
"""

import importlib.util
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Protocol, TypeAlias

import msgspec

from prunella.errors import UsageError
from prunella.evaluation.bench import Latency, Rate, describe_machine

Figure: TypeAlias = Latency | Rate

CHANGE_MIN = 0.05
"""Smaller changes are not told: another layout of the same code in memory makes as much."""


class Bench(Protocol):
    """What a benchmark file offers."""

    def __call__(self, *, quick: bool) -> Iterable[Figure]:
        """Measures."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one benchmark gave, round by round."""

    bench: str
    rounds: tuple[tuple[Figure, ...], ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, where, and of which state of the source."""

    machine: str
    commit: str
    quick: bool
    benches: tuple[Measured, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a figure over all rounds.

    Attributes:
        bench: The benchmark.
        name: The figure.
        system: Whose it is.
        number: Which number: `p50`, `p99` or `rate`.
        value: The median of the rounds, in microseconds or a second.
        least: The smallest of the rounds.
        most: The largest of the rounds.
    """

    bench: str
    name: str
    system: str
    number: str
    value: float
    least: float
    most: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A number then and now; the verdict is `better`, `worse`, `noise` or `new`."""

    before: Row | None
    now: Row
    ratio: float
    verdict: str


def find(folder: Path) -> dict[str, Bench]:
    """The benchmarks of a folder, by name.

    Raises:
        UsageError: There is no such folder or it holds no benchmark; trying again cannot help.
    """
    found: dict[str, Bench] = {}
    for path in sorted(folder.glob("*.py")):
        run = getattr(_load(path), "figures", None)
        if run is not None:
            found[path.stem] = run
    if not found:
        raise UsageError(f"{folder} holds no benchmark; run this in the project's folder")
    return found


def choose(benches: Mapping[str, Bench], only: Iterable[str]) -> dict[str, Bench]:
    """Those with the given names; all without any.

    Raises:
        UsageError: There is none of that name; trying again cannot help.
    """
    names = tuple(only)
    for name in names:
        if name not in benches:
            raise UsageError(f"no benchmark {name!r}; there are {', '.join(benches)}")
    return {name: run for name, run in benches.items() if name in names or not names}


def run(
    benches: Mapping[str, Bench], *, rounds: int, quick: bool, tell: Callable[[str], None]
) -> Report:
    """Runs each benchmark so many rounds; `tell` hears which."""
    measured = []
    for name, bench in benches.items():
        made = []
        for number in range(rounds):
            tell(f"{name}, round {number + 1} of {rounds}")
            made.append(tuple(bench(quick=quick)))
        measured.append(Measured(bench=name, rounds=tuple(made)))
    return Report(
        machine=describe_machine(), commit=_commit(), quick=quick, benches=tuple(measured)
    )


def rows(report: Report) -> dict[tuple[str, str, str, str], Row]:
    """Every number that is compared, by benchmark, figure, system and which number.

    Example:
        >>> figure = Rate(name="x", goal="", per_second=2.0)
        >>> measured = Measured(bench="b", rounds=((figure,),))
        >>> report = Report(machine="", commit="", quick=False, benches=(measured,))
        >>> rows(report)["b", "x", "prunella", "rate"].value
        2.0
    """
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for measured in report.benches:
        for figures in measured.rounds:
            for figure in figures:
                for number, value in _numbers(figure):
                    key = (measured.bench, figure.name, figure.system, number)
                    found.setdefault(key, []).append(value)
    return {
        key: Row(
            bench=key[0],
            name=key[1],
            system=key[2],
            number=key[3],
            value=median(values),
            least=min(values),
            most=max(values),
        )
        for key, values in found.items()
    }


def compare(before: Report, now: Report) -> list[Change]:
    """What became of each number; a change is one beyond the rounds' spread and `CHANGE_MIN`."""
    known = rows(before)
    changes = []
    for key, row in rows(now).items():
        earlier = known.get(key)
        if earlier is None or earlier.value == 0:
            changes.append(Change(before=earlier, now=row, ratio=1.0, verdict="new"))
            continue
        ratio = row.value / earlier.value
        apart = row.least > earlier.most or row.most < earlier.least
        verdict = "noise"
        if apart and abs(ratio - 1) > CHANGE_MIN:
            verdict = "better" if (ratio > 1) == (row.number == "rate") else "worse"
        changes.append(Change(before=earlier, now=row, ratio=ratio, verdict=verdict))
    return changes


def read(path: Path) -> Report:
    """A report that was written earlier.

    Raises:
        UsageError: It is missing or no report; trying again cannot help.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: expected a report of `prunella bench`: {error}") from None


def _numbers(figure: Figure) -> Iterable[tuple[str, float]]:
    if isinstance(figure, Rate):
        return (("rate", figure.per_second),)
    return (("p50", figure.p50_us), ("p99", figure.p99_us))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _commit() -> str:
    """The commit that is checked out; empty outside of a repository."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
