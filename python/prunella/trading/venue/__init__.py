"""Where a venue listens and as whom we trade there: settings in, addresses and a key out."""

from pathlib import Path

import msgspec

from prunella.errors import ConfigError


class VenueEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses of a venue that speaks Binance spot's protocol.

    Live trading goes over TLS (`https`, `wss`). Plain `http` and `ws` are for this host alone
    (127.0.0.1), where the simulated exchange is; anywhere else they are refused.

    Attributes:
        rest_url: REST, `https://HOST[:PORT]`.
        stream_url: Market data streams, `wss://HOST[:PORT]`.
        ws_api_url: The WebSocket API with the user stream, `wss://HOST[:PORT]`.
        ca_file: Certificates (PEM) of the only authorities that are believed; empty believes those
            that browsers believe.
    """

    rest_url: str
    stream_url: str
    ws_api_url: str
    ca_file: str = ""


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
