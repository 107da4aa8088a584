"""What we hold in one market and what it earned; raw 1e-9 integers, as the core keeps them."""

import msgspec


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market's position at one moment.

    Attributes:
        venue: The venue's name.
        symbol: The venue's symbol.
        quantity: Base units held, raw 1e-9; negative is short.
        average_cost: Raw 1e-9 price; `None` when flat.
        realised: Profit of what was closed, before fees, raw 1e-9 quote units.
        unrealised: Profit that closing at the mark would realise, raw 1e-9 quote units.
        fees: Fees paid, raw 1e-9 quote units.
    """

    venue: str
    symbol: str
    quantity: int
    average_cost: int | None
    realised: int
    unrealised: int
    fees: int

    def profit(self) -> int:
        """Everything together: realised and unrealised less fees, raw 1e-9 quote units."""
        return self.realised + self.unrealised - self.fees
