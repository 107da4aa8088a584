"""Requests in; counts and refusals out: request weight per address, new orders per account."""

import msgspec

from prunella.exchange import refusals
from prunella.exchange.settings import ExchangeSettings

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
# Requests sent in spite of Retry-After before the address is banned.
IGNORED_MAX = 10
# Addresses remembered; the simulated exchange serves one machine.
ADDRESSES_MAX = 1_024


class _Window(msgspec.Struct):
    """A count within a fixed interval of the clock, as the venue counts."""

    interval_ns: int
    started: int = -1
    count: int = 0

    def add(self, now_ns: int, amount: int) -> int:
        """The count after adding."""
        current = now_ns // self.interval_ns
        if current != self.started:
            self.started, self.count = current, 0
        self.count += amount
        return self.count

    def left_s(self, now_ns: int) -> int:
        """Whole seconds until the interval ends, at least 1."""
        return max(1, -(-(self.interval_ns - now_ns % self.interval_ns) // SECOND_NS))


class _Address(msgspec.Struct):
    """What one address has used and whether it was told to wait."""

    weight: _Window
    wait_until_ns: int = 0
    ignored: int = 0
    banned_until_ns: int = 0


class Limits:
    """The venue's rate limits."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[int, tuple[_Window, _Window]] = {}

    def use(self, address: str, weight: int, now_ns: int) -> int:
        """Counts a request's weight; the weight used in this minute.

        Raises:
            Refusal: 429 when it is used up, 418 for an address that went on in spite of that.
        """
        state = self._addresses.get(address)
        if state is None:
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.pop(next(iter(self._addresses)))
            state = self._addresses[address] = _Address(weight=_Window(interval_ns=MINUTE_NS))
        if now_ns < state.banned_until_ns:
            wait_s = -(-(state.banned_until_ns - now_ns) // SECOND_NS)
            raise refusals.banned(state.banned_until_ns // 1_000_000, wait_s)
        used = state.weight.add(now_ns, weight)
        if used <= self._settings.weight_per_minute:
            state.ignored = 0
            return used
        if now_ns < state.wait_until_ns:
            state.ignored += 1
            if state.ignored > IGNORED_MAX:
                state.banned_until_ns = now_ns + self._settings.ban_s * SECOND_NS
                state.ignored = 0
                raise refusals.banned(state.banned_until_ns // 1_000_000, self._settings.ban_s)
        wait_s = state.weight.left_s(now_ns)
        state.wait_until_ns = now_ns + wait_s * SECOND_NS
        raise refusals.weight_used(self._settings.weight_per_minute, wait_s)

    def used(self, address: str, now_ns: int) -> int:
        """The weight used in this minute."""
        state = self._addresses.get(address)
        return state.weight.add(now_ns, 0) if state else 0

    def order(self, account: int, now_ns: int) -> tuple[int, int]:
        """Counts a new order; the counts of ten seconds and of the day.

        Raises:
            Refusal: 429 when there were too many.
        """
        short, long = self._orders.setdefault(
            account, (_Window(interval_ns=10 * SECOND_NS), _Window(interval_ns=DAY_NS))
        )
        counts = short.add(now_ns, 1), long.add(now_ns, 1)
        if counts[0] > self._settings.orders_per_10s:
            limit = self._settings.orders_per_10s
            raise refusals.too_many_orders(limit, "10 SECOND", short.left_s(now_ns))
        if counts[1] > self._settings.orders_per_day:
            limit = self._settings.orders_per_day
            raise refusals.too_many_orders(limit, "1 DAY", long.left_s(now_ns))
        return counts

    def orders(self, account: int, now_ns: int) -> tuple[int, int]:
        """The counts of new orders in ten seconds and in the day."""
        windows = self._orders.get(account)
        return (windows[0].add(now_ns, 0), windows[1].add(now_ns, 0)) if windows else (0, 0)
