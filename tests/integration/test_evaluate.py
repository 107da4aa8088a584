"""A trial as a user runs it: real stacks, one fault, the two arms that judge the scorer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prunella.journal import load_public_key, verify_ledger


def evaluate(*words: str) -> subprocess.CompletedProcess[str]:
    """What `prunella evaluate` says."""
    command = [sys.executable, "-m", "prunella", "evaluate", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


@pytest.mark.timeout(200)
def test_nothing_cures_nothing_the_oracle_cures_all_and_the_records_say_so(tmp_path: Path) -> None:
    """A valid trial; its ledgers verify; gone on with, there is nothing left to do."""
    out = tmp_path / "trial"
    arms = ("--arm", "nothing", "--arm", "oracle")
    ran = evaluate("--quick", *arms, "--fault", "agent-crash", "--out", str(out))
    assert (out / "report.json").exists(), ran.stdout + ran.stderr
    report = json.loads((out / "report.json").read_bytes())
    assert (ran.returncode, report["gates"]["invalid"], report["gates"]["broken"]) == (0, [], [])
    cured = {name: arm["in_all"]["remediation"]["cured"] for name, arm in report["arms"].items()}
    assert {name: (rate["hits"], rate["of"]) for name, rate in cured.items()} == {
        "nothing": (0, 1),
        "oracle": (1, 1),
    }
    assert report["arms"]["nothing"]["in_all"]["detection"]["recall"]["hits"] == 1
    assert b"plotly" in (out / "report.html").read_bytes()
    kept = out / "ledgers" / "oracle-000"
    assert verify_ledger(kept / "ledger", load_public_key(kept / "ledger.pub")).entries > 0

    again = evaluate("--out", str(out), "--resume", "--compare", str(out), "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["sessions"] == report["sessions"]


def test_a_trial_is_not_written_over_another(tmp_path: Path) -> None:
    """Hours of work must not be lost to a second `evaluate` in the same folder."""
    (tmp_path / "plan.json").write_text("{}")
    refused = evaluate("--quick", "--out", str(tmp_path))
    assert refused.returncode != 0
    assert "--resume" in refused.stderr + refused.stdout
