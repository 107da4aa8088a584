"""Venues that are only looked at, from the settings to what the hot loop is handed."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from prunella.config import load, save
from prunella.errors import ConfigError
from prunella.trading.venue import VenueEndpoint, local_endpoint
from prunella.trading.venue.catalogue import VENUES

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "market-data.md"
[EXAMPLE] = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def _written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_the_guides_example_watches_one_more_venue_and_trades_at_the_first(tmp_path: Path) -> None:
    """What a person copies is what the core reads; writing and reading it again changes nothing."""
    path = _written(tmp_path, EXAMPLE)
    settings = load(path)
    core = json.loads(settings.trading.core())
    primary, kraken = core["venues"]
    assert "protocol" not in primary
    assert "is_data_only" not in primary
    assert (kraken["protocol"], kraken["is_data_only"]) == ("kraken", True)
    assert kraken["stale_after_ns"] == 3_000_000_000
    assert [market["symbol"] for market in core["markets"]] == ["BTCUSDT", "BTC/USD"]
    assert settings.endpoints()["kraken"].raw(["BTC/USD"])["stream_url"] == "wss://ws.kraken.com"
    save(settings, path)
    assert load(path) == settings


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (EXAMPLE.replace('"kraken"', '"cracken"', 1), "protocol: expected one of .*'cracken'"),
        (
            EXAMPLE.replace('protocol = "kraken"', 'protocol = "kraken"\nws_api_url = "wss://x"'),
            "ws_api_url: expected none",
        ),
        (EXAMPLE.replace('protocol = "kraken"', ""), "rest_url: expected the address"),
        (
            re.sub(
                r"\[trading.venues.primary\].*?(?=\[trading.venues)", "", EXAMPLE, flags=re.DOTALL
            ).replace('venues = ["primary"]', "venues = []"),
            "the first is the primary, which is traded with",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, changed: str, message: str) -> None:
    """The message says what was expected and where."""
    with pytest.raises(ConfigError, match=message):
        load(_written(tmp_path, changed))


def test_an_endpoint_to_trade_with_has_no_talk() -> None:
    """The simulated exchange is reached as before."""
    assert set(local_endpoint(9001).raw(["BTCUSDT"])) == {
        "rest_url",
        "stream_url",
        "ws_api_url",
        "ca_file",
    }


@pytest.mark.parametrize("name", VENUES)
def test_every_venue_of_the_table_can_be_looked_at(name: str) -> None:
    """Each book can be asked for anew in exactly one way, or has no snapshot at all."""
    venue = VENUES[name]
    told = msgspec.to_builtins(VenueEndpoint(protocol=name).raw([venue.facts.symbol]))
    talk = told["talk"]
    ways = len(talk["renewals"]) + len(talk["snapshots"])
    assert ways == (0 if name == "bitstamp-orders" else 1)
    for symbol, messages in talk["renewals"]:
        leave, join = messages
        assert symbol in leave
        assert symbol in join
        assert "unsubscribe" in leave
        assert "unsubscribe" not in join
    assert (talk["subscriptions"] != []) == (not name.startswith("binance"))
    assert talk["silence_ns"] >= 1_000_000_000
