"""Several instruments in the settings: markets are instruments times venues."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prunella.config import Settings, load, save
from prunella.trading.runtime import TradingSettings

TWO = """
[instruments.BTC]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
tick = "0.01"
lot = "0.00001"
[instruments.BTC.at.backup]
symbol = "XBTUSDT"
tick = "0.1"

[instruments.ETH]
symbol = "ETHUSDT"
base = "ETH"
quote = "USDT"
tick = "0.01"
lot = "0.0001"
venues = ["primary"]
[instruments.ETH.risk]
quantity_min = "0.001"
quantity_max = "10"
notional_min = "10"
notional_max = "50000"
position_max = "20"

[strategies.maker]
kind = "market_maker"
quantity = "0.01"
instruments = ["ETH"]
[strategies.momentum]
kind = "momentum"
quantity = "0.01"
"""


def _core(text: str) -> dict[str, Any]:
    core: dict[str, Any] = json.loads(msgspec.toml.decode(text, type=TradingSettings).core())
    return core


def test_markets_are_instruments_times_venues_with_the_venues_own_symbol_and_steps() -> None:
    """ETH trades at one venue with limits of its own; BTC is called otherwise at the backup."""
    core = _core(TWO)
    assert core["instruments"] == ["BTC", "ETH"]
    shown = ("venue", "instrument", "symbol", "tick", "position_max")
    assert [[market[name] for name in shown] for market in core["markets"]] == [
        [0, 0, "BTCUSDT", 10_000_000, 500_000_000],
        [0, 1, "ETHUSDT", 10_000_000, 20_000_000_000],
        [1, 0, "XBTUSDT", 100_000_000, 500_000_000],
    ]
    assert [strategy["instruments"] for strategy in core["strategies"]] == [[1], []]


def test_one_instrument_needs_no_table_of_instruments() -> None:
    """The defaults are one instrument at every venue, named by its symbol."""
    core = _core("")
    assert core["instruments"] == ["BTCUSDT"]
    assert [market["instrument"] for market in core["markets"]] == [0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('["ETH"]', '["DOGE"]'), "strategies.maker.instruments: expected some of"),
        (('["primary"]', '["prmary"]'), "instruments.ETH: expected venues of"),
        (("at.backup", "at.bakup"), "instruments.BTC: expected venues of"),
        (('"ETHUSDT"', '"BTCUSDT"'), "'BTCUSDT' is there twice at venue 'primary'"),
        (("[instruments.BTC]", "[instruments.BTC]\nvenues = ['primary']"), "venues.backup"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(
    change: tuple[str, str], message: str
) -> None:
    """A person finds the table and the name in the message."""
    with pytest.raises(ValueError, match=r"expected|twice") as refusal:
        _core(TWO.replace(*change))
    assert message in str(refusal.value)


def test_one_and_several_instruments_at_once_are_refused() -> None:
    """Which one would hold?"""
    one = '[instrument]\nsymbol="A"\nbase="B"\nquote="Q"\ntick="1"\nlot="1"\n'
    with pytest.raises(msgspec.ValidationError, match="not both"):
        _core(one + TWO)


def test_several_instruments_are_saved_and_loaded_the_same(tmp_path: Path) -> None:
    """A stack writes its settings into its home; what is not set must not get in the way."""
    path = tmp_path / "settings.toml"
    trading = msgspec.toml.decode(TWO, type=TradingSettings)
    settings = Settings(trading=trading)
    save(settings, path)
    assert load(path) == settings
