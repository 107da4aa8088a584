"""The clock that is passed in; only `cli` makes a real one."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time; never asked of the operating system anywhere else."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps, for elapsed time only."""
        ...


class ManualClock:
    """A clock that moves only when told to; for tests, replays and simulations.

    Example:
        >>> clock = ManualClock(start_ns=1_000)
        >>> clock.advance(500)
        >>> clock.now_ns(), clock.monotonic_ns()
        (1500, 500)
    """

    def __init__(self, *, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._elapsed_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the epoch as last set."""
        return self._start_ns + self._elapsed_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds since this clock was made."""
        return self._elapsed_ns

    def advance(self, duration_ns: int) -> None:
        """Moves time forward by `duration_ns` nanoseconds (0 or more)."""
        if duration_ns < 0:
            message = f"time only moves forward: {duration_ns} ns asked"
            raise ValueError(message)
        self._elapsed_ns += duration_ns
