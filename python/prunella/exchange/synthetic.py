"""A seed in, a market that looks alive out: drift, clustered arrivals, hundreds of levels.

A fair price wanders: small steps, and a drift that changes every few seconds. What happens makes
more happen: arrivals are a self-exciting (Hawkes) process with an exponential kernel, so that they
come in clusters as recorded ones do, calm for seconds and then hundreds in a moment. Around the
price strangers rest with sizes that grow with the distance; they come, go and are traded with, the
more the nearer they are.

Source: Hawkes (1971), "Spectra of some self-exciting and mutually exciting point processes";
simulated by thinning (Ogata, 1981).
"""

import math
import random
from collections.abc import Iterator

from prunella.exchange.frames import BookFrame, DiffFrame, Frame, Levels, TradeFrame
from prunella.exchange.settings import SymbolSettings
from prunella.values import format_fixed

SECOND_NS = 1_000_000_000
# About the pace of a busy spot market: some 150 frames a second on average.
STEPS_PER_SECOND = 140
# Share of steps that another step has caused; recorded order flow is between 0.5 and 0.9.
BRANCHING = 0.7
# How fast the excitement of one step fades, per second.
DECAY_PER_SECOND = 12.0
DRIFT_STEPS = 600
LEVELS = 400


class SyntheticMarket:
    """An endless seeded order flow for a symbol.

    Example:
        >>> market = SyntheticMarket(SymbolSettings(), seed=7)
        >>> _, first = next(market.frames())
        >>> len(first.bids) == len(first.asks) == LEVELS
        True
    """

    def __init__(self, symbol: SymbolSettings, *, seed: int) -> None:
        self._symbol = symbol
        self._seed = seed

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Frames of the market, the same for the same seed."""
        flow = _Flow(self._symbol, random.Random(self._seed))  # noqa: S311 - a simulation, not a secret
        yield 0, flow.book()
        arrivals = _Arrivals(flow.random)
        for step, now_ns in enumerate(arrivals):
            if step % DRIFT_STEPS == 0:
                flow.turn()
            for frame in flow.step():
                yield now_ns, frame


class _Arrivals:
    """Times of a self-exciting process, nanoseconds, strictly rising, without end."""

    def __init__(self, source: random.Random) -> None:
        self._random = source

    def __iter__(self) -> Iterator[int]:
        base = STEPS_PER_SECOND * (1 - BRANCHING)
        jump = BRANCHING * DECAY_PER_SECOND
        now_s, now_ns, excitement = 0.0, 0, 0.0
        while True:
            # The intensity only falls until the next arrival, so that its value now bounds it.
            bound = base + excitement
            wait_s = self._random.expovariate(bound)
            now_s += wait_s
            excitement *= math.exp(-DECAY_PER_SECOND * wait_s)
            if self._random.random() * bound > base + excitement:
                continue
            excitement += jump
            now_ns = max(now_ns + 1, int(now_s * SECOND_NS))
            yield now_ns


class _Flow:
    """The state of the order flow; prices in ticks, quantities in lots."""

    def __init__(self, symbol: SymbolSettings, source: random.Random) -> None:
        self.random = source
        self._symbol = symbol
        start = symbol.start_price // symbol.tick
        self._fair = float(start)
        self._drift = 0.0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        for distance in range(1, LEVELS + 1):
            self._bids[start - distance] = self._size(distance)
            self._asks[start + distance] = self._size(distance)

    def book(self) -> BookFrame:
        return BookFrame(
            bids=self._levels(self._bids, list(self._bids)),
            asks=self._levels(self._asks, list(self._asks)),
        )

    def turn(self) -> None:
        """The market changes its mind."""
        self._drift = self.random.gauss(0, 1.0)

    def step(self) -> list[Frame]:
        """One moment: the fair price moves, somebody trades, orders come and go."""
        self._fair += self._drift + self.random.gauss(0, 6.0)
        frames: list[Frame] = []
        touched_bids: set[int] = set()
        touched_asks: set[int] = set()
        if self.random.random() < 0.2:
            frames.append(self._trade(touched_bids, touched_asks))
        self._move(self._bids, self._asks, touched_bids, touched_asks)
        for levels, touched, sign in (
            (self._bids, touched_bids, -1),
            (self._asks, touched_asks, 1),
        ):
            for _ in range(self.random.randrange(1, 4)):
                distance = 1 + min(int(self.random.expovariate(1 / 12)), LEVELS - 1)
                price = round(self._fair) + sign * distance
                levels[price] = self._size(distance)
                touched.add(price)
            self._trim(levels, touched, sign)
        frames.append(
            DiffFrame(
                bids=self._levels(self._bids, sorted(touched_bids, reverse=True)),
                asks=self._levels(self._asks, sorted(touched_asks)),
            )
        )
        return frames

    def _trade(self, touched_bids: set[int], touched_asks: set[int]) -> TradeFrame:
        buys = self.random.random() < 0.5 + max(-0.3, min(0.3, self._drift / 3))
        levels, touched = (self._asks, touched_asks) if buys else (self._bids, touched_bids)
        price = min(levels) if buys else max(levels)
        quantity = max(1, min(levels[price], int(self.random.paretovariate(1.2) * 40)))
        levels[price] -= quantity
        if levels[price] == 0:
            del levels[price]
        touched.add(price)
        lot, tick = self._symbol.lot, self._symbol.tick
        return TradeFrame(
            price=format_fixed(price * tick, 8),
            quantity=format_fixed(quantity * lot, 8),
            buyer_is_maker=not buys,
        )

    def _move(
        self,
        bids: dict[int, int],
        asks: dict[int, int],
        touched_bids: set[int],
        touched_asks: set[int],
    ) -> None:
        """Whoever is on the wrong side of the fair price leaves."""
        fair = round(self._fair)
        for price in [price for price in bids if price >= fair]:
            del bids[price]
            touched_bids.add(price)
        for price in [price for price in asks if price <= fair]:
            del asks[price]
            touched_asks.add(price)
        for levels, touched, price in (
            (bids, touched_bids, fair - 1),
            (asks, touched_asks, fair + 1),
        ):
            if price not in levels:
                levels[price] = self._size(1)
                touched.add(price)

    def _trim(self, levels: dict[int, int], touched: set[int], sign: int) -> None:
        """Keeps the depth at its size: the furthest leave, missing ones come at the far end."""
        while len(levels) > LEVELS:
            price = max(levels) if sign > 0 else min(levels)
            del levels[price]
            touched.add(price)
        while len(levels) < LEVELS:
            price = (max(levels) if sign > 0 else min(levels)) + sign
            levels[price] = self._size(LEVELS)
            touched.add(price)

    def _size(self, distance: int) -> int:
        return 1 + int(self.random.paretovariate(1.5) * 2_000 * (1 + distance / 40))

    def _levels(self, levels: dict[int, int], prices: list[int]) -> Levels:
        lot, tick = self._symbol.lot, self._symbol.tick
        return [
            (format_fixed(price * tick, 8), format_fixed(levels.get(price, 0) * lot, 8))
            for price in prices
        ]
