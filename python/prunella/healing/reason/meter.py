"""Calls in; whether another one is within the limits of calls, tokens and money out."""

import threading
from collections import deque
from math import ceil

import msgspec

from prunella.healing.reason.settings import EndpointSettings, ReasonSettings

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
CHARACTERS_PER_TOKEN = 3
"""For a guess before the call that is rather too high; the true number comes with the answer."""


class Spent(msgspec.Struct, kw_only=True):
    """One call; filled in when its answer has come.

    Attributes:
        cost_microusd: Money, millionths of a dollar.
    """

    at_ns: int
    tokens: int
    cost_microusd: int


def cost_microusd(endpoint: EndpointSettings, tokens_in: int, tokens_out: int) -> int:
    """What a call costs, rounded up; a dollar per million tokens is a millionth per token.

    Example:
        >>> priced = EndpointSettings(url="http://127.0.0.1/v1", model="m",
        ...                           usd_per_million_in=2.5, usd_per_million_out=10)
        >>> cost_microusd(priced, 1001, 100)
        3503
    """
    price_in, price_out = max(endpoint.usd_per_million_in, 0), max(endpoint.usd_per_million_out, 0)
    return ceil(tokens_in * price_in + tokens_out * price_out)


class Meter:
    """Counts what the last hour and the last day took; a call is counted before it is made.

    So many questions at once cannot pass a limit together, and a call without an answer costs what
    it might have cost.
    """

    def __init__(self, settings: ReasonSettings) -> None:
        self._settings = settings
        self._calls: deque[Spent] = deque()
        self._lock = threading.Lock()

    def take(
        self, endpoint: EndpointSettings, characters: int, now_ns: int
    ) -> tuple[Spent | None, str]:
        """The entry of a call that may be made now, or None and the limit that forbids it."""
        tokens_in = characters // CHARACTERS_PER_TOKEN
        tokens = tokens_in + endpoint.tokens_max
        guess = cost_microusd(endpoint, tokens_in, endpoint.tokens_max)
        settings = self._settings
        with self._lock:
            self._forget(now_ns)
            hour = [each for each in self._calls if each.at_ns > now_ns - HOUR_NS]
            if len(hour) >= settings.calls_per_hour_max:
                return None, "calls_per_hour_max"
            if sum(each.tokens for each in hour) + tokens > settings.tokens_per_hour_max:
                return None, "tokens_per_hour_max"
            if settings.usd_per_day_max > 0:
                if not endpoint.priced:
                    return None, "usd_per_day_max: the endpoint has no prices"
                spent = sum(each.cost_microusd for each in self._calls)
                if spent + guess > settings.usd_per_day_max * 1e6:
                    return None, "usd_per_day_max"
            entry = Spent(at_ns=now_ns, tokens=tokens, cost_microusd=guess)
            self._calls.append(entry)
        return entry, ""

    def settle(self, entry: Spent, tokens: int, cost: int) -> None:
        """The call's true size, once it is told."""
        with self._lock:
            entry.tokens, entry.cost_microusd = tokens, cost

    def fold(self, at_ns: int, tokens: int, cost: int) -> None:
        """Takes in a call of an earlier life, so that a restart is no way round a limit."""
        with self._lock:
            self._calls.append(Spent(at_ns=at_ns, tokens=tokens, cost_microusd=cost))

    def totals(self, now_ns: int) -> tuple[int, int, int]:
        """Calls and tokens of the last hour, millionths of a dollar of the last day."""
        with self._lock:
            self._forget(now_ns)
            hour = [each for each in self._calls if each.at_ns > now_ns - HOUR_NS]
            spent = sum(each.cost_microusd for each in self._calls)
            return len(hour), sum(each.tokens for each in hour), spent

    def _forget(self, now_ns: int) -> None:
        while self._calls and self._calls[0].at_ns <= now_ns - DAY_NS:
            self._calls.popleft()
