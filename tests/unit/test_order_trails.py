"""A session through the hot loop in; the lives of orders that its journal tells, compared."""

import json
import os
from pathlib import Path

import pytest
from prunella.trading.engine import measure_session, order_trails, replay
from prunella.trading.runtime import TradingSettings

DATA = Path(os.environ.get("PRUNELLA_DATA", "../shared/data"))
SESSION = DATA / "market" / "binance_spot_btcusdt_20240808.gz"


@pytest.mark.skipif(not SESSION.is_file(), reason="PRUNELLA_DATA holds no recorded session")
def test_journal_of_a_session_tells_every_order_that_its_replay_counts(tmp_path: Path) -> None:
    """Each order begins as submitted, moves by journal entries in order, and shows its offers."""
    journal = tmp_path / "journal"
    journal.mkdir()
    measure_session([str(SESSION)], config=TradingSettings().core(), journal=journal)
    trails = order_trails(journal)
    assert len(trails) == replay(journal)["orders"]
    for trail in trails:
        events = trail["events"]
        assert events, trail
        assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
        assert [offer["venue"] for offer in trail["offers"]] == ["primary", "backup"]
        chosen = {offer["venue"] for offer in trail["offers"] if float(offer["share"]) > 0}
        assert trail["venue"] in chosen
        assert trail["is_routed"] or chosen == {trail["venue"]}
    assert {trail["is_routed"] for trail in trails} == {True, False}, "the maker names its venue"
    assert json.dumps(trails) == json.dumps(order_trails(journal)), "a replay tells the same again"
