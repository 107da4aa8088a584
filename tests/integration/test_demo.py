"""The whole story once, as a user runs it: real processes, the recorded market if it is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prunella.journal import load_public_key, verify_ledger
from prunella.trading.engine import replay

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("PRUNELLA_DATA", ROOT.parent / "shared" / "data")) / "market"
SESSION = [DATA / f"binance_spot_btcusdt_2024080{day}.gz" for day in (8, 9)]
FAULTS = {
    "engine-crash": ("process.crashed", "restart-with-warm-up"),
    "venue-freeze": ("venue.silent", "reroute-to-backup-venue"),
    "cpu-hog": ("cpu.contention", "contain-cpu-offender"),
    "order-path-overload": ("order_path.overloaded", "back-off-and-shed"),
}
NEGATIVES = {"market-burst", "planned-restart"}


@pytest.mark.timeout(300)
def test_demo_heals_every_fault_leaves_negatives_alone_and_the_books_agree(tmp_path: Path) -> None:
    """Exit status 0, and its report, ledger and journal say why."""
    kept, result = tmp_path / "kept", tmp_path / "result.json"
    market = ["--market", ",".join(map(str, SESSION))] if SESSION[0].exists() else []
    command = [sys.executable, "-m", "prunella", "demo", "--keep", str(kept)]
    command += ["--json", str(result), *market]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    story = ran.stdout + ran.stderr
    assert result.exists(), story
    report = json.loads(result.read_bytes())
    assert (ran.returncode, report["problems"]) == (0, []), story

    rows = {row["fault"]: row for row in report["rows"]}
    told = {name: (rows[name]["fault_class"], rows[name]["workflow"]) for name in FAULTS}
    assert told == FAULTS
    assert {rows[name]["result"] for name in FAULTS} == {"cured"}
    assert {rows[name]["result"] for name in NEGATIVES} == {"left alone"}
    assert rows["venue-freeze"]["reflex"].startswith("stale market")
    for book in report["books"]:
        assert (book["duplicates"], book["lost"]) == (0, 0)
        assert book["position_engine"] == book["position_venue"]
        assert book["fills_engine"] == book["fills_venue"]

    assert verify_ledger(kept / "ledger", load_public_key(kept / "keys" / "ledger.pub")).entries > 0
    replayed = replay(kept / "journal" / "engine")
    assert replayed["hash_equal"]
    # No order later than 300 ms after a venue's last frame, whatever was done to it.
    assert int(replayed["market_age_ns_max"]) <= 300_000_000
