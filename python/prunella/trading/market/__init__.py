"""What is traded: an instrument's symbol and steps, as text in settings, exact integers inside."""

import msgspec

from prunella.trading.market.book import Book as Book
from prunella.values import parse_fixed

RAW_MAX = 2**63 - 1


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument as a venue lists it.

    Attributes:
        symbol: The venue's symbol, such as `BTCUSDT`.
        base: The asset that is bought and sold, such as `BTC`.
        quote: The asset that prices are in, such as `USDT`; fees and balances are read in it.
        tick: Smallest price step, decimal text.
        lot: Smallest quantity step, decimal text.
    """

    symbol: str
    base: str
    quote: str
    tick: str
    lot: str

    def __post_init__(self) -> None:
        """Refuses steps that are not positive decimals."""
        for field, example in (("symbol", "BTCUSDT"), ("base", "BTC"), ("quote", "USDT")):
            if not getattr(self, field):
                raise ValueError(f"{field}: expected a name such as {example!r}, found nothing")
        positive("tick", self.tick)
        positive("lot", self.lot)


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs at one venue; what is empty is as the instrument says.

    Attributes:
        symbol: The venue's own symbol.
        tick: The venue's own price step, decimal text.
        lot: The venue's own quantity step, decimal text.
    """

    symbol: str = ""
    tick: str = ""
    lot: str = ""

    def of(self, instrument: Instrument) -> Instrument:
        """The instrument as this venue lists it.

        Example:
            >>> btc = Instrument(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01", lot="1")
            >>> Listing(symbol="XBTUSDT").of(btc).symbol
            'XBTUSDT'
        """
        return Instrument(
            symbol=self.symbol or instrument.symbol,
            base=instrument.base,
            quote=instrument.quote,
            tick=self.tick or instrument.tick,
            lot=self.lot or instrument.lot,
        )


def positive(field: str, text: str) -> int:
    """A setting's name and decimal text in, its raw 1e-9 integer out; positive and within range.

    Raises:
        ValueError: The text is no decimal, not positive, or beyond what the core can hold; the
            message names the field. Trying again cannot help.

    Example:
        >>> positive("tick", "0.01")
        10000000
    """
    try:
        raw = parse_fixed(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if raw <= 0:
        raise ValueError(f"{field}: expected more than 0, found {text!r}")
    if raw > RAW_MAX:
        raise ValueError(f"{field}: expected at most 9223372036.854775807, found {text!r}")
    return raw


def at_least(field: str, value: int, least: int) -> None:
    """Refuses a whole number below `least`, naming the field.

    Raises:
        ValueError: The value is too small; trying again cannot help.
    """
    if value < least:
        raise ValueError(f"{field}: expected at least {least}, found {value}")
