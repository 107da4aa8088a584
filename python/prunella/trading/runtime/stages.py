"""A stage's name and the home's keys in; where its ZeroMQ sockets are and who may use them, out.

Every socket is on a unix path that only its owner may open. Whoever connects tells its name and its
secret (PLAIN), so that each inlet knows the one stage that may write to it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from prunella.control.tokens import ensure_token
from prunella.trading.runtime.settings import STAGES, StageName
from prunella.values import Home

OPERATOR = "operator"
"""The name by which people read the positions."""


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


def stage_secret(home: Home, name: str) -> str:
    """The secret of a stage or of the operator; made when it is missing.

    Raises:
        AuthenticationError: Its file is open to others.
    """
    return ensure_token(home.key(f"stage-{name}.token"))


def stage_ends(name: StageName, home: Home) -> bytes:
    """The ends of a stage as the core wants them (JSON).

    Raises:
        AuthenticationError: A secret cannot be used.
    """
    others = tuple(each for each in STAGES if each != "market")
    if name == "market":
        stream = _bound(home, "stream", others)
    else:
        stream = _connecting(home, "stream", name)
    inlet = outlet = None
    for socket, each in _INLETS.items():
        if each.reader == name:
            inlet = _bound(home, socket, (each.writer,))
        if each.writer == name:
            outlet = _connecting(home, socket, name)
    if name == "position":
        outlet = _bound(home, "positions", (OPERATOR,))
    return msgspec.json.encode({"name": name, "stream": stream, "inlet": inlet, "outlet": outlet})


def _bound(home: Home, socket: str, clients: tuple[str, ...]) -> dict[str, Any]:
    secrets = {name: stage_secret(home, name) for name in clients}
    return {"path": str(stage_socket(home, socket)), "secrets": secrets}


def _connecting(home: Home, socket: str, name: StageName) -> dict[str, Any]:
    return {"path": str(stage_socket(home, socket)), "secret": stage_secret(home, name)}
