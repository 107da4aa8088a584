"""One instrument's market: its frames and orders in; answers and published streams out.

A market ties the matching engine to what clients see: it remembers orders and publishes every
visible change through the hub. No sockets here; what an account owns is the venue's.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

from prunella.exchange import refusals
from prunella.exchange.frames import BookFrame, DiffFrame, Frame, TickerFrame
from prunella.exchange.matching import Match, Matching, Wallets
from prunella.exchange.memory import KeptFill, KeptHistory, KeptMarket, Numbers
from prunella.exchange.orders import Fill, Order, decimal, report
from prunella.exchange.settings import ExchangeSettings, SymbolSettings
from prunella.exchange.streams import Hub
from prunella.values import Clock

MS_NS = 1_000_000
PUBLIC_TRADES_MAX = 1_000
# Finished orders that can still be asked for; more than a long demo makes.
FINISHED_ORDERS_MAX = 100_000
FILLS_MAX = 100_000
# What is kept over a restart: far more than an engine has under way, and yet small enough (about
# 250 kB) to be written ten times a second.
KEPT_ORDERS_MAX = 500
KEPT_FILLS_MAX = 1_000
FAST, SLOW = 0, 1

_REFUSED = {
    "balance": "Account has insufficient balance for requested action.",
    "would_take": "Order would immediately match and take.",
}
_encode = msgspec.json.Encoder().encode


class Market:
    """One instrument, its orders and its streams."""

    def __init__(
        self,
        settings: ExchangeSettings,
        symbol: SymbolSettings,
        *,
        wallets: Wallets,
        clock: Clock,
        hub: Hub,
        on_account: Callable[[int, int], None],
    ) -> None:
        """An empty market; `on_account(account, ts_ms)` is told of every account that changed."""
        self.symbol = symbol
        self.frames = 0
        self.loaded = False
        self.trades: deque[dict[str, Any]] = deque(maxlen=PUBLIC_TRADES_MAX)
        self._settings = settings
        self._clock = clock
        self._hub = hub
        self._on_account = on_account
        self._stream = symbol.name.lower()
        self._matching = Matching(
            wallets,
            symbol.base,
            symbol.quote,
            maker_fee_ppm=settings.maker_fee_ppm,
            taker_fee_ppm=settings.taker_fee_ppm,
            fee_in_quote=settings.fee_in_quote,
            lot=symbol.lot,
        )
        self._orders: dict[int, Order] = {}
        self._open: dict[int, Order] = {}
        self._finished: deque[Order] = deque()
        self._by_client_id: dict[tuple[int, str], Order] = {}
        self._fills: deque[Fill] = deque(maxlen=FILLS_MAX)
        self._top: tuple[int, int, int, int] | None = None
        self._executions = 0

    # What is kept over a restart.

    def remember(self) -> KeptMarket:
        """What must not be forgotten when the process ends."""
        update, order, trade = self._matching.numbers()
        finished = list(islice(reversed(self._finished), KEPT_ORDERS_MAX))
        orders = sorted([*finished, *self._open.values()], key=lambda order: order.id)
        known = {order.id for order in orders}
        fills = list(islice(reversed(self._fills), KEPT_FILLS_MAX))[::-1]
        histories = {}
        for number, account in enumerate(self._settings.accounts):
            histories[account.key.api_key] = KeptHistory(
                orders=[order for order in orders if order.account == number],
                fills=[
                    KeptFill.of(fill)
                    for fill in fills
                    if fill.order.account == number and fill.order.id in known
                ],
            )
        return KeptMarket(
            numbers=Numbers(update=update, order=order, trade=trade, execution=self._executions),
            accounts=histories,
        )

    def recall(self, kept: KeptMarket) -> None:
        """Takes up an earlier life; what rested then is cancelled."""
        numbers = kept.numbers.beyond()
        self._matching.resume(
            update_id=numbers.update, last_order=numbers.order, last_trade=numbers.trade
        )
        self._executions = numbers.execution
        numbered = {each.key.api_key: i for i, each in enumerate(self._settings.accounts)}
        orders: list[Order] = []
        fills: list[Fill] = []
        for api_key, history in kept.accounts.items():
            by_id = {order.id: order for order in history.orders}
            orders.extend(history.orders)
            fills.extend(fill.fill(by_id[fill.order]) for fill in history.fills)
            for order in history.orders:
                # The settings may list the accounts in another order than before.
                order.account = numbered[api_key]
        for order in sorted(orders, key=lambda order: order.id):
            if order.is_open:
                order.status, order.updated_ms = "CANCELED", self.now_ms()
            self._orders[order.id] = order
            self._by_client_id[order.account, order.client_order_id] = order
            self._finished.append(order)
        self._fills.extend(sorted(fills, key=lambda fill: fill.trade))

    # What is asked.

    @property
    def update_id(self) -> int:
        """The number of the last visible change."""
        return self._matching.update_id

    @property
    def last_order(self) -> int:
        """The number of the last order taken; it never falls, also over a restart."""
        return self._matching.numbers()[1]

    @property
    def orders_open(self) -> int:
        """Resting orders of all accounts."""
        return self._matching.orders_open

    def now_ms(self) -> int:
        """The venue's time."""
        return self._clock.now_ns() // MS_NS

    def depth(self, limit: int) -> str:
        """A depth snapshot as JSON text."""
        return f'{{"lastUpdateId":{self.update_id},{self._matching.depth(limit)}}}'

    def book_ticker(self) -> dict[str, str]:
        """The best bid and offer in the words of REST."""
        top = self._matching.top() or (0, 0, 0, 0)
        names = ("bidPrice", "bidQty", "askPrice", "askQty")
        return {"symbol": self.symbol.name} | {
            name: decimal(raw) for name, raw in zip(names, top, strict=True)
        }

    def best_ask(self) -> int:
        """The best offer's price, raw; 0 while there is none."""
        return self._top[2] if self._top else 0

    def external_levels(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The played market alone, raw, best first."""
        return self._matching.external_levels()

    def find(self, account: int, order_id: int | None, client_order_id: str | None) -> Order | None:
        """The account's order of this number or (the newest of) this client id."""
        if order_id is not None:
            order = self._orders.get(order_id)
            if order is None or order.account != account:
                return None
            if client_order_id is not None and order.client_order_id != client_order_id:
                return None
            return order
        return self._by_client_id.get((account, client_order_id or ""))

    def open_orders(self, account: int) -> list[Order]:
        """The account's orders that still rest, oldest first."""
        return [order for order in self._open.values() if order.account == account]

    def all_orders(self, account: int) -> Iterable[Order]:
        """The account's orders that are remembered, oldest first."""
        return (order for order in self._orders.values() if order.account == account)

    def fills(self, account: int) -> Iterable[Fill]:
        """The account's executions, oldest first."""
        return (fill for fill in self._fills if fill.order.account == account)

    # What is told.

    def play(self, frame: Frame) -> None:
        """A market frame moves the played market.

        Raises:
            ValueError: A price or quantity is not a decimal; trying again cannot help.
        """
        self.frames += 1
        if isinstance(frame, TickerFrame):
            events = self._matching.ticker(
                frame.bid, frame.bid_quantity, frame.ask, frame.ask_quantity
            )
        elif isinstance(frame, DiffFrame):
            events = self._matching.diff(frame.bids, frame.asks)
        elif isinstance(frame, BookFrame):
            events = self._matching.load(frame.bids, frame.asks)
            self.loaded = True
        else:
            events = self._matching.trade(frame.price, frame.quantity, frame.buyer_is_maker)
        self._tell(events)

    def place(self, order: Order, kind: str) -> list[Fill]:
        """A checked new order; its fills. `order.id` is given here.

        Raises:
            Refusal: Duplicate client order id, not enough balance, or a maker that would take.
        """
        key = (order.account, order.client_order_id)
        known = self._by_client_id.get(key)
        if known is not None and known.is_open:
            raise refusals.order_rejected("Duplicate order sent.")
        quantity = order.quantity
        if order.quote_quantity:
            quantity = self._matching.quantity_for(
                account=order.account, buy=order.buy, quote=order.quote_quantity
            )
            if quantity < self.symbol.quantity_min:
                raise refusals.order_rejected(
                    "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
                )
        number, events, refused = self._matching.place(
            account=order.account, buy=order.buy, kind=kind, price=order.price, quantity=quantity
        )
        if refused is not None:
            raise refusals.order_rejected(_REFUSED[refused])
        order.id, order.quantity = number, quantity
        self._orders[number] = self._open[number] = order
        self._by_client_id[key] = order
        return self._tell(events, of=order)

    def cancel(self, order: Order, cancel_id: str) -> None:
        """Takes an open order out."""
        self._tell(self._matching.cancel(order.id), cancel_id=cancel_id)

    def publish_depth(self, publisher: int) -> None:
        """The changes since this publisher's last time, to those who listen."""
        changes = self._matching.take_changes(publisher)
        name = f"{self._stream}@depth" + ("@100ms" if publisher == FAST else "")
        if changes is not None and self._hub.wanted(name):
            first, last, levels = changes
            self._hub.publish(
                name,
                f'{{"e":"depthUpdate","E":{self.now_ms()},"s":"{self.symbol.name}",'
                f'"U":{first},"u":{last},{levels}}}',
            )
        for levels_max in (5, 10, 20):
            name = f"{self._stream}@depth{levels_max}" + ("@100ms" if publisher == FAST else "")
            if self._hub.wanted(name):
                self._hub.publish(name, self.depth(levels_max))

    # How it is told on.

    def _tell(
        self, events: list[Match], *, of: Order | None = None, cancel_id: str = ""
    ) -> list[Fill]:
        """Brings orders and streams up to what the matching engine did; the fills of `of`."""
        fills = []
        if events:
            ts_ms = self.now_ms()
            accounts: dict[int, None] = {}
            for event in events:
                if event.kind == "printed":
                    self._print(event, ts_ms)
                    continue
                order = self._orders[event.order]
                accounts[order.account] = None
                fill = self._apply(event, order, ts_ms, cancel_id)
                if fill is not None and order is of:
                    fills.append(fill)
            for account in accounts:
                self._on_account(account, ts_ms)
        top = self._matching.top()
        if top != self._top:
            self._top = top
            self._publish_top()
        return fills

    def _apply(self, event: Match, order: Order, ts_ms: int, cancel_id: str) -> Fill | None:
        order.updated_ms = ts_ms
        fill = None
        if event.kind == "accepted":
            execution, cancel_id = "NEW", ""
        elif event.kind == "filled":
            execution, cancel_id = "TRADE", ""
            in_quote = self._settings.fee_in_quote or not order.buy
            fill = Fill(
                trade=event.trade,
                order=order,
                price=event.price,
                quantity=event.quantity,
                fee=event.fee,
                fee_asset=self.symbol.quote if in_quote else self.symbol.base,
                is_maker=event.maker,
                ts_ms=ts_ms,
            )
            self._fills.append(fill)
            order.executed += fill.quantity
            order.executed_quote += fill.quote
            order.status = "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"
        elif event.kind == "canceled":
            execution, order.status = "CANCELED", "CANCELED"
        elif event.kind == "expired_in_match":
            execution, order.status, cancel_id = "TRADE_PREVENTION", "EXPIRED_IN_MATCH", ""
        else:
            execution, order.status, cancel_id = "EXPIRED", "EXPIRED", ""
        if not order.is_open:
            self._finish(order)
        self._executions += 1
        text = _encode(
            report(
                self.symbol,
                order,
                execution,
                execution_id=self._executions,
                ts_ms=ts_ms,
                fill=fill,
                cancel_id=cancel_id,
            )
        )
        self._hub.publish_user(order.account, text.decode())
        return fill

    def _finish(self, order: Order) -> None:
        """Remembers a finished order, and forgets the oldest when there are too many."""
        self._open.pop(order.id, None)
        self._finished.append(order)
        if len(self._finished) > FINISHED_ORDERS_MAX:
            oldest = self._finished.popleft()
            self._orders.pop(oldest.id, None)
            key = (oldest.account, oldest.client_order_id)
            if self._by_client_id.get(key) is oldest:
                del self._by_client_id[key]

    def _print(self, event: Match, ts_ms: int) -> None:
        price, quantity = decimal(event.price), decimal(event.quantity)
        self.trades.append(
            {
                "id": event.trade,
                "price": price,
                "qty": quantity,
                "quoteQty": decimal(event.price * event.quantity // 1_000_000_000),
                "time": ts_ms,
                "isBuyerMaker": event.maker,
                "isBestMatch": True,
            }
        )
        maker = "true" if event.maker else "false"
        self._hub.publish(
            f"{self._stream}@trade",
            f'{{"e":"trade","E":{ts_ms},"s":"{self.symbol.name}","t":{event.trade},'
            f'"p":"{price}","q":"{quantity}","T":{ts_ms},"m":{maker},"M":true}}',
        )

    def _publish_top(self) -> None:
        name = f"{self._stream}@bookTicker"
        if self._top is None or not self._hub.wanted(name):
            return
        bid, bid_quantity, ask, ask_quantity = map(decimal, self._top)
        self._hub.publish(
            name,
            f'{{"u":{self.update_id},"s":"{self.symbol.name}","b":"{bid}","B":"{bid_quantity}",'
            f'"a":"{ask}","A":"{ask_quantity}"}}',
        )
