"""Events in, texts to subscribed clients out: each text is made once per stream, not per client."""

import asyncio
from collections import deque

import structlog

from prunella.exchange.behaviour import FeedPath

_log = structlog.get_logger()


class Subscriber:
    """A connected client with its bounded queue.

    A client that cannot keep up is dropped rather than waited for: at a full queue it is `ended`.
    """

    def __init__(self, *, combined: bool, queue_max: int) -> None:
        self.combined = combined
        self.streams: dict[str, None] = {}
        self.overflowed = False
        self.ended = asyncio.Event()
        self._queue_max = queue_max
        self._queue: deque[str] = deque()
        self._filled = asyncio.Event()

    def put(self, text: str) -> None:
        """Queues a text; a full queue ends the client."""
        if len(self._queue) >= self._queue_max:
            self.overflowed = True
            self.ended.set()
        else:
            self._queue.append(text)
            self._filled.set()

    async def take(self) -> str:
        """The next text."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue.popleft()

    def drain(self) -> list[str]:
        """All texts that wait."""
        texts = list(self._queue)
        self._queue.clear()
        return texts


class Hub:
    """Who listens to what."""

    def __init__(self, *, seed: int = 1) -> None:
        self.market_path = FeedPath(seed=seed)
        self.user_path = FeedPath(seed=seed + 1)
        self._listeners: dict[str, dict[Subscriber, None]] = {}
        self._users: dict[int, dict[tuple[Subscriber, int], None]] = {}
        self.dropped = 0

    def subscribe(self, subscriber: Subscriber, stream: str) -> None:
        """From now on this client gets this stream."""
        subscriber.streams[stream] = None
        self._listeners.setdefault(stream, {})[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber, stream: str) -> None:
        """No longer."""
        subscriber.streams.pop(stream, None)
        listeners = self._listeners.get(stream, {})
        listeners.pop(subscriber, None)
        if not listeners:
            self._listeners.pop(stream, None)

    def subscribe_user(self, subscriber: Subscriber, account: int, subscription: int) -> None:
        """From now on this client gets this account's events."""
        self._users.setdefault(account, {})[subscriber, subscription] = None

    def unsubscribe_user(self, subscriber: Subscriber, subscription: int | None = None) -> None:
        """No longer; without a number, none of the client's."""
        for listeners in self._users.values():
            for key in list(listeners):
                if key[0] is subscriber and subscription in {None, key[1]}:
                    del listeners[key]

    def forget(self, subscriber: Subscriber) -> None:
        """The client is gone."""
        for stream in list(subscriber.streams):
            self.unsubscribe(subscriber, stream)
        self.unsubscribe_user(subscriber)
        if subscriber.overflowed:
            self.dropped += 1
            _log.warning("client_dropped", reason="it did not read fast enough")

    def wanted(self, stream: str) -> bool:
        """Whether anybody listens."""
        return stream in self._listeners

    def publish(self, stream: str, payload: str) -> None:
        """A stream's payload to everyone who listens."""
        listeners = self._listeners.get(stream)
        if not listeners:
            return
        combined = ""
        for _ in range(self.market_path.copies()):
            for subscriber in listeners:
                if not subscriber.combined:
                    subscriber.put(payload)
                    continue
                combined = combined or f'{{"stream":"{stream}","data":{payload}}}'
                subscriber.put(combined)

    def publish_user(self, account: int, payload: str) -> None:
        """An account's event to its owner's clients."""
        for _ in range(self.user_path.copies()):
            for subscriber, number in self._users.get(account, {}):
                subscriber.put(f'{{"subscriptionId":{number},"event":{payload}}}')
