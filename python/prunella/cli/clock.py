"""The one real clock; everything else is handed one."""

import time


class SystemClock:
    """The operating system's time."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        return time.time_ns()  # noqa: TID251  the one place that asks

    def monotonic_ns(self) -> int:
        """Nanoseconds on the monotonic clock."""
        return time.monotonic_ns()
