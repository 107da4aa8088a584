"""What a venue must not forget in, a file out; and the other way round at the next start.

A real venue does not forget its clients' money when a server of its restarts. So the balances, the
newest orders and trades, and the numbers given last are written to `state_file`: whole, beside the
old file, synced and renamed over it, whenever an account has changed, at most every 100 ms, and at
SIGTERM. What is lost: nothing at SIGTERM; at `kill -9` or a power cut the last 100 ms, so a trade
in them that a client has seen is forgotten, and that client rightly reports a break.

Resting orders do not survive: a venue that stops cancels them all. They come back as `CANCELED`,
with what was locked in them free again. The public market is not kept, for it is played to us.
"""

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from prunella.errors import ConfigError
from prunella.exchange.orders import Fill, Order

# How far the numbers jump at a start, so that none is given twice after a kill -9. The file is
# written anew before half of it is used up.
NUMBERS_GAP = 1_000_000


class KeptFill(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An execution; its order is told by number."""

    trade: int
    order: int
    price: int
    quantity: int
    fee: int
    fee_asset: str
    is_maker: bool
    ts_ms: int

    @classmethod
    def of(cls, fill: Fill) -> "KeptFill":
        """The fill, to be kept."""
        return cls(
            trade=fill.trade,
            order=fill.order.id,
            price=fill.price,
            quantity=fill.quantity,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            is_maker=fill.is_maker,
            ts_ms=fill.ts_ms,
        )

    def fill(self, order: Order) -> Fill:
        """The fill again, of its order."""
        return Fill(
            trade=self.trade,
            order=order,
            price=self.price,
            quantity=self.quantity,
            fee=self.fee,
            fee_asset=self.fee_asset,
            is_maker=self.is_maker,
            ts_ms=self.ts_ms,
        )


class KeptHistory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest orders and fills of one account in one market."""

    orders: list[Order]
    fills: list[KeptFill]


class Numbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers given last."""

    update: int
    order: int
    trade: int
    execution: int

    def beyond(self) -> "Numbers":
        """Above all that may have been given since."""
        return Numbers(
            update=self.update + NUMBERS_GAP,
            order=self.order + NUMBERS_GAP,
            trade=self.trade + NUMBERS_GAP,
            execution=self.execution + NUMBERS_GAP,
        )


class KeptMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market: its numbers, and its histories by API key."""

    numbers: Numbers
    accounts: dict[str, KeptHistory]


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each account owns (by API key and asset, free or locked, raw 1e-9), and the markets."""

    version: Literal[2] = 2
    balances: dict[str, dict[str, int]]
    markets: dict[str, KeptMarket]


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: the memory as it stands there, and its SHA-256 against silent damage."""

    sha256: str
    state: msgspec.Raw


_encode = msgspec.json.Encoder().encode


def sealed(memory: Memory) -> bytes:
    """The text of the file."""
    state = _encode(memory)
    seal = hashlib.sha256(state).hexdigest()
    return _encode(_Sealed(sha256=seal, state=msgspec.Raw(state)))


def load(path: Path | None) -> Memory | None:
    """The memory in the file; nothing when there is no file yet.

    Raises:
        ConfigError: The file cannot be read or is damaged; the message says what helps.
    """
    if path is None:
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Sealed)
        if hashlib.sha256(found.state).hexdigest() != found.sha256:
            raise _damaged(path, "its SHA-256 is not that of its contents")
        return msgspec.json.decode(found.state, type=Memory)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the accounts: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None


def check(memory: Memory, path: Path, *, symbols: set[str], api_keys: set[str]) -> None:
    """Refuses a memory of another market or of accounts that the settings do not have.

    Raises:
        ConfigError: As said; trying again cannot help.
    """
    others = memory.markets.keys() - symbols
    if others:
        expected, found = ", ".join(sorted(symbols)), min(others)
        raise ConfigError(f"{path}: expected the accounts of {expected}, found {found}")
    strangers = memory.balances.keys() - api_keys
    if strangers:
        raise ConfigError(
            f"{path}: holds an account whose API key ({min(strangers)[:8]}...) is not in the "
            "settings; give its key file back, or delete the file to begin with fresh accounts"
        )


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path}: the exchange's accounts are damaged: {why}; put a copy of the file back, or "
        "delete it to begin with fresh accounts (an engine that traded with the old ones will "
        "then report a break: give it a fresh home too)"
    )
