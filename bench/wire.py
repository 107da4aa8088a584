"""Nothing in; the time from a market frame on the wire to its order on the wire, printed.

A stack trades over two simulated exchanges; everything but trading is stopped. A tap on the
loopback interface stamps packets as the kernel hands them over: the last market frame before an
order, and the order. Both ways through the kernel, the engine's wake-up, its journal and its risk
checks lie between. Orders that another event than a frame may have caused are left out. It is
measured with several settings of the hot loop. The tap needs root (CAP_NET_RAW).

    python bench/wire.py [ORDERS]     # all settings; `prunella bench` takes the first two
"""

import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from prunella.cli.stack import free_port_base, prepare, start
from prunella.config import Settings, StackSettings, save
from prunella.evaluation.bench import Latency, describe_machine, latency
from prunella.evaluation.stack import RunningStack
from prunella.trading.execution import VenueLimits
from prunella.trading.strategy import Momentum
from prunella.values import Home

ORDERS = 200
GOAL = "≤ 15 µs"
VARIANTS: dict[str, dict[str, bool | int]] = {
    "wire to wire": {"cpu": 1, "busy_poll": True},
    "wire to wire, asleep between frames": {"cpu": 1},
    "wire to wire, not bound to a processor": {},
    "wire to wire, quick_ack": {"cpu": 1, "busy_poll": True, "quick_ack": True},
}
"""Settings of the hot loop by the figure's name."""

HOT_CPU = 1
_ETH_P_IP = 0x0800
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_TAP_BYTES = 256 * 1024 * 1024
_CAUSE_NS = 1_000_000
"""An order later than this after a frame has another cause, such as a timer."""
_READ_EVERY_S = 0.05
_ORDER = b"POST /api/v3/order?"


class Tap:
    """What crosses the loopback interface to or from the exchanges' ports, each packet once.

    Nobody waits on its socket, so that it wakes no process while an order is on its way.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _TAP_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind(("lo", _ETH_P_IP))
        self._socket.settimeout(0)

    def packets(self) -> Iterator[tuple[int, bool, bytes]]:
        """Those since the last call: nanoseconds, whether an exchange sent it, its payload."""
        while True:
            try:
                packet, notes, _, _ = self._socket.recvmsg(65_536, 64)
            except BlockingIOError:
                return
            if packet[9] != socket.IPPROTO_TCP:
                continue
            head = (packet[0] & 15) * 4
            sent_from, sent_to = struct.unpack_from("!HH", packet, head)
            payload = packet[head + (packet[head + 12] >> 4) * 4 :]
            if payload and (sent_from in self._ports or sent_to in self._ports):
                seconds, nanoseconds = struct.unpack("@qq", notes[0][2])
                yield seconds * 1_000_000_000 + nanoseconds, sent_from in self._ports, payload

    def close(self) -> None:
        """Taps no more."""
        self._socket.close()


class Pairs:
    """Packets in their order in; how long each order took after the frame that caused it out."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.unpaired = 0
        self._frame_ns: int | None = None

    def take(self, at_ns: int, *, from_exchange: bool, payload: bytes) -> None:
        """The next packet."""
        if from_exchange:
            # A reply or a report of our orders may be a cause too: only a frame leaves no doubt.
            is_frame = b'"stream":' in payload and b"executionReport" not in payload
            self._frame_ns = at_ns if is_frame else None
        elif payload.startswith(_ORDER):
            if self._frame_ns is None or at_ns - self._frame_ns > _CAUSE_NS:
                self.unpaired += 1
            else:
                self.taken.append(at_ns - self._frame_ns)
            # A second order of the same frame waits for the first: the first is what is measured.
            self._frame_ns = None


def figures(*, quick: bool) -> Iterable[Latency]:
    """The figures for `prunella bench`; none without the right to tap."""
    if not _may_tap():
        return
    names = list(VARIANTS)[: 1 if quick else 2]
    for name in names:
        pairs = measure(30 if quick else ORDERS, VARIANTS[name])
        yield latency(name, pairs.taken, goal=GOAL if name == "wire to wire" else "")


def _may_tap() -> bool:
    try:
        Tap(()).close()
    except PermissionError:
        return False
    return True


def measure(orders: int, loop: dict[str, bool | int]) -> Pairs:
    """So many orders that frames caused, with these settings of the hot loop."""
    with tempfile.TemporaryDirectory(prefix="prunella-") as folder:
        home = Home(Path(folder)).create()
        settings = _settings(loop)
        save(settings, home.settings)
        prepare(home)
        stack = start(home, settings, lambda *_: None)
        tap = Tap(port for name, port in stack.ports.items() if name.startswith("exchange"))
        try:
            stack.leave_trading_alone()
            _keep_off(stack, HOT_CPU)
            return _paired(stack, tap, orders)
        finally:
            tap.close()
            stack.close()
            stack.supervisor.stop()


def _keep_off(stack: RunningStack, cpu: int) -> None:
    """Moves everything but the engine's hot thread to the other processors, as a desk would."""
    others = os.sched_getaffinity(0) - {cpu}
    if not others:
        return
    os.sched_setaffinity(0, others)
    pids = [state.pid for state in stack.supervisor.states() if state.pid]
    for task in (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()):
        if os.sched_getaffinity(int(task.name)) != {cpu}:
            os.sched_setaffinity(int(task.name), others)


def _settings(loop: dict[str, bool | int]) -> Settings:
    """A taker that turns with the price as often as the venues take orders.

    Each of its orders has a frame for its cause; a maker's may have waited for the end of another.
    """
    settings = Settings(stack=StackSettings(port_base=free_port_base()))
    trading = msgspec.structs.replace(
        settings.trading,
        venues={name: VenueLimits(order_rate_per_second=50) for name in settings.trading.venues},
        strategies={
            "taker": Momentum(
                quantity="0.001", fast_updates=1, slow_updates=4, trigger_ppm=1, cooldown_ms=0
            )
        },
        loop=msgspec.structs.replace(settings.trading.loop, **loop),
    )
    return msgspec.structs.replace(settings, trading=trading)


def _paired(stack: RunningStack, tap: Tap, orders: int) -> Pairs:
    pairs = Pairs()

    def enough() -> bool:
        time.sleep(_READ_EVERY_S)
        for at_ns, from_exchange, payload in tap.packets():
            pairs.take(at_ns, from_exchange=from_exchange, payload=payload)
        return len(pairs.taken) >= orders

    stack.wait(enough, f"{orders} orders that frames caused", timeout_s=300)
    return pairs


def main() -> None:
    """Measures and prints."""
    if not _may_tap():
        sys.exit("tapping the loopback interface needs root (CAP_NET_RAW): run this with sudo")
    print(describe_machine())
    for name, loop in VARIANTS.items():
        pairs = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS, loop)
        goal = GOAL if name == "wire to wire" else ""
        print(latency(name, pairs.taken, goal=goal), f" ({pairs.unpaired} orders left out)")


if __name__ == "__main__":
    main()
