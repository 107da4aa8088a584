"""Limits in the settings, and what a person signs to loosen one."""

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.control.acts import public_text, read_persons, sign_limit, why_not_allowed
from prunella.errors import ConfigError
from prunella.trading.risk import config_limits
from prunella.trading.runtime import TradingSettings

NOW_NS = 1_700_000_000_000_000_000
LIMITS = """
[limits.account]
daily_loss_max = "500"
[limits.venues.backup]
gross_max = "20000.5"
[limits.instruments.BTCUSDT]
position_max = "0.75"
[limits.strategies.maker]
order_rate = 5
executions_max = 100
"""


def _limits(text: str) -> dict[str, str | None]:
    core = msgspec.toml.decode(text, type=TradingSettings).core()
    found: dict[str, str | None] = json.loads(config_limits(core))
    return found


def test_limits_of_every_scope_reach_the_core_under_their_names() -> None:
    """What is not written is not limited."""
    found = _limits(LIMITS)
    assert {name: value for name, value in found.items() if not name.startswith("market.")} | {
        name: value for name, value in found.items() if value is None
    } == {name: None for name in found if not name.startswith("market.")} | {
        "account.loss_max": "10000",
        "account.daily_loss_max": "500",
        "venue.primary.order_rate": "8",
        "venue.backup.order_rate": "8",
        "venue.backup.gross_max": "20000.5",
        "instrument.BTCUSDT.position_max": "0.75",
        "strategy.maker.order_rate": "5",
        "strategy.maker.executions_max": "100",
    }
    assert found["market.primary.BTCUSDT.position_max"] == "0.5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("venues.backup", "venues.bakup"), "limits.venues: expected some of"),
        (("strategies.maker", "strategies.mkr"), "limits.strategies: expected some of"),
        (('"500"', '"-5"'), "daily_loss_max: expected more than 0"),
        (("daily_loss_max", "loss_max"), "expected it as loss_max in"),
    ],
)
def test_limit_of_what_is_not_there_is_refused_by_name(
    change: tuple[str, str], message: str
) -> None:
    """A limit that silently holds nowhere would be worse than none."""
    with pytest.raises(ValueError, match="expected") as refusal:
        _limits(LIMITS.replace(*change))
    assert message in str(refusal.value)


TWO_CURRENCIES = """
[instruments.btc]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
tick = "0.01"
lot = "0.00001"
[instruments.eth]
symbol = "ETHBTC"
base = "ETH"
quote = "BTC"
tick = "0.00001"
lot = "0.0001"
"""
WORTH = """
[limits]
currency = "USDT"
[limits.rates.BTC]
market = "primary.BTCUSDT"
rate = "50000"
"""


def test_currencies_are_added_up_only_over_their_rates() -> None:
    """A loss of one bitcoin is not a loss of one dollar."""
    core = msgspec.toml.decode(TWO_CURRENCIES + WORTH, type=TradingSettings).core()
    limits = json.loads(core)["limits"]
    assert limits["currency"] == "USDT"
    assert limits["rates"] == [{"asset": "BTC", "rate": 50_000 * 10**9, "market": 0}]
    assert json.loads(config_limits(core))["account.loss_max"] == "10000"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((WORTH, ""), "limits.currency: expected the account's currency, because markets are"),
        (("rates.BTC", "rates.EUR"), "limits.rates: expected what BTC is worth in USDT"),
        (("primary.BTCUSDT", "primary.ETHBTC"), "expected a market of BTC in USDT"),
        (('"50000"', '"0"'), "rate: expected more than 0"),
        (('market = "primary.BTCUSDT"\nrate = "50000"', ""), "expected a market, a rate, or both"),
    ],
)
def test_currencies_that_cannot_be_added_up_are_refused(
    change: tuple[str, str], message: str
) -> None:
    """One that counted as another would make every limit of a loss wrong."""
    text = (TWO_CURRENCIES + WORTH).replace(*change)
    with pytest.raises(ValueError, match="expected") as refusal:
        msgspec.toml.decode(text, type=TradingSettings).core()
    assert message in str(refusal.value)


def test_unknown_code_in_observe_only_is_refused() -> None:
    """A misspelt code would leave the check in force without a word."""
    with pytest.raises(msgspec.ValidationError, match="PRICE_COLAR"):
        _limits('[limits]\nobserve_only = ["PRICE_COLAR"]')


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("value", "6", "not ann's"),
        ("name", "account.gross_max", "not ann's"),
        ("person", "bob", "not bob's"),
        ("person", "eve", "nobody called 'eve'"),
        ("nonce", "2", "not ann's"),
        ("until_ns", NOW_NS + 2, "not ann's"),
        ("until_ns", NOW_NS, "expired"),
        ("until_ns", NOW_NS + 90_000_000_000_000, "more than a day"),
        ("signature", "zz", "not ann's"),
    ],
)
def test_signature_holds_for_exactly_one_change(field: str, value: object, why: str) -> None:
    """Moved to another value, name, person, number or time it does not hold."""
    ann, bob = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    persons = {"ann": public_text(ann), "bob": public_text(bob)}
    signed = sign_limit(
        "account.loss_max", "5", person="ann", nonce="1", until_ns=NOW_NS + 1, key=ann
    )
    assert why_not_allowed(signed, persons, now_ns=NOW_NS) == ""
    assert signed.signed is not None
    if field in {"value", "name"}:
        forged = msgspec.structs.replace(signed, **{field: value})
    else:
        act = msgspec.structs.replace(signed.signed, **{field: value})
        forged = msgspec.structs.replace(signed, signed=act)
    assert why in why_not_allowed(forged, persons, now_ns=NOW_NS)


def test_file_of_persons_is_read_or_refused_by_name(tmp_path: Path) -> None:
    """Without the file nobody may sign; a damaged one is no empty one."""
    path = tmp_path / "persons.toml"
    assert read_persons(path) == {}
    path.write_text('ann = "00ff"\n')
    assert read_persons(path) == {"ann": "00ff"}
    path.write_text("ann = 5\n")
    with pytest.raises(ConfigError, match=r"persons\.toml"):
        read_persons(path)
