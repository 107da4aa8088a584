"""`telemetry …`: recorded telemetry in; what there is, its values, or a file for others out."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import UsageError
from prunella.telemetry.recording import Damage, Series, TelemetryReader
from prunella.values import Clock

app = typer.Typer(
    help="Recorded telemetry: what there is, its values, export.", no_args_is_help=True
)

_UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_END_NS = (1 << 63) - 1

_Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_Metric = Annotated[str, typer.Argument(help="Name or pattern, such as `host_disk_*`.")]
_Entity = Annotated[str, typer.Option("--entity", help="Whom about: a name or a pattern.")]
_Since = Annotated[
    str, typer.Option("--since", help="From when: `10m` ago (s, m, h, d), or a time in UTC.")
]
_Until = Annotated[str, typer.Option("--until", help="Before when; likewise.")]


class SegmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One segment: its file and its size."""

    segment: str
    bytes: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A recording as a whole."""

    folder: str
    segments: list[SegmentRow]
    readings: int
    first: str
    last: str
    damage: list[Damage]


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """One series, summed up."""

    metric: str
    entity: str
    labels: dict[str, str]
    domain: str
    count: int
    first: str
    last: str
    minimum: float
    median: float
    maximum: float
    latest: float


@app.command("ls")
def ls(home: _Home = None, json_output: _Json = False) -> None:
    """List the segments, when the recording begins and ends, and what of it is damaged."""
    folder = home_at(home).telemetry
    reader = TelemetryReader(folder)
    readings, times = 0, [_END_NS, 0]
    for batch in reader.readings():
        readings += len(batch.items)
        times = [
            min(times[0], batch.items[0].ts_init_ns),
            max(times[1], batch.items[-1].ts_init_ns),
        ]
    kept = Kept(
        folder=str(folder),
        segments=[SegmentRow(segment=name, bytes=size) for name, size in reader.segments()],
        readings=readings,
        first=_utc(times[0]) if readings else "-",
        last=_utc(times[1]) if readings else "-",
        damage=reader.damage,
    )
    if json_output:
        print_json(kept)
        return
    table = Table()
    table.add_column("segment")
    table.add_column("bytes", justify="right")
    for each in kept.segments:
        table.add_row(each.segment, f"{each.bytes:,}")
    console.print(table)
    console.print(f"{kept.readings:,} readings from {kept.first} to {kept.last} (UTC)")
    _tell_damage(kept.damage)


@app.command("show")
def show(
    metric: _Metric = "*",
    *,
    entity: _Entity = "*",
    since: _Since = "",
    until: _Until = "",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Sum up each series: how often it was read, least, median, most and latest value."""
    reader = TelemetryReader(home_at(home).telemetry)
    rows = [_summed(each) for each in _series(reader, metric, entity, since, until)]
    if json_output:
        print_json(rows)
        return
    table = Table()
    for heading in ("metric", "entity", "labels"):
        table.add_column(heading)
    for heading in ("read", "least", "median", "most", "latest"):
        table.add_column(heading, justify="right")
    for row in rows:
        labels = " ".join(f"{name}={value}" for name, value in row.labels.items())
        figures = (row.minimum, row.median, row.maximum, row.latest)
        cells = (
            row.metric,
            row.entity,
            labels,
            str(row.count),
            *(f"{each:.6g}" for each in figures),
        )
        table.add_row(*cells)
    console.print(table)
    _tell_damage(reader.damage)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Ends in .csv, .jsonl or .parquet (needs polars).")],
    *,
    metric: Annotated[str, typer.Option("--metric", help="Name or pattern.")] = "*",
    entity: _Entity = "*",
    since: _Since = "",
    until: _Until = "",
    home: _Home = None,
) -> None:
    """Write readings for other programs: one row each, with time, metric, entity, labels, value."""
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    write = writers.get(file.suffix)
    if write is None:
        raise UsageError(f"{file}: expected a name that ends in {', '.join(writers)}")
    reader = TelemetryReader(home_at(home).telemetry)
    found = _series(reader, metric, entity, since, until)
    try:
        write(file, found)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    rows = sum(len(each.values) for each in found)
    console.print(f"{rows:,} readings of {len(found)} series written to {file}")
    _tell_damage(reader.damage)


def time_ns(text: str, clock: Clock, default_ns: int) -> int:
    """`10m` ago or a time in ISO 8601 (UTC unless it says otherwise) as nanoseconds.

    Raises:
        UsageError: It is neither.

    Example:
        >>> from prunella.values import ManualClock
        >>> clock = ManualClock(start_ns=100 * 10**9)
        >>> time_ns("1m", clock, 0), time_ns("1970-01-01T00:00:01", clock, 0), time_ns("", clock, 5)
        (40000000000, 1000000000, 5)
    """
    if not text:
        return default_ns
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if ago is not None:
        return clock.now_ns() - round(float(ago[1]) * _UNITS_NS[ago[2]])
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"expected `30s`, `10m`, `2h`, `1d` or a time like 2026-01-31T09:30:00, found {text!r}"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1e6) * 1000


def _series(
    reader: TelemetryReader, metric: str, entity: str, since: str, until: str
) -> list[Series]:
    """The series that match.

    Raises:
        UsageError: None does.
    """
    clock = SystemClock()
    found = reader.series(
        lambda name: fnmatchcase(name[0], metric) and fnmatchcase(name[1], entity),
        since_ns=time_ns(since, clock, 0),
        until_ns=time_ns(until, clock, _END_NS),
    )
    if not found:
        raise UsageError(
            f"nothing recorded of metric {metric!r} and entity {entity!r} in that time; "
            "`prunella telemetry show` lists what there is"
        )
    return found


def _summed(series: Series) -> SeriesRow:
    values = series.values
    return SeriesRow(
        metric=series.metric,
        entity=series.entity,
        labels=series.labels,
        domain=series.domain,
        count=len(values),
        first=_utc(int(series.times_ns[0])),
        last=_utc(int(series.times_ns[-1])),
        minimum=float(values.min()),
        median=float(np.median(values)),
        maximum=float(values.max()),
        latest=float(values[-1]),
    )


def _write_csv(file: Path, found: list[Series]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("time", "ts_event_ns", "metric", "entity", "labels", "value"))
        for each in found:
            labels = msgspec.json.encode(each.labels).decode()
            for when_ns, value in zip(each.times_ns.tolist(), each.values.tolist(), strict=True):
                writer.writerow((_utc(when_ns), when_ns, each.metric, each.entity, labels, value))


def _write_jsonl(file: Path, found: list[Series]) -> None:
    encode = msgspec.json.encode
    with file.open("wb") as out:
        for each in found:
            for when_ns, value in zip(each.times_ns.tolist(), each.values.tolist(), strict=True):
                row = {
                    "ts_event_ns": when_ns,
                    "metric": each.metric,
                    "entity": each.entity,
                    "labels": each.labels,
                    "value": value,
                }
                out.write(encode(row) + b"\n")


def _write_parquet(file: Path, found: list[Series]) -> None:
    try:
        import polars as pl  # noqa: PLC0415  an extra, wanted here alone
    except ImportError:
        raise UsageError("a .parquet file needs polars: pip install 'prunella[polars]'") from None
    lengths = [len(each.values) for each in found]

    def repeated(text: Callable[[Series], str]) -> list[str]:
        return [t for each, n in zip(found, lengths, strict=True) for t in [text(each)] * n]

    pl.DataFrame(
        {
            "ts_event_ns": np.concatenate([each.times_ns for each in found]),
            "metric": repeated(lambda each: each.metric),
            "entity": repeated(lambda each: each.entity),
            "labels": repeated(lambda each: msgspec.json.encode(each.labels).decode()),
            "value": np.concatenate([each.values for each in found]),
        }
    ).write_parquet(file)


def _tell_damage(damage: list[Damage]) -> None:
    for each in damage:
        console.print(
            f"[yellow]{each.segment}[/yellow] ends at byte {each.offset}: the last "
            f"{each.bytes_lost} bytes are torn or damaged, as a crash leaves them",
            soft_wrap=True,
        )


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")[
        :-6
    ]
