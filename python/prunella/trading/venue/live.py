"""A venue's address and symbols in; what the hot loop says on the connection out, as plain data.

The hot loop holds the sockets and knows no venue: it sends these messages after the handshake, the
ping at its pace, and those of one symbol when only its book has to begin anew.
"""

from collections.abc import Sequence

from prunella.trading.venue.base import Venue

_S = 1_000_000_000
LIFE_PART = 0.95
"""A connection is replaced when this part of the life is over that the venue grants."""


def talk(venue: Venue, symbols: Sequence[str]) -> dict[str, object]:
    """The whole conversation with a venue about its market data.

    Args:
        venue: Whose protocol is spoken.
        symbols: As the venue writes them, at least one.

    Returns:
        `path` behind the stream's address; `subscriptions`, messages in order; by symbol
        `renewals`, the messages that bring one book anew, or `snapshots`, the path of a request
        that does; `ping`, a message and its pace in nanoseconds, or None; `silence_ns` after which
        the connection is dead; `life_ns` after which it is replaced, 0 for no limit.

    Example:
        >>> from prunella.trading.venue.catalogue import venue_named
        >>> told = talk(venue_named("bitstamp"), ["btcusd"])
        >>> told["snapshots"], told["ping"]
        ([('btcusd', '/api/v2/order_book/btcusd/')], ('{"event":"bts:heartbeat"}', 20000000000))
    """
    facts = venue.facts
    paths = [(symbol, venue.snapshot_path(symbol)) for symbol in symbols]
    renewals = [(symbol, venue.book_renewal(symbol)) for symbol in symbols]
    return {
        "path": venue.stream_path(symbols),
        "subscriptions": venue.subscriptions(symbols),
        "renewals": [each for each in renewals if each[1]],
        "snapshots": [each for each in paths if each[1] is not None],
        "ping": None if facts.ping is None else (facts.ping.text, int(facts.ping.every_s * _S)),
        "silence_ns": int(facts.silence_s * _S),
        "life_ns": int(facts.life_s * LIFE_PART * _S),
    }


__all__ = ["talk"]
