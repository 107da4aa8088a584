"""A monitor's events in; the flow of our orders, counted and timed, out. No sockets, no screen."""

import statistics
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from prunella.trading.runtime.monitor_pb2 import Event
from prunella.values import SCALE

RATE_NS = 10_000_000_000
LATEST = 12
LATENCIES_MAX = 10_000
ORDERS_MAX = 100_000
ENDED = ("filled", "canceled", "expired", "rejected", "not_received")


class VenueFlow:
    """What became of the orders of one venue.

    Attributes:
        states: How many orders reached each state.
        denied: Intents that we refused, by reason.
        bought: Executed buys, raw 1e-9 of the base asset.
        sold: Executed sells.
    """

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()
        self.bought = 0
        self.sold = 0
        self.acknowledged_ns: deque[int] = deque(maxlen=LATENCIES_MAX)
        self.sent_at_ns: deque[int] = deque(maxlen=ORDERS_MAX)

    def rate(self, now_ns: int) -> float:
        """Orders sent a second, over the last ten."""
        while self.sent_at_ns and self.sent_at_ns[0] < now_ns - RATE_NS:
            self.sent_at_ns.popleft()
        return len(self.sent_at_ns) * 1e9 / RATE_NS

    def figures(self, now_ns: int) -> dict[str, Any]:
        """All of it as plain data; latencies in milliseconds, quantities in units."""
        sent = self.states["submitted"]
        acknowledged = sorted(self.acknowledged_ns)
        return {
            "sent": sent,
            "sent_per_second": round(self.rate(now_ns), 1),
            **{state: self.states[state] for state in ("accepted", "unknown", *ENDED)},
            "fill_ratio": round(self.states["filled"] / sent, 4) if sent else 0.0,
            "bought": self.bought / SCALE,
            "sold": self.sold / SCALE,
            "acknowledged_ms_p50": _ms(acknowledged, 50),
            "acknowledged_ms_p99": _ms(acknowledged, 99),
            "denied": dict(self.denied),
        }


class OrderFlow:
    """Follows every order from its sending to its end."""

    def __init__(self) -> None:
        self.venues: dict[str, VenueFlow] = {}
        self.latest: deque[str] = deque(maxlen=LATEST)
        self.now_ns = 0
        self._sent_ns: dict[str, int] = {}

    def take(self, event: Event) -> None:
        """Takes in one event; what is not about orders is let pass."""
        self.now_ns = max(self.now_ns, event.ts_ns)
        match event.WhichOneof("what"):
            case "order":
                self._order(event)
            case "fill":
                self._fill(event)
            case "denied":
                self._of(event.denied.venue).denied[event.denied.reason] += 1

    def figures(self) -> dict[str, Any]:
        """By venue, as plain data."""
        return {name: flow.figures(self.now_ns) for name, flow in sorted(self.venues.items())}

    def _of(self, venue: str) -> VenueFlow:
        return self.venues.setdefault(venue, VenueFlow())

    def _order(self, event: Event) -> None:
        order = event.order
        flow = self._of(order.venue)
        flow.states[order.state] += 1
        if order.state == "submitted":
            flow.sent_at_ns.append(event.ts_ns)
            if len(self._sent_ns) < ORDERS_MAX:
                self._sent_ns[order.id] = event.ts_ns
        elif (sent_ns := self._sent_ns.pop(order.id, None)) is not None:
            flow.acknowledged_ns.append(event.ts_ns - sent_ns)
        price, quantity = order.price / SCALE, order.quantity / SCALE
        self.latest.append(
            f"{order.venue} {order.id} {order.side} {quantity:g} {order.symbol} at {price:g}: "
            f"{order.state}"
        )

    def _fill(self, event: Event) -> None:
        fill = event.fill
        flow = self._of(fill.venue)
        if fill.side == "buy":
            flow.bought += fill.quantity
        else:
            flow.sold += fill.quantity
        price, quantity = fill.price / SCALE, fill.quantity / SCALE
        self.latest.append(
            f"{fill.venue} {fill.id} {fill.side} {quantity:g} {fill.symbol} at {price:g}: executed"
        )


def flow_of(events: Iterable[Event]) -> OrderFlow:
    """The flow of these events.

    Example:
        >>> from prunella.trading.runtime.monitor_pb2 import Order
        >>> sent = Order(id="PRN-1-1", venue="primary", side="buy", state="submitted")
        >>> flow_of([Event(ts_ns=5, order=sent)]).figures()["primary"]["sent"]
        1
    """
    flow = OrderFlow()
    for event in events:
        flow.take(event)
    return flow


def _ms(ordered_ns: list[int], percent: int) -> float | None:
    """A percentile in milliseconds; nothing without a value."""
    if len(ordered_ns) < 2:
        return round(ordered_ns[0] / 1e6, 3) if ordered_ns else None
    cuts = statistics.quantiles(ordered_ns, n=100, method="inclusive")
    return round(cuts[percent - 1] / 1e6, 3)
