"""Real elapsed time and a bus without sockets, for integration tests in one process."""

import queue
import time

import msgspec


class RealClock:
    """Real elapsed time on a fixed date."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, of a kind."""
        return 1_000_000_000_000 + time.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds."""
        return time.monotonic_ns()


class Letter(msgspec.Struct, frozen=True):
    """A message of the bus."""

    kind: str
    payload: bytes
    source: str = ""


class QueueInlet:
    """A bus without sockets."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Letter] = queue.Queue()

    def receive(self, timeout_s: float) -> Letter | None:
        """The next message."""
        try:
            return self.queue.get(timeout=timeout_s) if timeout_s else self.queue.get_nowait()
        except queue.Empty:
            return None

    def send(self, kind: str, record: msgspec.Struct) -> None:
        """Publishes."""
        self.queue.put(Letter(kind, msgspec.msgpack.encode(record)))
