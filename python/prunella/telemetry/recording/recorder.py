"""`Recorder`: what agents can see, as it comes, in; a recording out, from a thread of its own."""

import sys
import threading
from collections.abc import Callable

import msgspec

from prunella.telemetry.reading import Readings
from prunella.telemetry.recording.writer import TelemetryWriter
from prunella.values import Clock

FLUSH_NS = 2_000_000_000
"""How much a crash can lose; shorter blocks compress worse."""
_WAIT_S = 0.2


class Recorder:
    """Records until closed.

    Args:
        writer: Where to; belongs to the recorder's thread from `start` on.
        receive: The next message's bytes (MessagePack of `Readings`), or None after the seconds.
        clock: The time.
        lost: Messages that never came.

    Attributes:
        malformed: Messages that were no readings.
        failures: Blocks that could not be written, such as for a full disk.
    """

    def __init__(
        self,
        writer: TelemetryWriter,
        receive: Callable[[float], bytes | None],
        clock: Clock,
        *,
        lost: Callable[[], int] = int,
    ) -> None:
        self._writer = writer
        self._lost = lost
        self._receive = receive
        self._clock = clock
        self._decoder = msgspec.msgpack.Decoder(Readings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.malformed = 0
        self.failures = 0

    def start(self) -> None:
        """Records from now on."""
        self._thread.start()

    def close(self) -> None:
        """Records what has come and ends the segment."""
        self._stop.set()
        self._thread.join(timeout=10)

    def metrics(self) -> bytes:
        """Prometheus text."""
        return (
            f"telemetry_recorded_readings_total {self._writer.rows}\n"
            f"telemetry_recorded_bytes_total {self._writer.bytes}\n"
            f"telemetry_recording_lost_total {self._lost() + self._writer.dropped}\n"
            f"telemetry_recording_failures_total {self.failures}\n"
        ).encode()

    def _run(self) -> None:
        due_ns = self._clock.monotonic_ns() + FLUSH_NS
        while not self._stop.is_set():
            self._take(self._receive(_WAIT_S))
            if self._clock.monotonic_ns() >= due_ns:
                due_ns = self._clock.monotonic_ns() + FLUSH_NS
                self._written(self._writer.flush)
        while (message := self._receive(0)) is not None:
            self._take(message)
        self._written(self._writer.close)

    def _take(self, message: bytes | None) -> None:
        if message is None:
            return
        try:
            readings = self._decoder.decode(message)
        except msgspec.DecodeError:
            self.malformed += 1
            return
        self._written(lambda: self._writer.append(readings))

    def _written(self, act: Callable[[], None]) -> None:
        """A disk that is full ends no watching: the block is lost, counted and told once."""
        try:
            act()
        except OSError as error:
            self.failures += 1
            if self.failures == 1:
                sys.stderr.write(f"telemetry is not recorded: {error}\n")
