"""The simulated exchange: a played market and signed orders in, a real venue's protocol out.

A process of its own that speaks Binance spot's public protocol: REST, market streams, and the
WebSocket API with the user data stream. The market is a recording or a seeded synthetic flow;
orders of several accounts are matched against it by price and time. `prunella.exchange.server.run`
starts it; it is not imported here, so that whoever only writes settings need not load a web server.
"""

from prunella.exchange.settings import (
    AccountSettings,
    ApiKey,
    ExchangeSettings,
    MarketSettings,
    SymbolSettings,
    ensure_venue_key,
    read_key,
)

__all__ = [
    "AccountSettings",
    "ApiKey",
    "ExchangeSettings",
    "MarketSettings",
    "SymbolSettings",
    "ensure_venue_key",
    "read_key",
]
