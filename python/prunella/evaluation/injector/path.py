"""A port and a venue's port in; a network path between them out, disturbed as its stdin says.

`python -m prunella.evaluation.injector.path PORT TARGET SEED`. Each line of stdin is a
`Disturbance` and replaces the one before; an empty line asks for `PathFigures` only. The figures
come back as a line on stdout. It ends with its stdin. Delay, jitter, loss, bandwidth, silence and
resets happen to the bytes of real TCP connections; loss is what TCP makes of it: a
retransmission's pause, in order. Rejected: the kernel's netem, which many machines lack and which
needs root.
"""

import asyncio
import contextlib
import random
import socket
import struct
import sys
from typing import Literal

import msgspec

CHUNK = 65_536
RETRANSMISSION_S = 0.2
"""What a lost segment costs on a short path: TCP's least retransmission timeout on Linux."""
QUEUED_MAX = 256
"""Chunks on their way in one direction; beyond it the sender feels backpressure, as on a wire."""
TICK_S = 0.01


class Disturbance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the path; nothing by default.

    Attributes:
        delay_ms: Each way.
        jitter_ms: Added by lot, up to this.
        loss_ratio: Share of chunks that have to be sent again.
        bytes_per_s: Bandwidth each way; 0: unlimited.
        silent: Which way nothing passes: to the venue, from it, or both.
        reset_every_s: Resets all connections so often; 0: never.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_ratio: float = 0.0
    bytes_per_s: float = 0.0
    silent: Literal["", "up", "down", "both"] = ""
    reset_every_s: float = 0.0


class PathFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the path has seen: chunks passed on, sent again, and connections reset."""

    chunks: int = 0
    lost: int = 0
    resets: int = 0
    held: int = 0


class Path:
    """The path between a port and a venue."""

    def __init__(self, target: int, seed: int) -> None:
        self.disturbance = Disturbance()
        self._target = target
        self._random = random.Random(seed)  # noqa: S311 - weather, not a secret
        self._open: set[asyncio.StreamWriter] = set()
        self._chunks = self._lost = self._resets = self._held = 0

    @property
    def figures(self) -> PathFigures:
        """What it has seen so far."""
        return PathFigures(
            chunks=self._chunks, lost=self._lost, resets=self._resets, held=self._held
        )

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a pump each way, until either end closes."""
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, there[1]}
        pumps = [
            asyncio.create_task(self._pump(reader, there[1], "up")),
            asyncio.create_task(self._pump(there[0], writer, "down")),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for each in (writer, there[1]):
            self._open.discard(each)
            each.close()

    async def weather(self) -> None:
        """Resets connections when that is due."""
        passed_s = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            passed_s += TICK_S
            every_s = self.disturbance.reset_every_s
            if every_s and passed_s >= every_s:
                passed_s = 0.0
                for writer in list(self._open):
                    self._resets += 1
                    _reset(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        """Reads, and passes on in order, each chunk when it is due."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED_MAX)
        sender = asyncio.create_task(self._send(queue, writer, way))
        loop, due_s = asyncio.get_running_loop(), 0.0
        try:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(CHUNK):
                    due_s = max(due_s, loop.time() + self._pause_s(len(chunk)))
                    await queue.put((due_s, chunk))
        finally:
            sender.cancel()

    async def _send(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: str
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, chunk = await queue.get()
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            if self.disturbance.silent in {way, "both"}:
                self._held += 1
                while self.disturbance.silent in {way, "both"}:  # noqa: ASYNC110 - plain enough
                    await asyncio.sleep(TICK_S)
            self._chunks += 1
            with contextlib.suppress(OSError):
                writer.write(chunk)
                await writer.drain()

    def _pause_s(self, size: int) -> float:
        now = self.disturbance
        pause_s = (now.delay_ms + now.jitter_ms * self._random.random()) / 1e3
        if now.loss_ratio and self._random.random() < now.loss_ratio:
            self._lost += 1
            pause_s += RETRANSMISSION_S
        return pause_s + (size / now.bytes_per_s if now.bytes_per_s else 0.0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection by RST: no goodbye."""
    handle = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _run(port: int, target: int, seed: int) -> None:
    path = Path(target, seed)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    server = await asyncio.start_server(path.connect, "127.0.0.1", port)
    weather = asyncio.create_task(path.weather())
    while line := await lines.readline():
        if line.strip():
            path.disturbance = msgspec.json.decode(line, type=Disturbance)
        sys.stdout.buffer.write(msgspec.json.encode(path.figures) + b"\n")
        sys.stdout.buffer.flush()
    weather.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(_run(*map(int, sys.argv[1:4])))
