"""A real chrony that follows a time server which is wrong on purpose: what it says of our clock."""

import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prunella.cli.clock import SystemClock
from prunella.telemetry import Reading
from prunella.telemetry.host.clock import ClockCollector

CLOCK = SystemClock()
PATIENCE_S = 30.0
AHEAD_NS = 50_000_000
_EPOCH_S = 2_208_988_800
"""From 1900, where NTP counts from, to 1970."""

pytestmark = pytest.mark.skipif(
    shutil.which("chronyc") is None or not Path("/usr/sbin/chronyd").exists(),
    reason="chrony is missing: apt-get install -y --no-install-recommends chrony",
)


def _stamp(time_ns: int) -> bytes:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return struct.pack("!II", seconds + _EPOCH_S, (rest << 32) // 1_000_000_000)


class FastServer:
    """An NTP server whose clock is ahead (RFC 5905, figure 8)."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        head = struct.pack("!BBbbII4s", 0x24, 1, 0, -20, 0, 16, b"TEST")
        while True:
            try:
                asked, peer = self.socket.recvfrom(512)
            except OSError:
                return
            if len(asked) < 48:
                continue
            now = _stamp(CLOCK.now_ns() + AHEAD_NS)
            self.socket.sendto(head + now + asked[40:48] + now + now, peer)

    def close(self) -> None:
        """Answers no more."""
        self.socket.close()


@pytest.fixture
def chrony(tmp_path: Path) -> Iterator[Path]:
    """A chrony that may not touch the clock and follows the fast server; its command socket."""
    server, folder = FastServer(), tmp_path / "chrony"
    folder.mkdir(mode=0o700)
    (folder / "chrony.conf").write_text(
        f"server 127.0.0.1 port {server.port} iburst minpoll -6 maxpoll -6\n"
        f"bindcmdaddress {folder}/c.sock\ncmdport 0\nport 0\n"
        f"pidfile {folder}/pid\nuser {folder.owner()}\n"
    )
    command = ["/usr/sbin/chronyd", "-x", "-d", "-f", str(folder / "chrony.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        yield folder / "c.sock"
        daemon.terminate()
    server.close()


def emit(metric: str, entity: str, value: float, **labels: str) -> Reading:
    """A reading of no particular time."""
    return Reading(
        metric=metric, entity=entity, value=value, labels=labels, ts_event_ns=0, ts_init_ns=0
    )


def test_clock_that_is_slow_has_a_negative_offset_and_a_bound(chrony: Path) -> None:
    """Against a reference 50 ms ahead, ours is 50 ms behind, and chrony's bound contains that."""
    collector = ClockCollector(chronyc=("chronyc", "-h", str(chrony)), pmc=("no-such-program",))
    pause, seen = threading.Event(), {}
    for _ in range(int(PATIENCE_S * 10)):
        readings = [
            each for each in collector.collect_slow(emit) if each.labels["source"] == "chrony"
        ]
        seen = {each.metric: each.value for each in readings}
        if seen.get("host_clock_synchronised"):
            break
        pause.wait(0.1)
    collector.close()
    assert seen["host_clock_synchronised"] == 1.0
    assert seen["host_clock_offset_seconds"] == pytest.approx(-AHEAD_NS / 1e9, abs=0.02)
    assert 0.03 < seen["host_clock_error_bound_seconds"] < 1
    assert abs(seen["host_clock_frequency_ppm"]) < 1e5
