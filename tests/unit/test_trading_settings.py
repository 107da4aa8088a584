"""Trading settings: exact decimals, clear refusals, and the configuration that the core reads."""

import json
from pathlib import Path

import msgspec
import pytest
from prunella.trading.engine import MarketSettings, core_config
from prunella.trading.execution import VenueLimits
from prunella.trading.market import Instrument
from prunella.trading.risk import RiskSettings
from prunella.trading.strategy import MarketMaker, Momentum, StrategySettings

LISTED = 'symbol="BQ"\nbase="B"\nquote="Q"\n'
GOLDEN = Path(__file__).parents[1] / "golden" / "core_config.json"


def _risk(**changes: str) -> RiskSettings:
    limits = {
        "quantity_min": "0.00001",
        "quantity_max": "0.5",
        "notional_min": "5",
        "notional_max": "50000",
        "position_max": "1",
    }
    return msgspec.convert(limits | changes, RiskSettings)


def _market(venue: str, **changes: str) -> MarketSettings:
    instrument = Instrument(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01", lot="0.00001")
    return MarketSettings(venue=venue, instrument=instrument, risk=_risk(**changes))


def _config(*markets: MarketSettings) -> bytes:
    return core_config(
        run=1_723_161_253,
        venues={"primary": VenueLimits(), "backup": VenueLimits(order_rate_per_second=10)},
        markets=markets or (_market("primary"), _market("backup")),
        strategies={
            "maker": MarketMaker(quantity="0.02"),
            "momentum": Momentum(quantity="0.01"),
        },
        loss_max="999999999.999999999",
    )


def test_settings_become_the_configuration_that_the_core_reads() -> None:
    """The golden file is read by the core's own tests as well, so the two cannot drift apart."""
    assert json.loads(_config()) == json.loads(GOLDEN.read_bytes())


@pytest.mark.parametrize(
    ("text", "record", "message"),
    [
        (LISTED + 'tick="0.01"\nlot="zero"', Instrument, "lot: expected a decimal number"),
        (LISTED + 'tick="0"\nlot="1"', Instrument, "tick: expected more than 0, found '0'"),
        (LISTED + 'tick="0.0000000001"\nlot="1"', Instrument, "tick: expected at most nine"),
        (LISTED + 'tick="99999999999"\nlot="1"', Instrument, "tick: expected at most 922"),
        (
            'symbol=""\nbase="B"\nquote="Q"\ntick="1"\nlot="1"',
            Instrument,
            "symbol: expected a name",
        ),
        ('kind="momentum"\nquantity="1"\nslow_updates=3', StrategySettings, "slow_updates"),
        ('kind="market_maker"\nquantity="1"\nhalf_spread_ppm=0', StrategySettings, "at least 1"),
        ('kind="market_maker"\nquantitty="1"', StrategySettings, "unknown field `quantitty`"),
        ('kind="grid"', StrategySettings, "Invalid value 'grid'"),
        ("breaker_failures=0", VenueLimits, "breaker_failures: expected at least 1, found 0"),
        ("receive_window_ms=60001", VenueLimits, "expected at most 60000, found 60001"),
        ("breaker_backoff_ms_max=1", VenueLimits, "breaker_backoff_ms_max: expected at least 500"),
    ],
)
def test_bad_setting_is_refused_by_name(text: str, record: type, message: str) -> None:
    """The message names the field, what was found and what was expected."""
    with pytest.raises(msgspec.ValidationError) as refusal:
        msgspec.toml.decode(text, type=record)
    assert message in str(refusal.value)


def test_limits_in_the_wrong_order_are_refused() -> None:
    """A smallest order above the largest would let nothing pass, silently."""
    with pytest.raises(
        msgspec.ValidationError, match="quantity_min: expected at most quantity_max"
    ):
        _risk(quantity_min="1", quantity_max="0.5")


def test_size_off_the_lot_is_refused() -> None:
    """No order of that size could ever be sent."""
    with pytest.raises(ValueError, match=r"quantity_max: expected a multiple of 0\.00001"):
        _config(_market("primary", quantity_max="0.123456"))


def test_market_at_an_unknown_venue_is_refused() -> None:
    """The message lists the venues that there are."""
    with pytest.raises(ValueError, match=r"\['primary', 'backup'\], found 'prmary'"):
        _config(_market("prmary"))
