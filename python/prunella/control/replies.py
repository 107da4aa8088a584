"""`Replies`: an idempotency key and an act in; the act's first reply out, however often asked."""

from collections import OrderedDict
from collections.abc import Callable

from prunella.control.commands import Reply

KEYS_MAX = 1024
"""Replies remembered; an act is asked for again within seconds, not after a thousand others."""


class Replies:
    """Remembers the latest replies by key; an empty key is never remembered."""

    def __init__(self) -> None:
        self._replies: OrderedDict[str, Reply] = OrderedDict()

    def once(self, key: str, act: Callable[[], Reply]) -> Reply:
        """The reply that this key has had before, else the reply of acting now."""
        if not key:
            return act()
        if key not in self._replies:
            self._replies[key] = act()
            while len(self._replies) > KEYS_MAX:
                self._replies.popitem(last=False)
        return self._replies[key]
