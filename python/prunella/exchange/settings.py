"""What a simulated exchange is started with: frozen records in, nothing computed."""

import os
import secrets
from pathlib import Path

import msgspec

from prunella.errors import ConfigError
from prunella.values import SCALE


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client signs with, as stored in `keys/venue.key`."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return f"ApiKey(api_key={self.api_key!r}, secret=...)"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account: its key and what it starts with (raw 1e-9)."""

    key: ApiKey
    balances: dict[str, int] = msgspec.field(
        default_factory=lambda: {"BTC": 10 * SCALE, "USDT": 1_000_000 * SCALE}
    )


class SymbolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument that is traded, with its filters (raw 1e-9)."""

    # The venue's own name for it; empty: base and quote together.
    symbol: str = ""
    base: str = "BTC"
    quote: str = "USDT"
    tick: int = 10_000_000
    lot: int = 10_000
    quantity_min: int = 10_000
    quantity_max: int = 9_000 * SCALE
    price_max: int = 1_000_000 * SCALE
    notional_min: int = 5 * SCALE
    notional_max: int = 9_000_000 * SCALE
    # Where a synthetic market begins.
    start_price: int = 61_500 * SCALE

    @property
    def name(self) -> str:
        """The venue's symbol, such as `BTCUSDT`."""
        return self.symbol or self.base + self.quote


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument and what is played in it."""

    symbol: SymbolSettings = SymbolSettings()
    # Recordings are played one after the other; none: a synthetic order flow from the seed.
    recordings: tuple[Path, ...] = ()


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated exchange: its place, its market, its accounts and its limits."""

    name: str = "primary"
    host: str = "127.0.0.1"
    port: int
    markets: tuple[MarketSettings, ...] = (MarketSettings(),)
    accounts: tuple[AccountSettings, ...] = ()
    # Where the accounts outlive the process; none: they begin anew at each start.
    state_file: Path | None = None
    # Where it is told to misbehave; none: it cannot be.
    control_socket: Path | None = None
    admin_token: str
    read_token: str
    seed: int = 1
    speed: float = 1.0
    # At the end of the recordings: start again, or let the market stand still.
    repeat: bool = True
    maker_fee_ppm: int = 1_000
    taker_fee_ppm: int = 1_000
    # Fees in the quote currency keep the base balance equal to the position; Binance itself takes
    # them from the received asset unless the account pays in BNB.
    fee_in_quote: bool = True
    weight_per_minute: int = 6_000
    # Three times Binance's: the engine's own limit of 20 a second has to be the tighter one.
    orders_per_10s: int = 300
    orders_per_day: int = 200_000
    # How long a client that ignores Retry-After is banned (418).
    ban_s: int = 120
    # Messages that a client may be behind before it is dropped: about 20 s of a busy market.
    client_queue_max: int = 4_096
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 60.0
    # PEM files of the certificate and its key: then everything is served over TLS.
    certificate: Path | None = None
    certificate_key: Path | None = None


def ensure_venue_key(path: Path) -> ApiKey:
    """The key in the file; made (mode 0600) when there is none.

    Raises:
        ConfigError: The file is there but not such a key; trying again cannot help.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_key(path)
    key = ApiKey(api_key=secrets.token_hex(32), secret=secrets.token_hex(32))
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(key))
    return key


def read_key(path: Path) -> ApiKey:
    """The key in a `venue.key` file.

    Raises:
        ConfigError: The file is missing or not such a key; trying again cannot help.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ApiKey)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the API key: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        expected = 'expected {"api_key": "...", "secret": "..."}'
        raise ConfigError(f"{path}: {expected}: {error}") from None
