"""The page and the comparison of a trial: what they show, and that nothing in them is markup."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from prunella.errors import UsageError
from prunella.evaluation.trial.compare import differences, read_report
from prunella.evaluation.trial.page import make_page
from prunella.evaluation.trial.plan import QUICK, make_plan
from prunella.evaluation.trial.records import Episode, Session, Wanted
from prunella.evaluation.trial.report import TrialReport, make_report
from trial_records import episode, facts, session


def report(*sessions: Session) -> TrialReport:
    """Of a small trial."""
    plan = make_plan(
        arms=(), faults=(), repeats=1, seed=1, pace=QUICK, held_out=("process.crashed",)
    )
    return make_report(plan, sessions, machine="a <fast> machine")


def as_json(made: TrialReport) -> dict[str, Any]:
    """As it is kept."""
    kept: dict[str, Any] = msgspec.json.decode(made.to_json())
    return kept


def test_the_page_needs_no_network_and_shows_what_is_in_the_records() -> None:
    """Every arm, the verdict, each plot; and a culprit's name is text, not markup."""
    evil = facts("<script>alert(1)</script>", "process.crashed")
    skipped = Episode(
        wanted=Wanted(fault="cpu-throttled", severity=1, repeat=0),
        outcome="skipped",
        why="no <control group>",
    )
    made = report(
        session("nothing", episode("engine-crash", cured_ms=0), skipped),
        session("oracle", episode("engine-crash", facts())),
        session("expert", episode("engine-crash", facts(), evil), episode("market-burst")),
    )
    page = make_page(made, differences(as_json(made), as_json(made)))
    assert page.count("plotly-graph-div") == 4
    for words in ("nothing", "oracle", "expert", "Held out", "Against an earlier trial"):
        assert words in page
    assert "no &lt;control group&gt;" in page
    assert "<script>alert" not in page
    assert "src=" not in page.replace("src=src", "").split("<script")[0]
    assert 'src="http' not in page


def test_a_comparison_tells_better_and_worse_only_where_the_intervals_part() -> None:
    """Twenty of twenty against none of twenty is a change; one of one against none is not."""
    good = [episode("engine-crash", facts()) for _ in range(20)]
    bad = [episode("engine-crash", cured_ms=0) for _ in range(20)]
    before, now = report(session("expert", *bad)), report(session("expert", *good))
    told = {each.figure: each.change for each in differences(as_json(before), as_json(now))}
    assert (told["recall"], told["curable faults cured"]) == ("better", "better")
    back = {each.figure: each.change for each in differences(as_json(now), as_json(before))}
    assert (back["recall"], back["policy adherence"]) == ("worse", "same")
    few = differences(
        as_json(report(session("expert", bad[0]))), as_json(report(session("expert", good[0])))
    )
    assert {each.change for each in few} == {"same"}


@pytest.mark.parametrize("text", ["", "[]", '{"arms": 3}'])
def test_a_comparison_with_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"report\.json"):
        read_report(tmp_path)
    with pytest.raises(UsageError, match="absent"):
        read_report(tmp_path / "absent")
