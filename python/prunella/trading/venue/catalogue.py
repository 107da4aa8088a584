"""All venues whose market data can be recorded and decoded, by the name that is typed."""

from prunella.errors import UsageError
from prunella.trading.venue.base import Venue
from prunella.trading.venue.binance import COIN_M, SPOT, USD_M
from prunella.trading.venue.bitstamp import BITSTAMP, BITSTAMP_ORDERS
from prunella.trading.venue.coinbase import COINBASE
from prunella.trading.venue.kraken import KRAKEN
from prunella.trading.venue.okx import OKX

_ALL: tuple[Venue, ...] = (
    SPOT,
    USD_M,
    COIN_M,
    COINBASE,
    KRAKEN,
    OKX,
    BITSTAMP,
    BITSTAMP_ORDERS,
)

VENUES: dict[str, Venue] = {venue.facts.name: venue for venue in _ALL}


def venue_named(name: str) -> Venue:
    """The venue of a name.

    Raises:
        UsageError: There is none of this name; the message lists those that there are.

    Example:
        >>> venue_named("kraken").facts.symbol
        'BTC/USD'
    """
    try:
        return VENUES[name]
    except KeyError:
        raise UsageError(f"no venue {name!r}; there are {', '.join(VENUES)}") from None


__all__ = ["VENUES", "venue_named"]
