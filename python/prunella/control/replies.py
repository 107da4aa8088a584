"""`Replies`: an idempotency key and an act in; the act's first reply out, however often asked."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from prunella.control.commands import Reply
from prunella.errors import TargetUnavailableError

KEYS_MAX = 1024
"""Replies remembered; an act is asked for again within seconds, not after a thousand others."""
WAIT_S = 2.0
"""How long a second asker waits for the first one's act before it is told to come again."""


class Replies:
    """Remembers the latest replies by key; an empty key is never remembered.

    Whoever asks with the key of an act that is still under way waits for its end: a slow act must
    not be done twice because somebody lost patience.
    """

    def __init__(self) -> None:
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def remember(self, key: str, reply: Reply) -> None:
        """Takes in a reply of an earlier life."""
        with self._lock:
            self._replies[key] = reply
            self._replies.move_to_end(key)
            while len(self._replies) > KEYS_MAX:
                self._replies.popitem(last=False)

    def once(self, key: str, act: Callable[[], Reply]) -> Reply:
        """The reply that this key has had before, else the reply of acting now.

        Raises:
            TargetUnavailableError: Another asker's act with this key has not ended yet.
        """
        if not key:
            return act()
        with self._lock:
            known = self._replies.get(key)
            if known is not None:
                return known
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = threading.Event()
        if running is not None:
            running.wait(WAIT_S)
            return self._of_another(key)
        try:
            reply = act()
            self.remember(key, reply)
            return reply
        finally:
            del self._running[key]
            mine.set()

    def _of_another(self, key: str) -> Reply:
        with self._lock:
            known = self._replies.get(key)
        if known is None:
            raise TargetUnavailableError(
                f"{key} is still being carried out", retry_after_ns=200_000_000
            )
        return known
