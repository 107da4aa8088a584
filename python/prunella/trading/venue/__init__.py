"""Where a venue listens and as whom we trade there: settings in, addresses and a key out."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from prunella.errors import ConfigError
from prunella.trading.venue.base import Venue
from prunella.trading.venue.catalogue import VENUES
from prunella.trading.venue.live import talk


class VenueEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses of a venue: one that we trade with, or one whose market data alone is used.

    Live trading goes over TLS (`https`, `wss`). Plain `http` and `ws` are for this host alone
    (127.0.0.1), where the simulated exchange is; anywhere else they are refused.

    Attributes:
        protocol: Empty for a venue that we trade with, which speaks Binance spot's protocol. Else a
            name of the table of venues, such as `kraken`: only its market data is used.
        rest_url: REST, `https://HOST[:PORT]`. With a `protocol`, empty is the venue's own.
        stream_url: Market data streams, `wss://HOST[:PORT]`. With a `protocol`, empty is the
            venue's own.
        ws_api_url: The WebSocket API with the user stream, `wss://HOST[:PORT]`; none with a
            `protocol`.
        ca_file: Certificates (PEM) of the only authorities that are believed; empty believes those
            that browsers believe.
    """

    protocol: str = ""
    rest_url: str = ""
    stream_url: str = ""
    ws_api_url: str = ""
    ca_file: str = ""

    def __post_init__(self) -> None:
        """Refuses a venue that is not in the table, and one that we could not trade with."""
        if self.protocol and self.protocol not in VENUES:
            raise ValueError(f"protocol: expected one of {[*VENUES]}, found {self.protocol!r}")
        if self.protocol and self.ws_api_url:
            raise ValueError("ws_api_url: expected none where only market data is used")
        for name in ("rest_url", "stream_url", "ws_api_url"):
            if not self.protocol and not getattr(self, name):
                raise ValueError(f"{name}: expected the address of a venue to trade with")

    @property
    def venue(self) -> Venue | None:
        """The venue whose market data alone is used; None for one that we trade with."""
        return VENUES.get(self.protocol)

    def raw(self, symbols: Sequence[str]) -> dict[str, object]:
        """The form that the compiled core reads, for these symbols; without a key.

        Example:
            >>> VenueEndpoint(protocol="kraken").raw(["BTC/USD"])["stream_url"]
            'wss://ws.kraken.com'
        """
        venue = self.venue
        addresses: dict[str, object] = {"ca_file": self.ca_file}
        if venue is None:
            names = ("rest_url", "stream_url", "ws_api_url")
            return addresses | {name: getattr(self, name) for name in names}
        return addresses | {
            "rest_url": self.rest_url or venue.facts.rest_url,
            "stream_url": self.stream_url or venue.facts.stream_url,
            "talk": talk(venue, symbols),
        }


class VenueKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key with its secret, as stored in a key file."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return f"VenueKey(api_key={self.api_key!r}, secret=...)"


def local_endpoint(port: int) -> VenueEndpoint:
    """The endpoint of a simulated exchange on this host.

    Example:
        >>> local_endpoint(9001).stream_url
        'ws://127.0.0.1:9001'
    """
    return VenueEndpoint(
        rest_url=f"http://127.0.0.1:{port}",
        stream_url=f"ws://127.0.0.1:{port}",
        ws_api_url=f"ws://127.0.0.1:{port}",
    )


def read_venue_key(path: Path) -> VenueKey:
    """The key in a key file.

    Raises:
        ConfigError: The file is missing or not such a key; trying again cannot help.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=VenueKey)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the API key: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        expected = 'expected {"api_key": "...", "secret": "..."}'
        raise ConfigError(f"{path}: {expected}: {error}") from None


__all__ = ["VenueEndpoint", "VenueKey", "local_endpoint", "read_venue_key"]
