"""A stage's name and the home's keys in; ZeroMQ sockets, lent to the stage's hot thread, out.

Every socket is on a unix path that only its owner may open, and authenticated with CURVE both
ways: each inlet knows the one stage that may write to it.
"""

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq

from prunella.control.curve import CurveContext, CurvePair, connect, ensure_curve_pair
from prunella.errors import UsageError
from prunella.trading.runtime.settings import STAGES, StageName
from prunella.values import Home

_RECONNECT_MS = 20
_QUEUE_MAX = 100_000
"""Facts that the sequencer has not taken yet; beyond it `execution` begins a new session."""


class _Inlet(NamedTuple):
    """Who binds a socket for reading, and who alone may write to it."""

    reader: StageName
    writer: StageName


_INLETS = {
    "intents": _Inlet("risk", "signal"),
    "orders": _Inlet("execution", "risk"),
    "facts": _Inlet("market", "execution"),
}


def stage_socket(home: Home, name: str) -> Path:
    """The unix path of `stream`, `intents`, `orders`, `facts` or `positions`."""
    return home.socket(f"stage-{name}")


def stage_keys(home: Home) -> dict[StageName, CurvePair]:
    """Every stage's key pair; those that are missing are made.

    Raises:
        AuthenticationError: A key file is damaged or open to others.
    """
    return {name: ensure_curve_pair(home.key(f"stage-{name}.curve")) for name in STAGES}


class StageSockets:
    """The sockets of one stage, open until closed; meanwhile they belong to the hot thread.

    Args:
        name: The stage.
        home: Keys and socket paths are in it.

    Raises:
        AuthenticationError: A key cannot be used.
        UsageError: This process's ZeroMQ library cannot be called directly.
    """

    def __init__(self, name: StageName, home: Home) -> None:
        self._name = name
        self._home = home
        self._keys = stage_keys(home)
        self._send, self._receive = _library()
        self._servers: list[CurveContext] = []
        self._sockets: list[zmq.Socket[bytes]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        _prepare(self._context)
        self._stream = self._open_stream()
        self._inlet = self._open_inlet()
        self._outlet = self._open_outlet()

    def lent(self) -> bytes:
        """The ends as the core wants them (JSON). Nobody else may use the sockets from now on."""
        return msgspec.json.encode(
            {
                "name": self._name,
                "send": self._send,
                "receive": self._receive,
                "stream": _end(self._stream),
                "inlet": _end(self._inlet),
                "outlet": _end(self._outlet),
            }
        )

    def close(self) -> None:
        """Ends it, after the hot thread has ended."""
        for socket in self._sockets:
            socket.close(linger=0)
        for server in self._servers:
            server.close()
        self._context.term()

    def _open_stream(self) -> zmq.Socket[bytes]:
        if self._name == "market":
            others = frozenset(self._keys[name].public for name in STAGES if name != "market")
            return self._bind(zmq.PUB, "stream", others)
        return self._connect(zmq.SUB, "stream", "market")

    def _open_inlet(self) -> zmq.Socket[bytes] | None:
        for name, inlet in _INLETS.items():
            if inlet.reader == self._name:
                return self._bind(zmq.PULL, name, frozenset({self._keys[inlet.writer].public}))
        return None

    def _open_outlet(self) -> zmq.Socket[bytes] | None:
        for name, inlet in _INLETS.items():
            if inlet.writer == self._name:
                return self._connect(zmq.PUSH, name, inlet.reader)
        if self._name == "position":
            operator = ensure_curve_pair(self._home.key("operator.curve"))
            return self._bind(zmq.PUB, "positions", frozenset({operator.public}))
        return None

    def _bind(self, kind: int, name: str, clients: frozenset[str]) -> zmq.Socket[bytes]:
        server = CurveContext(self._keys[self._name], clients)
        _prepare(server.context)
        self._servers.append(server)
        socket = server.bind(kind, stage_socket(self._home, name))
        self._sockets.append(socket)
        return socket

    def _connect(self, kind: int, name: str, server: StageName) -> zmq.Socket[bytes]:
        socket = connect(
            self._context,
            kind,
            stage_socket(self._home, name),
            client=self._keys[self._name],
            server=self._keys[server].public,
        )
        if kind == zmq.SUB:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._sockets.append(socket)
        return socket


def _prepare(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    """Options of every socket to come: nothing is kept for a peer that is gone."""
    context.setsockopt(zmq.LINGER, 0)
    context.setsockopt(zmq.IMMEDIATE, 1)
    context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    context.setsockopt(zmq.SNDHWM, _QUEUE_MAX)
    context.setsockopt(zmq.RCVHWM, _QUEUE_MAX)


def _end(socket: zmq.Socket[bytes] | None) -> dict[str, int] | None:
    if socket is None:
        return None
    return {"address": socket.underlying, "fd": socket.fileno()}


@functools.cache
def _library() -> tuple[int, int]:
    """Addresses of `zmq_send` and `zmq_recv` in the libzmq that pyzmq has loaded.

    Raises:
        UsageError: It is not to be found among what this process has loaded.
    """
    with Path("/proc/self/maps").open(encoding="utf-8") as maps:
        loaded = {line.split(maxsplit=5)[-1].strip() for line in maps if "zmq" in line}
    for path in sorted(loaded, key=lambda path: "libzmq" not in path):
        if ".so" not in path:
            continue
        library = ctypes.CDLL(path)
        found = [getattr(library, name, None) for name in ("zmq_send", "zmq_recv")]
        if all(found):
            send, receive = (ctypes.cast(each, ctypes.c_void_p).value for each in found if each)
            return send or 0, receive or 0
    raise UsageError(
        'the topology "split" needs pyzmq with a libzmq that can be called directly, as the '
        'wheels of PyPI have it; install pyzmq from there, or use the topology "fused"'
    )
