"""The true time in, the venue's time out: a venue's clock may be wrong when it is told to."""

from prunella.values import Clock


class VenueClock:
    """A clock that runs `offset_ns` ahead (or, negative, behind); elapsed time is true."""

    def __init__(self, clock: Clock) -> None:
        self.offset_ns = 0
        self._clock = clock

    def now_ns(self) -> int:
        """The venue's time, nanoseconds since the epoch."""
        return self._clock.now_ns() + self.offset_ns

    def monotonic_ns(self) -> int:
        """Elapsed time, nanoseconds."""
        return self._clock.monotonic_ns()
