"""A series's own long memory: values in, what is normal for it (location and scale) out.

Ask the night watchman what is unusual and he compares with last month, not with the last minute,
and one fire alarm does not change his mind. So the memory is long (a minute by default), and a
value far outside is taken in only up to the fence.
"""

import math

FENCE_SCALES = 3.0
"""Values are taken in at most this many scales from the location, so that a fault does not become
the normal by being large."""
MAD_TO_SIGMA = 1.2533
"""Mean absolute deviation to standard deviation for a normal series: sqrt(pi / 2)."""


class Memory:
    """Exponentially forgetting mean and mean absolute deviation, winsorized; constant memory.

    While young it weighs all readings alike (1/n), so that the first one is not believed more than
    the others. Rejected: a sliding median and MAD, exact but 600 values a series and a sort or two
    heaps at each reading, for a threshold that needs one digit.

    Source: Roberts (1959), "Control chart tests based on geometric moving averages",
    Technometrics 1(3); Huber (1964), "Robust estimation of a location parameter", Annals of
    Mathematical Statistics 35(1), for the fence.

    Example:
        >>> memory = Memory(tau_s=60.0, scale_min=0.01)
        >>> for i in range(100):
        ...     memory.learn(0.10 + 0.01 * (i % 2), now_ns=i * 100_000_000)
        >>> memory.learn(9.0, now_ns=10_000_000_000)
        >>> round(memory.location, 2), memory.z(0.105) < 1 < 6 < memory.z(0.4)
        (0.11, True)
    """

    __slots__ = ("_deviation", "_last_ns", "_scale_min", "_tau_ns", "born_ns", "count", "location")

    def __init__(self, *, tau_s: float, scale_min: float) -> None:
        self._tau_ns = tau_s * 1e9
        self._scale_min = scale_min
        self._deviation = 0.0
        self._last_ns = 0
        self.born_ns = 0
        self.count = 0
        self.location = 0.0

    @property
    def scale(self) -> float:
        """Like a standard deviation; never below `scale_min`, for a series that never moved."""
        return max(self._deviation * MAD_TO_SIGMA, self._scale_min)

    def z(self, value: float) -> float:
        """How many scales `value` is above the location."""
        return (value - self.location) / self.scale

    def learn(self, value: float, now_ns: int) -> None:
        """Takes in one value."""
        if self.count == 0:
            self.location, self.born_ns = value, now_ns
        else:
            elapsed = max(now_ns - self._last_ns, 0)
            weight = max(1.0 - math.exp(-elapsed / self._tau_ns), 1.0 / (self.count + 1))
            if self.count >= 10:
                fence = FENCE_SCALES * self.scale
                value = min(max(value, self.location - fence), self.location + fence)
            self._deviation += weight * (abs(value - self.location) - self._deviation)
            self.location += weight * (value - self.location)
        self.count = min(self.count + 1, 1_000_000)
        self._last_ns = now_ns


class Smoother:
    """A short mean that forgets: single readings of a coarse clock in, a steady value out.

    Example:
        >>> smoother = Smoother(tau_s=0.2)
        >>> [round(smoother.update(v, now_ns=i * 100_000_000), 2) for i, v in enumerate((1, 0, 1))]
        [1, 0.61, 0.76]
    """

    __slots__ = ("_last_ns", "_tau_ns", "value")

    def __init__(self, *, tau_s: float) -> None:
        self._tau_ns = tau_s * 1e9
        self._last_ns: int | None = None
        self.value = 0.0

    def update(self, value: float, now_ns: int) -> float:
        """Takes one value; the mean so far."""
        if self._last_ns is None:
            self.value = value
        else:
            elapsed = max(now_ns - self._last_ns, 0)
            self.value += (1.0 - math.exp(-elapsed / self._tau_ns)) * (value - self.value)
        self._last_ns = now_ns
        return self.value

    def reset(self) -> None:
        """Forgets everything."""
        self._last_ns, self.value = None, 0.0
