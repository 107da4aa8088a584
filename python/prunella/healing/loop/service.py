"""Bus messages and people's asks in, ticks out: the healing plane as a process.

One thread owns the orchestrator: it drains what came over the bus, then ticks, fifty times a
second. People ask over a socket from other threads; a lock keeps them apart. Whatever hangs
(a target, a person's connection) hangs elsewhere.
"""

import threading
from typing import Protocol

import msgspec

from prunella.healing.incident import Diagnosis, Heartbeat
from prunella.healing.loop.commands import Answer, Ask, answer
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.telemetry import Readings
from prunella.values import Clock

TICK_NS = 20_000_000
"""Between ticks; well below every hold time, and cheap enough to leave the processor alone."""
DRAIN_MAX = 500
"""Messages taken between two ticks, so that a flood cannot keep the plane from acting."""


class Message(Protocol):
    """What the bus hands over."""

    @property
    def kind(self) -> str:
        """The record's tag."""
        ...

    @property
    def payload(self) -> bytes:
        """MessagePack of the record."""
        ...


class Inlet(Protocol):
    """Where messages come from."""

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time."""
        ...


class PlaneLoop:
    """Drains the bus and ticks the orchestrator until told to stop."""

    def __init__(self, plane: Orchestrator, inlet: Inlet, clock: Clock) -> None:
        self._plane = plane
        self._inlet = inlet
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._readings = msgspec.msgpack.Decoder(Readings)
        self._diagnoses = msgspec.msgpack.Decoder(Diagnosis)
        self._heartbeats = msgspec.msgpack.Decoder(Heartbeat)
        self.malformed = 0
        self.tick_ns_max = 0

    def stop(self) -> None:
        """Ends `run` after the present tick; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Runs until `stop`."""
        due_ns = self._clock.monotonic_ns()
        while not self._stop.is_set():
            wait_ns = max(0, due_ns - self._clock.monotonic_ns())
            message = self._inlet.receive(wait_ns / 1e9)
            taken = 0
            while message is not None and taken < DRAIN_MAX:
                self._take(message)
                taken += 1
                message = self._inlet.receive(0.0)
            if message is not None:
                self._take(message)
            if self._clock.monotonic_ns() >= due_ns:
                self._tick()
                due_ns = self._clock.monotonic_ns() + TICK_NS

    def ask(self, ask: Ask) -> Answer:
        """Answers a person, between two ticks."""
        with self._lock:
            return answer(self._plane, ask, self._clock.now_ns())

    @property
    def ready(self) -> bool:
        """Whether it does its job: the ledger takes records."""
        return not self._plane.failed

    def _tick(self) -> None:
        began_ns = self._clock.monotonic_ns()
        with self._lock:
            self._plane.tick(self._clock.now_ns())
        self.tick_ns_max = max(self.tick_ns_max, self._clock.monotonic_ns() - began_ns)

    def _take(self, message: Message) -> None:
        """Hands one message to the plane; what cannot be read is counted and dropped."""
        now_ns = self._clock.now_ns()
        try:
            with self._lock:
                if message.kind == "readings":
                    for reading in self._readings.decode(message.payload).items:
                        self._plane.hear_reading(reading, now_ns)
                elif message.kind == "diagnosis":
                    self._plane.hear_diagnosis(self._diagnoses.decode(message.payload), now_ns)
                elif message.kind == "heartbeat":
                    self._plane.hear_heartbeat(
                        self._heartbeats.decode(message.payload).source, now_ns
                    )
        except msgspec.MsgspecError:
            self.malformed += 1
