"""All live incidents in; those that are looked at in this tick, the gravest first, out.

An emergency ward does not go through the waiting room from the left to the right. The gravest are
seen first; of each severity only so many in one tick, the next ones in the next, so that a thousand
scratches neither delay a heart nor are forgotten.

Example:
    >>> turns = Turns(per_tick=2)
    >>> waiting = [(name, "low") for name in "abc"] + [("heart", "critical")]
    >>> for _ in range(2):
    ...     print([name for name, _ in turns.next(waiting, key=lambda each: each[1])])
    ['heart', 'a', 'b']
    ['heart', 'c', 'a']
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from prunella.healing.incident import Severity

PER_TICK = 25
"""Of each severity. Asking policy about one takes most of a millisecond, and a tick comes every
twenty: with more, acts that are under way would wait for those that are not."""
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

T = TypeVar("T")


class Turns:
    """Whose turn it is.

    Args:
        per_tick: How many of each severity at most.
    """

    def __init__(self, per_tick: int = PER_TICK) -> None:
        self._per_tick = per_tick
        self._after = dict.fromkeys(SEVERITIES, 0)

    def next(self, waiting: Sequence[T], key: Callable[[T], str]) -> list[T]:
        """Those of this tick; `key` gives the severity."""
        chosen: list[T] = []
        for severity in SEVERITIES:
            group = [each for each in waiting if key(each) == severity]
            count = min(len(group), self._per_tick)
            start = self._after[severity] % len(group) if count < len(group) else 0
            chosen += (group + group)[start : start + count]
            self._after[severity] = start + count
        return chosen
