"""A folder in (default: the present one); durations of journal appends, syncs and ledger work out.

Goal: an append of 200 B at p50 well below 1 µs. The Rust figures come from the journal's own
example, so that no Python is in them; they include the rotation into new segments.

    python bench/journal.py [FOLDER]
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.evaluation.bench import Latency, Rate, describe_machine, latency
from prunella.journal import Ledger, verify_ledger

_RECORDS = 20_000
_QUICK_RECORDS = 1_000
_BULK_RECORDS = 200_000
_QUICK_BULK_RECORDS = 20_000
_TYPICAL = 200
_ROOT = Path(__file__).parents[1]


_CARGO = ("cargo", "run", "--quiet", "--release", "--package", "prunella-journal", "--example")
_LINE = re.compile(r"append +(\d+) B +p50 +(\d+) +p99 +(\d+) +p99.9 +(\d+) +max +(\d+) ns of (\d+)")


def _appends(folder: Path) -> Iterable[Latency]:
    example = [*_CARGO, "append_speed", "--", str(folder)]
    told = subprocess.run(example, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    for found in _LINE.findall(told):
        size, p50, p99, p999, most, count = map(int, found)
        yield Latency(
            name=f"journal append, {size} bytes",
            goal="p50 well below 1 µs" if size == _TYPICAL else "",
            count=count,
            p50_us=p50 / 1_000,
            p99_us=p99 / 1_000,
            p999_us=p999 / 1_000,
            max_us=most / 1_000,
        )


def _syncs(folder: Path) -> Iterable[Latency]:
    """Until an entry is on the disk: each way of writing, and the journal's own group commit."""
    command = [*_CARGO, "durability_speed", "--", str(folder), "samples"]
    said = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in said.splitlines():
        name, samples = line.split("\t")
        yield latency(name.strip(), [int(sample) for sample in samples.split(",")])


def figures(*, quick: bool) -> Iterable[Latency | Rate]:
    """The figures for `prunella bench`; the first ones need cargo and, at first, minutes to build.

    The folder is in the present one: where temporary files are may be no disk at all.
    """
    with tempfile.TemporaryDirectory(prefix="prunella-bench-", dir=Path.cwd()) as folder:
        if not quick and shutil.which("cargo"):
            yield from _appends(Path(folder))
            yield from _syncs(Path(folder))
        yield from _ledger(Path(folder) / "ledger", _QUICK_RECORDS if quick else _RECORDS)
        yield _bulk(Path(folder) / "bulk", _QUICK_BULK_RECORDS if quick else _BULK_RECORDS)


def _bulk(folder: Path, records: int) -> Rate:
    """Records of 250 bytes as fast as they go, the signed and synced checkpoints included."""
    record = {"incident": "inc-000001", "text": "x" * 200}
    begun = time.perf_counter_ns()
    with Ledger(folder, Ed25519PrivateKey.generate()) as ledger:
        for number in range(records):
            ledger.append("note", record, number)
    seconds = (time.perf_counter_ns() - begun) / 1e9
    return Rate(
        name="ledger append with a checkpoint after 1,000, records",
        goal="at least 200,000 a second",
        per_second=records / seconds,
    )


def _ledger(folder: Path, records: int) -> Iterable[Latency | Rate]:
    key = Ed25519PrivateKey.generate()
    record = {"incident": "inc-000001", "text": "x" * 200}
    appends, signatures = [], []
    with Ledger(folder, key) as ledger:
        for number in range(records):
            begun = time.perf_counter_ns()
            ledger.append("note", record, number)
            appends.append(time.perf_counter_ns() - begun)
            if number % 100 == 0:
                begun = time.perf_counter_ns()
                ledger.checkpoint(number)
                signatures.append(time.perf_counter_ns() - begun)
    begun = time.perf_counter_ns()
    verify_ledger(folder, key.public_key())
    seconds = (time.perf_counter_ns() - begun) / 1e9
    yield latency("ledger append", appends)
    yield latency("ledger checkpoint", signatures)
    yield Rate(name="ledger verification, records", goal="", per_second=records / seconds)


def main() -> None:
    """Prints the figures."""
    print(describe_machine(), flush=True)
    parent = Path(sys.argv[1] if sys.argv[1:] else ".").absolute()
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        appends, syncs = _appends(Path(folder)), _syncs(Path(folder))
        ledger = _ledger(Path(folder) / "ledger", _RECORDS)
        for figure in (*appends, *syncs, *ledger, _bulk(Path(folder) / "bulk", _BULK_RECORDS)):
            print(figure)


if __name__ == "__main__":
    main()
