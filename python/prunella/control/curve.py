"""Key pairs of ZeroMQ's CURVE: files in; sockets that are encrypted and know their peers out.

A server's file holds its own pair and nobody else's; who may connect is a list of public keys,
the operators' pairs beside it. An unknown key never gets as far as a message.
"""

import os
import stat
import threading
from pathlib import Path

import msgspec
import zmq
from zmq.auth.thread import ThreadAuthenticator

from prunella.errors import AuthenticationError

_DOMAIN = "prunella"


class CurvePair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CURVE key pair in ZeroMQ's own text form (Z85)."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"CurvePair(public={self.public!r}, secret=...)"


def ensure_curve_pair(path: Path) -> CurvePair:
    """The pair in the file; made (mode 0600) when there is none.

    Raises:
        AuthenticationError: The file is there but holds no pair, or is open to others.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_curve_pair(path)
    public, secret = (key.decode() for key in zmq.curve_keypair())
    pair = CurvePair(public=public, secret=secret)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(pair))
    return pair


def load_curve_pair(path: Path) -> CurvePair:
    """The pair in the file.

    Raises:
        AuthenticationError: It is missing, damaged or open to others; the message says what to do.
    """
    try:
        mode = path.stat().st_mode
        pair = msgspec.json.decode(path.read_bytes(), type=CurvePair)
    except FileNotFoundError:
        raise AuthenticationError(f"{path} is missing; `prunella up` makes it") from None
    except OSError as error:
        raise AuthenticationError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise AuthenticationError(f"{path}: expected a CURVE key pair: {error}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthenticationError(f"{path} can be read by others; run `chmod 600 {path}`")
    return pair


class CurveContext:
    """A ZeroMQ context that lets only known clients in.

    Args:
        server: The server's own pair.
        clients: Public keys that may connect.
    """

    def __init__(self, server: CurvePair, clients: frozenset[str]) -> None:
        self._server = server
        self.context = zmq.Context()
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, _Clients(clients))

    def bind(self, kind: int, path: Path) -> zmq.Socket[bytes]:
        """A server's socket on a unix path (mode 0600)."""
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN.encode())
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._server.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._server.secret.encode())
        path.unlink(missing_ok=True)
        with _PRIVATE:
            before = os.umask(0o177)
            try:
                socket.bind(f"ipc://{path}")
            finally:
                os.umask(before)
        return socket

    def close(self) -> None:
        """Ends it; its sockets must be closed before."""
        self._authenticator.stop()
        self.context.term()


_PRIVATE = threading.Lock()
"""The process's umask is one for all threads."""


class _Clients:
    """The list of those who may connect, as the authenticator asks it."""

    def __init__(self, clients: frozenset[str]) -> None:
        self._clients = clients

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether this public key (Z85 text) is on the list."""
        return domain == _DOMAIN and key.decode() in self._clients


def connect(
    context: zmq.Context[zmq.Socket[bytes]],
    kind: int,
    path: Path,
    *,
    client: CurvePair,
    server: str,
) -> zmq.Socket[bytes]:
    """A client's socket; `server` is the public key that the other side must prove to have."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.CURVE_SERVERKEY, server.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, client.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, client.secret.encode())
    socket.connect(f"ipc://{path}")
    return socket
