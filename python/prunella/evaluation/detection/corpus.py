"""A folder of labelled series in, the series out, one at a time.

The folder holds `manifest.json`, a list of objects with at least `id`, `corpus` and `file`, and
for each an `.npz` with `t` (seconds), `x` (one row per sample), `events` (first and last index),
`warmup` (samples that are not scored) and `period_s`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from prunella.errors import UsageError
from prunella.evaluation.detection.tally import Spans, Times

MANIFEST = "manifest.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the manifest; what else it says is not needed here.

    Attributes:
        id: The series's name.
        corpus: Which collection it belongs to.
        file: Where it is, relative to the folder.
        faults: Faults that somebody injected; a corpus with any has no natural rate of events.
    """

    id: str
    corpus: str
    file: str
    faults: tuple[Any, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled series.

    Attributes:
        id: Its name.
        corpus: Which collection it belongs to.
        t: Seconds of each sample.
        x: One row per sample, one column per metric.
        events: First and last index of each event, both inside it.
        warmup: First index that is scored.
        period_s: Seconds between samples.
    """

    id: str
    corpus: str
    t: Times
    x: NDArray[np.float64]
    events: Spans
    warmup: int
    period_s: float


def manifest(folder: Path) -> list[Entry]:
    """What the folder holds.

    Raises:
        UsageError: There is no manifest or it is no list of series; trying again cannot help.
    """
    path = folder / MANIFEST
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; expected a folder of labelled series") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: expected a list of series: {error}") from None
    if not entries:
        raise UsageError(f"{path} lists no series")
    return entries


def read(folder: Path, entry: Entry) -> Series:
    """One series of the folder.

    Raises:
        UsageError: The file is missing, no such archive, or its arrays do not fit together.
    """
    path = folder / entry.file
    try:
        with np.load(path) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        x = np.asarray(found["x"], dtype=np.float64)
        series = Series(
            id=entry.id,
            corpus=entry.corpus,
            t=np.asarray(found["t"], dtype=np.int64),
            x=x.reshape(len(x), -1),
            events=np.asarray(found["events"], dtype=np.int32).reshape(-1, 2),
            warmup=int(found["warmup"]),
            period_s=float(found["period_s"]),
        )
    except KeyError as error:
        raise UsageError(f"{path}: expected an array {error}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected an archive of arrays (.npz): {error}") from None
    if len(series.t) != len(series.x) or (series.events >= len(series.x)).any():
        raise UsageError(f"{path}: `t`, `x` and `events` do not fit together")
    return series


def all_series(folder: Path) -> Iterator[Series]:
    """Every series of the folder, in the manifest's order."""
    for entry in manifest(folder):
        yield read(folder, entry)
