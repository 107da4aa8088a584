"""`Subscriber`: a monitor's socket and topics in, its events in order out, with what was lost."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from prunella.control.curve import CurvePair, connect
from prunella.errors import TargetUnavailableError
from prunella.trading.runtime.monitor_pb2 import Event

_RETRY_NS = 1_000_000_000


class Subscriber:
    """Listens to a monitor; to be used as a context manager.

    Args:
        path: The monitor's socket.
        client: Our key pair, on the monitor's list.
        server: The monitor's public key.
        topics: What is wanted, such as `order` and `fill`; none: everything.
        silence_s: How long silence is waited out; a running monitor speaks five times a second.
    """

    def __init__(
        self,
        path: Path,
        *,
        client: CurvePair,
        server: str,
        topics: tuple[str, ...] = (),
        silence_s: float = 3.0,
    ) -> None:
        self._path = path
        self._silence_ms = round(silence_s * 1_000)
        self._context = zmq.Context()
        self._socket = connect(self._context, zmq.SUB, path, client=client, server=server)
        for topic in topics or ("",):
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._numbers: dict[str, int] = {}
        self.lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._context.term()

    def events(self) -> Iterator[Event]:
        """What comes from now on.

        Raises:
            TargetUnavailableError: Nothing came for `silence_s`.
        """
        while True:
            if not self._socket.poll(self._silence_ms):
                raise TargetUnavailableError(
                    f"nothing came from the monitor on {self._path} for "
                    f"{self._silence_ms / 1_000:g} s; is the stack running (`prunella status`)?",
                    retry_after_ns=_RETRY_NS,
                )
            topic, message = self._socket.recv_multipart()
            event = Event.FromString(message)
            self._count(topic.decode(), event.number)
            yield event

    def _count(self, topic: str, number: int) -> None:
        before = self._numbers.get(topic)
        # A number that falls means that the monitor has been started anew.
        if before is not None and number > before + 1:
            self.lost += number - before - 1
        self._numbers[topic] = number
