"""A real exchange process for tests: started on a free port, ready, stopped at the end."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

API_KEY = "testkey1"
SECRET = "testsecret1"
READ_TOKEN = "read-token"
ADMIN_TOKEN = "admin-token"
READY_S_MAX = 20.0

# Where the recordings are; tests that need them skip when they are absent.
DATA = Path(os.environ.get("PRUNELLA_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Answer(NamedTuple):
    """An HTTP answer; `body` is decoded JSON, or nothing."""

    status: int
    body: Any
    headers: dict[str, str]


class Exchange:
    """A running exchange process and a plain client for it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, control: Path) -> None:
        self.process = process
        self.port = port
        self._control = control
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def trust(self, ca_file: Path) -> None:
        """Talks over TLS from now on, believing this authority."""
        context = ssl.create_default_context(cafile=str(ca_file))
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=10, context=context
        )

    @property
    def ws_url(self) -> str:
        """Where its sockets are."""
        return f"ws://127.0.0.1:{self.port}"

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> Answer:
        """One HTTP request over the kept connection."""
        return _exchanged(self._connection, method, path, headers or {}, body)

    def signed(
        self,
        method: str,
        path: str,
        *,
        key: str = API_KEY,
        secret: str = SECRET,
        **parameters: str | int,
    ) -> Answer:
        """A signed request; `timestamp` is now unless given."""
        parameters.setdefault("timestamp", time.time_ns() // 1_000_000)  # noqa: TID251 - a client's
        query = urlencode(parameters)
        signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self.call(
            method,
            f"/api/v3/{path}?{query}&signature={signature}",
            headers={"X-MBX-APIKEY": key},
        )

    def admin(self, path: str, *, token: str = ADMIN_TOKEN, **values: object) -> Answer:
        """Sets a behaviour or the pace, at the socket that only injectors know."""
        with contextlib.closing(UnixConnection(self._control)) as connection:
            headers = {"Authorization": f"Bearer {token}"}
            return _exchanged(connection, "POST", f"/admin/{path}", headers, json.dumps(values))

    def status(self) -> Any:
        """Its `/status`."""
        return self.call("GET", "/status", headers={"Authorization": f"Bearer {READ_TOKEN}"}).body

    def is_ready(self) -> bool:
        """Whether it does its job."""
        try:
            return self.call("GET", "/ready").status == 200
        except OSError:
            self._connection.close()
            return False

    def stop(self) -> int:
        """Asks it to end; its exit status."""
        self._connection.close()
        shutil.rmtree(self._control.parent, ignore_errors=True)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connects to the path instead of an address."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchanged(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str | None,
) -> Answer:
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    raw = response.read()
    decoded = None
    if raw:
        is_json = "json" in response.headers.get("content-type", "")
        decoded = json.loads(raw) if is_json else raw.decode()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, decoded, names)


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    folder: Path, *arguments: str, port: int | None = None, keys: Sequence[tuple[str, str]] = ()
) -> Exchange:
    """Starts an exchange without waiting for it; files go into `folder`."""
    port = port or free_port()
    (folder / "read.token").write_text(READ_TOKEN)
    (folder / "admin.token").write_text(ADMIN_TOKEN)
    command = [sys.executable, "-m", "prunella.exchange", "--port", str(port)]
    command += ["--read-token-file", str(folder / "read.token")]
    command += ["--admin-token-file", str(folder / "admin.token")]
    # A test's own folder may be too deep for the address of a unix socket.
    control = Path(tempfile.mkdtemp(prefix="pr-")) / "control.sock"
    command += ["--control-socket", str(control)]
    for number, (key, secret) in enumerate(keys or [(API_KEY, SECRET)]):
        path = folder / f"venue{number}.key"
        path.write_text(json.dumps({"api_key": key, "secret": secret}))
        command += ["--key-file", str(path)]
    with (folder / "exchange.log").open("wb") as log:
        process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log)
    return Exchange(process, port, control)


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str, port: int | None = None, keys: Sequence[tuple[str, str]] = ()
) -> Iterator[Exchange]:
    """A ready exchange, ended at the end of the block."""
    exchange = start(folder, *arguments, port=port, keys=keys)
    try:
        deadline = time.monotonic() + READY_S_MAX
        while not exchange.is_ready():
            if exchange.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "exchange.log").read_text())
            # The process is being started: there is nothing to wait on but its port.
            time.sleep(0.02)
        yield exchange
    finally:
        exchange.stop()
