"""A market source in, frames at their times into its market out; its pace may change meanwhile."""

import asyncio

import structlog

from prunella.errors import RecordingError
from prunella.exchange.frames import Source
from prunella.exchange.market import FAST, SLOW, Market
from prunella.exchange.venue import Venue
from prunella.values import Clock

_log = structlog.get_logger()

SECOND_NS = 1_000_000_000
# Longest sleep, so that a new pace takes effect at once.
SLEEP_NS_MAX = 20_000_000
# A player that is further behind (the process was stopped, or the pace is beyond the machine) lets
# the market stand still rather than rushing through what was missed.
BEHIND_NS_MAX = 250_000_000
# How long frames are played without letting requests and sockets have their turn.
TURN_NS_MAX = 2_000_000
SPEED_MAX = 1_000_000.0
DEPTH_NS = 100_000_000
SLOW_TICKS = 10


class Pace:
    """Market time as a function of real time."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._real_ns = clock.monotonic_ns()
        self._market_ns = 0
        self.speed = speed

    def start(self, market_ns: int) -> None:
        """It is `market_ns` now in the market."""
        self._real_ns = self._clock.monotonic_ns()
        self._market_ns = market_ns

    def set_speed(self, speed: float) -> float:
        """Changes the pace from now on; the pace before.

        Raises:
            ValueError: Not above 0, or beyond `SPEED_MAX`.
        """
        if not 0 < speed <= SPEED_MAX:
            raise ValueError(f"speed: expected above 0 and at most {SPEED_MAX:.0f}, found {speed}")
        now_ns = self._clock.monotonic_ns()
        self._market_ns += round((now_ns - self._real_ns) * self.speed)
        self._real_ns = now_ns
        before, self.speed = self.speed, speed
        return before

    def due_in_ns(self, market_ns: int) -> int:
        """Real nanoseconds until it is `market_ns` in the market; negative when that has passed."""
        real_ns = round((market_ns - self._market_ns) / self.speed)
        return real_ns - (self._clock.monotonic_ns() - self._real_ns)


class Paces:
    """The paces of all markets, which change together."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._paces: list[Pace] = []

    @property
    def speed(self) -> float:
        """How fast the markets are played, 1 is as recorded."""
        return self._speed

    def add(self) -> Pace:
        """The pace of one more market."""
        self._paces.append(Pace(self._clock, self._speed))
        return self._paces[-1]

    def set_speed(self, speed: float) -> float:
        """Changes the pace of all from now on; the pace before.

        Raises:
            ValueError: Not above 0, or beyond `SPEED_MAX`.
        """
        for pace in self._paces:
            pace.set_speed(speed)
        before, self._speed = self._speed, speed
        return before


async def play(market: Market, source: Source, pace: Pace, clock: Clock, *, repeat: bool) -> None:
    """Plays a source, again and again when asked to.

    Raises:
        RecordingError: The recording is bad; trying again cannot help.
    """
    while True:
        await _play_once(market, source, pace, clock)
        if not repeat:
            _log.warning("market_ended", symbol=market.symbol.name, frames=market.frames)
            return
        _log.info("market_repeats", symbol=market.symbol.name, frames=market.frames)


async def _play_once(market: Market, source: Source, pace: Pace, clock: Clock) -> None:
    started = False
    turn_ns = clock.monotonic_ns()
    for ts_ns, frame in source.frames():
        if not started:
            pace.start(ts_ns)
            started = True
        due_ns = pace.due_in_ns(ts_ns)
        if due_ns < -BEHIND_NS_MAX:
            pace.start(ts_ns)
        while due_ns > 0:
            await asyncio.sleep(min(due_ns, SLEEP_NS_MAX) / SECOND_NS)
            turn_ns = clock.monotonic_ns()
            due_ns = pace.due_in_ns(ts_ns)
        if clock.monotonic_ns() - turn_ns > TURN_NS_MAX:
            await asyncio.sleep(0)
            turn_ns = clock.monotonic_ns()
        try:
            market.play(frame)
        except ValueError as error:
            raise RecordingError(f"frame at {ts_ns}: {error}") from None


async def publish_depth(venue: Venue) -> None:
    """Publishes changes of the books every 100 ms and, for the slow streams, every second."""
    loop = asyncio.get_running_loop()
    step_s = DEPTH_NS / SECOND_NS
    next_s = loop.time()
    tick = 0
    while True:
        next_s = max(next_s + step_s, loop.time())
        await asyncio.sleep(next_s - loop.time())
        tick += 1
        for market in venue.markets.values():
            market.publish_depth(FAST)
            if tick % SLOW_TICKS == 0:
                market.publish_depth(SLOW)
