"""A stack's settings in; what one of its simulated exchanges plays, and with what, out."""

from pathlib import Path

from prunella.config import PlayedInstrument, Settings
from prunella.exchange import MarketSettings, SymbolSettings
from prunella.values import SCALE, parse_fixed

QUOTE_AT_START = 1_000_000 * SCALE
BASE_AT_START = 10 * SCALE


def markets_of(settings: Settings, venue: str) -> tuple[MarketSettings, ...]:
    """The markets of a venue, in the order of the settings."""
    played = settings.market.instruments
    first = PlayedInstrument(recordings=settings.market.recordings)
    listed = [market for market in settings.trading.markets() if market.venue == venue]
    markets = []
    for number, each in enumerate(listed):
        here = played.get(each.name, first if number == 0 else PlayedInstrument())
        instrument = each.instrument
        lot = parse_fixed(instrument.lot)
        symbol = SymbolSettings(
            symbol=instrument.symbol,
            base=instrument.base,
            quote=instrument.quote,
            tick=parse_fixed(instrument.tick),
            lot=lot,
            quantity_min=lot,
            start_price=parse_fixed(here.start_price),
        )
        recordings = tuple(Path(recording) for recording in here.recordings)
        markets.append(MarketSettings(symbol=symbol, recordings=recordings))
    return tuple(markets)


def balances_of(markets: tuple[MarketSettings, ...]) -> dict[str, int]:
    """What an account begins with, raw 1e-9."""
    balances = {market.symbol.quote: QUOTE_AT_START for market in markets}
    return balances | {market.symbol.base: BASE_AT_START for market in markets}
