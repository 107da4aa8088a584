"""`prunella backtest`: a strategy, data and parameters in; figures, a table or a report out."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from prunella.cli.output import print_json
from prunella.config import load
from prunella.errors import ConfigError, UsageError
from prunella.trading.backtest import (
    Backtest,
    BacktestResult,
    Difference,
    Fees,
    Latency,
    Queue,
    VenueBehaviour,
    compare,
    replay_session,
    write_report,
)
from prunella.trading.backtest.result import Statistics
from prunella.trading.market import positive
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import PythonStrategy
from prunella.trading.strategy.loading import load_strategy

RECORDED = "recorded"
BUILT_IN = ("maker", "momentum")
SWEEP_MAX = 10_000
DEFAULT_FEES = "1000:1000"
Data = dict[str, list[Path]]
Parameters = Mapping[str, str]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep: everything that its process needs."""

    data: Data
    config: bytes
    behaviour: VenueBehaviour
    parameters: dict[str, str]
    cache: Path | None
    own: dict[str, PythonStrategy] = {}

    def run(self) -> BacktestResult:
        """Plays it."""
        strategies = {
            name: load_strategy(each.path, each.parameters) for name, each in self.own.items()
        }
        return Backtest(
            self.data,
            self.config,
            behaviour=self.behaviour,
            cache=self.cache,
            strategies=strategies,
        ).run()


def cache_folder() -> Path:
    """Where decoded recordings are kept: `$XDG_CACHE_HOME/prunella`, else `~/.cache/prunella`."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root, "prunella", "events")


def parse_behaviour(*, fees: str, latency: str, queue: str, feed: int, seed: int) -> VenueBehaviour:
    """What a person wrote about the venue.

    Raises:
        UsageError: Something has another form; the message says which.
    """
    try:
        delays = Latency.parse(latency)
        everywhere, at = _by_venue(fees)
        return VenueBehaviour(
            fees=Fees.parse(everywhere),
            fees_at={name: Fees.parse(text) for name, text in at.items()},
            send=delays,
            report=delays,
            feed_us=feed,
            queue=_queue(queue),
            seed=seed,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _by_venue(fees: str) -> tuple[str, dict[str, str]]:
    """`1000:1000,backup=100:400` as what holds everywhere, and what holds at which venue."""
    everywhere, at = "", {}
    for part in fees.split(","):
        name, equals, text = part.rpartition("=")
        if equals:
            at[name] = text
        elif everywhere:
            raise ValueError(f"fees: expected one MAKER:TAKER without a venue, found {fees!r}")
        else:
            everywhere = text
    return everywhere or DEFAULT_FEES, at


def _queue(text: str) -> Queue:
    if text == "conservative":
        return Queue(model="conservative")
    try:
        power = float(text)
    except ValueError:
        power = 0.0
    if not 0 < power < float("inf"):
        raise ValueError(f"queue: expected `conservative` or a power above 0, found {text!r}")
    return Queue(power=power)


def parse_pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a table.

    Raises:
        UsageError: One has another form.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option}: expected NAME=VALUE, found {text!r}")
        found[name] = value
    return found


def combinations(sweeps: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Every combination of swept values.

    Example:
        >>> [sorted(each.items()) for each in combinations({"a": "1,2", "b": "3"})]
        [[('a', '1'), ('b', '3')], [('a', '2'), ('b', '3')]]
    """
    values = [[part for part in text.split(",") if part] for text in sweeps.values()]
    for each in itertools.product(*values):
        yield dict(zip(sweeps, each, strict=True))


def read_data(given: Sequence[str], venues: Sequence[str]) -> Data:
    """Files by venue: `FILE` is of the first venue, `VENUE=FILE` of another.

    Raises:
        UsageError: A file is not there, or a venue is unknown.
    """
    found: Data = {}
    for text in given:
        name, equals, rest = text.partition("=")
        is_named = bool(equals) and not Path(text).exists()
        venue, path = (name, Path(rest)) if is_named else (venues[0], Path(text))
        if venue not in venues:
            raise UsageError(f"{text}: expected one of the venues {', '.join(venues)}")
        if not path.exists():
            raise UsageError(f"{path}: expected a recording or an engine's journal, found nothing")
        found.setdefault(venue, []).append(path)
    return found


def settings_of(strategy: str) -> TradingSettings:
    """The settings that a strategy's name or file means.

    Raises:
        UsageError: It is neither.
        ConfigError: The file holds no sound settings.
    """
    if strategy in BUILT_IN:
        settings = TradingSettings()
        only = {strategy: settings.strategies[strategy]}
        return msgspec.structs.replace(settings, strategies=only)
    if strategy.endswith(".toml"):
        if not Path(strategy).is_file():
            raise UsageError(f"{strategy}: expected a settings file, found nothing")
        return load(Path(strategy)).trading
    if ".py:" in strategy:
        load_strategy(strategy)
        name = strategy.rpartition(":")[2]
        own: dict[str, Any] = {name: PythonStrategy(path=strategy)}
        return msgspec.structs.replace(TradingSettings(), strategies=own)
    raise UsageError(
        f"strategy: expected {', '.join(BUILT_IN)}, {RECORDED}, a .toml file or FILE.py:CLASS, "
        f"found {strategy!r}"
    )


def with_parameters(settings: TradingSettings, parameters: Parameters) -> TradingSettings:
    """The settings with `NAME=VALUE` (of the one strategy) or `STRATEGY.NAME=VALUE` put in.

    Raises:
        ConfigError: There is no such parameter, or its value is out of range.
    """
    changed: dict[str, dict[str, Any]] = {
        name: msgspec.to_builtins(each) for name, each in settings.strategies.items()
    }
    own = [each for each in changed.values() if each["kind"] == "python"]
    for key, value in parameters.items():
        if len(changed) == len(own) == 1:
            own[0]["parameters"] = {**own[0]["parameters"], key: value}
            continue
        owner, _, name = key.rpartition(".")
        owners = [owner] if owner else list(changed)
        holders = [each for each in owners if name in changed.get(each, {})]
        if len(holders) != 1:
            known = ", ".join(f"{o}.{n}" for o, table in changed.items() for n in table)
            raise ConfigError(f"--param {key}: expected exactly one of {known}")
        changed[holders[0]][name] = value
    try:
        strategies = msgspec.convert(
            changed, type(settings).__annotations__["strategies"], strict=False
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"--param: {error}") from None
    return msgspec.structs.replace(settings, strategies=strategies)


def config_for(settings: TradingSettings, data: Data) -> bytes:
    """The core's configuration with the venues that have data.

    Raises:
        ConfigError: Tables that do not fit together.
    """
    if not settings.instruments:
        venues = {name: each for name, each in settings.venues.items() if name in data}
        settings = msgspec.structs.replace(settings, venues=venues)
    try:
        return settings.core()
    except ValueError as error:
        raise ConfigError(str(error)) from None


def changed_config(config: bytes, parameters: Parameters) -> bytes:
    """A journal's own configuration with `STRATEGY.NAME=VALUE` put in, in the core's own units.

    Raises:
        ConfigError: There is no such parameter, or it is no number.
    """
    core = msgspec.json.decode(config)
    tables = {each["name"]: next(iter(each["kind"].values())) for each in core["strategies"]}
    for key, value in parameters.items():
        owner, _, name = key.rpartition(".")
        holders = [o for o, table in tables.items() if name in table and owner in {"", o}]
        if len(holders) != 1:
            known = ", ".join(f"{o}.{n}" for o, table in tables.items() for n in table)
            raise ConfigError(f"--param {key}: expected exactly one of {known}")
        try:
            tables[holders[0]][name] = positive(name, value) if name == "quantity" else int(value)
        except ValueError as error:
            raise ConfigError(f"--param {key}: {error}") from None
    return msgspec.json.encode(core)


def run_backtest_command(
    *,
    strategy: str,
    data: Sequence[str],
    parameters: Parameters,
    sweeps: Parameters,
    behaviour: VenueBehaviour,
    jobs: int,
    report: Path | None,
    console: Console,
    json_output: bool,
) -> None:
    """Runs what was asked for and shows it."""
    journal = Path(data[0])
    if len(data) == 1 and journal.is_dir():
        _on_journal(
            strategy,
            journal,
            parameters=parameters,
            behaviour=behaviour,
            report=report,
            console=console,
            json_output=json_output,
        )
        return
    settings = settings_of(strategy)
    found = read_data(data, list(settings.venues))
    combined = list(itertools.islice(combinations(sweeps), SWEEP_MAX + 1))
    if len(combined) > SWEEP_MAX:
        raise UsageError(f"--sweep: expected at most {SWEEP_MAX} combinations")
    tasks = []
    for each in combined:
        changed = with_parameters(settings, {**parameters, **each})
        tasks.append(
            Task(
                data=found,
                config=config_for(changed, found),
                behaviour=behaviour,
                parameters=each,
                cache=cache_folder(),
                own=_own(changed),
            )
        )
    if sweeps:
        _sweep(tasks, jobs=jobs, report=report, console=console, json_output=json_output)
        return
    result = tasks[0].run()
    _finish(result, strategy, report, console, json_output=json_output, extra={})


def _own(settings: TradingSettings) -> dict[str, PythonStrategy]:
    return {
        name: each for name, each in settings.strategies.items() if isinstance(each, PythonStrategy)
    }


def _on_journal(
    strategy: str,
    journal: Path,
    *,
    parameters: Parameters,
    behaviour: VenueBehaviour,
    report: Path | None,
    console: Console,
    json_output: bool,
) -> None:
    """The session as it was; or, with another strategy or parameters, as it might have been."""
    recorded = replay_session(journal, sample_ms=behaviour.sample_ms)
    if strategy == RECORDED and not parameters:
        extra: dict[str, Any] = {"recorded": True}
        _finish(recorded, RECORDED, report, console, json_output=json_output, extra=extra)
        return
    if strategy == RECORDED:
        config = changed_config(recorded.config, parameters)
    else:
        core = msgspec.json.decode(recorded.config)
        settings = with_parameters(settings_of(strategy), parameters)
        core["strategies"] = msgspec.json.decode(settings.core())["strategies"]
        config = msgspec.json.encode(core)
    venues = [venue["name"] for venue in msgspec.json.decode(config)["venues"]]
    result = Backtest({venue: [journal] for venue in venues}, config, behaviour=behaviour).run()
    difference = compare(recorded, result)
    extra = {"difference": msgspec.to_builtins(difference)}
    _finish(result, strategy, report, console, json_output=json_output, extra=extra)
    if not json_output:
        _tell_difference(difference, console)


def _tell_difference(difference: Difference, console: Console) -> None:
    before, now = difference.orders
    console.print(
        f"recorded session: {before} orders; this run: {now}; the first {difference.same} are the "
        f"same\n{difference.text}",
        soft_wrap=True,
    )


def _finish(
    result: BacktestResult,
    title: str,
    report: Path | None,
    console: Console,
    *,
    json_output: bool,
    extra: dict[str, Any],
) -> None:
    if report:
        write_report(result, report, title=f"Backtest of {title}")
    if json_output:
        print_json(result.summary() | extra)
        return
    table = Table(title=f"backtest of {title}", title_justify="left", show_header=False)
    for name, value in msgspec.to_builtins(result.statistics()).items():
        table.add_row(name, _shown(value))
    for name, value in result.counts.items():
        if value and name != "orders":
            table.add_row(name, _shown(value))
    console.print(table)
    rows = result.counts["rows"]
    if result.run_s and rows:
        console.print(f"{rows:,} rows in {result.run_s:.3f} s: {rows / result.run_s:,.0f} a second")
    console.print(f"state {result.state_hash}", soft_wrap=True)
    if report:
        console.print(f"report: {report}", soft_wrap=True)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return f"{value:,}"


def _measure(task: Task) -> Statistics:
    """Runs in a process of the pool."""
    return task.run().statistics()


def _sweep(
    tasks: list[Task],
    *,
    jobs: int,
    report: Path | None,
    console: Console,
    json_output: bool,
) -> None:
    """All combinations over processes; the best profit first."""
    found: dict[int, Statistics] = {}
    with (
        ProcessPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool,
        Progress(console=console, disable=json_output, transient=True) as progress,
    ):
        bar = progress.add_task("runs", total=len(tasks))
        futures = {pool.submit(_measure, task): at for at, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                progress.advance(bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    order = sorted(range(len(tasks)), key=lambda at: (-found[at].profit, at))
    if report:
        best = tasks[order[0]]
        named = ", ".join(f"{name}={value}" for name, value in best.parameters.items())
        write_report(best.run(), report, title=f"Best of {len(tasks)} runs: {named}")
    if json_output:
        print_json(
            [
                {
                    "parameters": tasks[at].parameters,
                    "statistics": msgspec.to_builtins(found[at]),
                }
                for at in order
            ]
        )
        return
    table = Table(title=f"{len(tasks)} runs, best profit first", title_justify="left")
    columns = ("profit", "drawdown_max", "turnover", "fees", "fills", "fill_ratio", "adverse_1s")
    for heading in (*tasks[0].parameters, *columns):
        table.add_column(heading, justify="right")
    for at in order:
        shown = [_shown(getattr(found[at], name)) for name in columns]
        table.add_row(*tasks[at].parameters.values(), *shown)
    console.print(table)
    if report:
        console.print(f"report of the best: {report}", soft_wrap=True)
