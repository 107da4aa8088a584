"""`MonitorService`: an engine's journal in; what happens and how things stand, published, out.

It looks at a replica of the core that follows the journal, so that watching costs the engine
nothing and cannot differ from it. It publishes over ZeroMQ (`monitor.proto`), encrypted, to known
clients alone; a slow subscriber loses messages, never slows anybody, and sees what it lost.
"""

import contextlib
import http.client
import signal
import threading
import types
from collections import Counter
from typing import Any

import msgspec
import zmq

from prunella.control.curve import CurveContext, load_curve_pair
from prunella.control.tokens import load_token
from prunella.telemetry.serve import Pages, StatusServer
from prunella.trading.engine import Replica
from prunella.trading.runtime import monitor_pb2 as wire
from prunella.values import Clock, Home

FOLLOW_S = 0.005
"""How far behind the engine it is at most, when nothing happens."""
ENTRIES_MAX = 20_000
VIEW_NS = 200_000_000
LATENCIES_NS = 1_000_000_000
LEVELS = 10
QUEUE_MAX = 10_000
_ENGINE_TIMEOUT_S = 0.5

KINDS = {
    "order": wire.Order,
    "fill": wire.Fill,
    "denied": wire.Denied,
    "reflex": wire.Reflex,
    "break": wire.Break,
    "break_moved": wire.BreakMoved,
    "reconciled": wire.Reconciled,
    "command": wire.Command,
}
STAGES = {
    "tick_to_order": "tick_to_order",
    "market_data": "market_data_processing",
    "risk": "risk_check",
}
"""The stage's name, and the engine's own word for it."""


class MonitorService:
    """The monitor's process.

    Args:
        home: The journal, the keys and the socket are in it.
        port: HTTP port of /health, /ready, /metrics and /status.
        engine_port: Where the engine shows its latencies.
        clock: The time.

    Raises:
        AuthenticationError: A key or token is missing or open to others.
    """

    def __init__(self, *, home: Home, port: int, engine_port: int, clock: Clock) -> None:
        self._home = home
        self._engine_port = engine_port
        self._clock = clock
        self._token = load_token(home.key("read.token"))
        self._stopping = threading.Event()
        self._replica: Replica | None = None
        self._published: Counter[str] = Counter()
        self._server = StatusServer(
            port,
            token=self._token,
            pages=Pages(ready=self._why_not_ready, metrics=self._metrics, status=self._status),
        )

    def run(self) -> None:
        """Publishes until SIGTERM or SIGINT.

        Raises:
            JournalError: The journal is damaged, or of another version.
            InvariantError: The replica differs from what the engine recorded.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        server = load_curve_pair(self._home.key("engine.curve"))
        client = load_curve_pair(self._home.key("operator.curve"))
        context = CurveContext(server, frozenset({client.public}))
        socket = context.bind(zmq.PUB, self._home.socket("monitor"))
        socket.setsockopt(zmq.SNDHWM, QUEUE_MAX)
        self._server.start()
        try:
            self._publish(socket)
        finally:
            self._server.close()
            socket.close(linger=0)
            context.close()
            self._home.socket("monitor").unlink(missing_ok=True)

    def _on_signal(self, _number: int, _frame: types.FrameType | None) -> None:
        self._stopping.set()

    def _publish(self, socket: zmq.Socket[bytes]) -> None:
        self._replica = replica = Replica(self._home.engine_journal)
        view_ns = latencies_ns = 0
        while not self._stopping.is_set():
            count, text = replica.follow(ENTRIES_MAX)
            for happened in msgspec.json.decode(text):
                self._send(socket, _event(happened))
            now_ns = self._clock.monotonic_ns()
            if now_ns >= view_ns and (view := replica.view(LEVELS)):
                view_ns = now_ns + VIEW_NS
                self._send(socket, _view(msgspec.json.decode(view), self._clock.now_ns()))
            if now_ns >= latencies_ns:
                latencies_ns = now_ns + LATENCIES_NS
                if latencies := self._latencies():
                    self._send(socket, latencies)
            if count < ENTRIES_MAX:
                self._stopping.wait(FOLLOW_S)

    def _send(self, socket: zmq.Socket[bytes], event: wire.Event) -> None:
        topic = event.WhichOneof("what")
        if topic is not None:
            self._published[topic] += 1
            event.number = self._published[topic]
            socket.send_multipart((topic.encode(), event.SerializeToString()))

    def _latencies(self) -> wire.Event | None:
        """The engine's own measurements; nothing while it does not answer."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._engine_port, timeout=_ENGINE_TIMEOUT_S
        )
        with contextlib.closing(connection):
            try:
                headers = {"Authorization": f"Bearer {self._token}"}
                connection.request("GET", "/status", headers=headers)
                status = msgspec.json.decode(connection.getresponse().read())
            except (OSError, http.client.HTTPException, msgspec.MsgspecError):
                return None
        told = status.get("latency_us", {})
        stages = [
            wire.Latency(stage=stage, **{f"{name}_ns": int(us * 1e3) for name, us in found.items()})
            for stage, word in STAGES.items()
            if (found := told.get(word))
        ]
        return wire.Event(ts_ns=self._clock.now_ns(), latencies=wire.Latencies(stages=stages))

    def _why_not_ready(self) -> str:
        replica = self._replica
        return "" if replica and replica.last_seq else "the engine has not written anything yet"

    def _metrics(self) -> bytes:
        lines = ["# TYPE monitor_published_total counter"]
        lines += [
            f'monitor_published_total{{topic="{topic}"}} {count}'
            for topic, count in sorted(self._published.items())
        ]
        lines += [
            "# TYPE monitor_journal_seq gauge",
            f"monitor_journal_seq {self._replica.last_seq if self._replica else 0}",
        ]
        return ("\n".join(lines) + "\n").encode()

    def _status(self) -> dict[str, Any]:
        return {
            "journal_seq": self._replica.last_seq if self._replica else 0,
            "published": dict(self._published),
        }


def _event(happened: dict[str, Any]) -> wire.Event:
    """One thing of the replica's account, as it travels."""
    kind = happened.pop("kind")
    seq, ts_ns = happened.pop("seq"), happened.pop("ts_ns")
    return wire.Event(seq=seq, ts_ns=ts_ns, **{kind: KINDS[kind](**happened)})


def _view(view: dict[str, Any], ts_ns: int) -> wire.Event:
    """How things stand, as it travels."""
    markets = [_market(market) for market in view.pop("markets")]
    orders = [
        wire.Order(**{name: value for name, value in order.items() if name != "kind"})
        for order in view.pop("orders")
    ]
    return wire.Event(
        seq=view["seq"], ts_ns=ts_ns, view=wire.View(**view, markets=markets, orders=orders)
    )


def _market(market: dict[str, Any]) -> wire.Market:
    """One market of it; each level comes as price and quantity."""
    for side in ("bids", "asks"):
        levels = market[side]
        market[side] = [wire.Level(price=price, quantity=size) for price, size in levels]
    return wire.Market(**market)
