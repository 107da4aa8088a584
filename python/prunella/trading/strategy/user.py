"""Base class of strategies that people write: what happens in; what is wanted out.

One object serves backtest and live trading. It runs in a process of its own when live, so that a
loop or a crash of it cannot touch the engine; every intent passes the engine's risk check in both.
Prices and quantities are raw integers of 1e-9, as everywhere; `Book` has floats for thinking.
"""

import struct
from array import array
from typing import Any, ClassVar, Literal

import msgspec

ONE = 10**9
_BOOK, _TRADE, _FILL, _TIMER = 1, 2, 3, 4
_INTENTS, _PLACE, _CANCEL = 4, 0, 1
_LIVES = {"post_only": 0, "until_cancelled": 1, "immediate": 2, "all_or_nothing": 3}
Life = Literal["post_only", "until_cancelled", "immediate", "all_or_nothing"]
_ASKED = struct.Struct("<2q")


class OpenOrder(msgspec.Struct, frozen=True, gc=False):
    """A working order of this strategy.

    Attributes:
        id: Its number, for `cancel`.
        sells: Whether it sells.
        price: Limit, raw.
        remaining: What may still fill, raw.
    """

    id: int
    sells: bool
    price: int
    remaining: int


class Book(msgspec.Struct, gc=False):
    """One market now; the same object is given again with new values.

    Attributes:
        market: Its number.
        now_ns: Nanoseconds UTC.
        bid: Best bid, raw.
        bid_quantity: What rests there, raw.
        ask: Best offer, raw.
        ask_quantity: What rests there, raw.
        position: Held by this strategy there, raw; negative is short.
        orders: Working orders of this strategy there.
    """

    market: int = 0
    now_ns: int = 0
    bid: int = 0
    bid_quantity: int = 0
    ask: int = 0
    ask_quantity: int = 0
    position: int = 0
    orders: list[OpenOrder] = msgspec.field(default_factory=list)

    @property
    def mid(self) -> int:
        """The middle of bid and ask, raw, rounded down."""
        return (self.bid + self.ask) // 2

    @property
    def microprice(self) -> int:
        """The price between bid and ask, nearer to the thinner side, raw, rounded down."""
        total = self.bid_quantity + self.ask_quantity
        return (self.bid * self.ask_quantity + self.ask * self.bid_quantity) // total


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public trade; `seller_took` is whether the seller was the taker. Raw integers."""

    market: int
    now_ns: int
    price: int
    quantity: int
    seller_took: bool


class Fill(msgspec.Struct, frozen=True, gc=False):
    """An execution of an own order. Raw integers; `position` is held afterwards."""

    market: int
    now_ns: int
    id: int
    sells: bool
    price: int
    quantity: int
    fee: int
    position: int


class NoParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a strategy that has none."""


class Strategy:
    """Subclass this, override what you need, and name it `path/to/file.py:YourClass`.

    Attributes:
        Parameters: A `msgspec.Struct` with the strategy's parameters and their defaults.

    Example:
        >>> class Buyer(Strategy):
        ...     def on_book(self, book: Book) -> None:
        ...         if not book.orders and not book.position:
        ...             self.buy(book.market, price=book.bid, quantity=ONE // 100)
        >>> buyer = Buyer()
        >>> told = array("q", [1, 0, 50, 100 * ONE, ONE, 101 * ONE, ONE, 0, 0])
        >>> array("q", buyer.handle(told.tobytes())).tolist()
        [4, 50, 0, 0, 0, 100000000000, 10000000, 0]
    """

    Parameters: ClassVar[type[msgspec.Struct]] = NoParameters

    def __init__(self, parameters: Any = None) -> None:
        self.parameters: Any = parameters if parameters is not None else self.Parameters()
        self.books: dict[int, Book] = {}
        self._wishes: list[int] = []
        self._wants_books = type(self).on_book is not Strategy.on_book

    def on_start(self) -> None:
        """Before anything else."""

    def on_book(self, book: Book) -> None:
        """A best price, a position or an order of ours changed."""

    def on_trade(self, trade: Trade) -> None:
        """Somebody traded."""

    def on_fill(self, fill: Fill) -> None:
        """An own order traded."""

    def on_timer(self, now_ns: int) -> None:
        """Ten milliseconds or more have passed."""

    def buy(self, market: int, *, price: int, quantity: int, life: Life = "post_only") -> None:
        """Wants to buy; the engine checks it. Raw integers."""
        self._wishes += (_PLACE, market, 0, price, quantity, _LIVES[life])

    def sell(self, market: int, *, price: int, quantity: int, life: Life = "post_only") -> None:
        """Wants to sell; the engine checks it. Raw integers."""
        self._wishes += (_PLACE, market, 1, price, quantity, _LIVES[life])

    def cancel(self, market: int, order: int) -> None:
        """Wants an own order cancelled, by its `OpenOrder.id`."""
        self._wishes += (_CANCEL, market, order, 0, 0, 0)

    def quote(
        self, book: Book, *, bid: int | None, ask: int | None, quantity: int, tolerance: int = 0
    ) -> None:
        """Wants one resting order a side at these prices; others of ours there are cancelled.

        Args:
            book: The market.
            bid: Price to buy at, raw; None for no order.
            ask: Price to sell at, raw; None for no order.
            quantity: Of each, raw.
            tolerance: An order that is off by at most this keeps its place in the queue, raw.
        """
        for sells, wanted in ((False, bid), (True, ask)):
            resting = [order for order in book.orders if order.sells == sells]
            for order in resting:
                if wanted is None or abs(order.price - wanted) > tolerance:
                    self.cancel(book.market, order.id)
            if wanted is not None and not resting:
                place = self.sell if sells else self.buy
                place(book.market, price=wanted, quantity=quantity)

    def handle(self, message: bytes) -> bytes:
        """One message of the engine in; the answer out, empty when nothing is wanted.

        The wire's form is told in `crates/feed/src/strategy.rs`.
        """
        numbers = memoryview(message).cast("q")
        kind, market, now_ns = numbers[0], numbers[1], numbers[2]
        if kind == _BOOK:
            if self._wants_books:
                self.on_book(self._book(market, now_ns, numbers))
        elif kind == _TRADE:
            took = bool(numbers[5])
            self.on_trade(Trade(market, now_ns, numbers[3], numbers[4], took))
        elif kind == _FILL:
            price, quantity, fee, position = numbers[5:9]
            sells = bool(numbers[4])
            self.on_fill(Fill(market, now_ns, numbers[3], sells, price, quantity, fee, position))
        elif kind == _TIMER:
            self.on_timer(now_ns)
        if not self._wishes:
            return b""
        answer = _ASKED.pack(_INTENTS, now_ns) + array("q", self._wishes).tobytes()
        self._wishes.clear()
        return answer

    def _book(self, market: int, now_ns: int, numbers: "memoryview[int]") -> Book:
        book = self.books.get(market)
        if book is None:
            book = self.books[market] = Book(market=market)
        book.now_ns = now_ns
        _, _, _, book.bid, book.bid_quantity, book.ask, book.ask_quantity, held, count = numbers[:9]
        book.position = held
        book.orders = [
            OpenOrder(numbers[at], bool(numbers[at + 1]), numbers[at + 2], numbers[at + 3])
            for at in range(9, 9 + 4 * count, 4)
        ]
        return book
