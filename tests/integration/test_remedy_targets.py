"""What workflows ask of this machine, done on real kernel objects, and taken back."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration_parts import RealClock
from namespace import inside, missing, tool
from prunella.bridge import (
    Deeds,
    HostTarget,
    NetworkPath,
    NetworkTarget,
    Program,
    StorageTarget,
    Supervisor,
    SupervisordTarget,
)
from prunella.control import (
    Command,
    DropCaches,
    MoveSegments,
    Place,
    Reply,
    ResetConnections,
    RestoreSettings,
    ShapeTraffic,
    SwitchPath,
)
from prunella.errors import CommandUnsupportedError
from prunella.journal import JournalWriter, check_journal, list_segments
from prunella.values import Home

CLOCK = RealClock()
PATHS = {
    "usual": NetworkPath(destination="203.0.113.0/24", via="10.1.0.2", device="va"),
    "other": NetworkPath(destination="203.0.113.0/24", via="10.2.0.2", device="vb"),
}
NO_NAMESPACE = missing()
needs_namespace = pytest.mark.skipif(bool(NO_NAMESPACE), reason=NO_NAMESPACE or "-")
needs_nft = pytest.mark.skipif(
    shutil.which("nft") is None, reason="no nft here: apt-get install nftables"
)


def ask(target: object, command: Command, key: str = "") -> Reply:
    """Asks as the executor does."""
    reply = target.apply(command, actor="healing:inc-000001", reason="test", key=key)  # type: ignore[attr-defined]
    assert isinstance(reply, Reply)
    return reply


def two_links() -> None:
    """Two links with a route over the first."""
    for name, number in (("va", 1), ("vb", 2)):
        tool("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        tool("ip", "addr", "add", f"10.{number}.0.1/24", "dev", name)
        tool("ip", "link", "set", name, "up")
        tool("ip", "link", "set", f"{name}p", "up")
    tool("ip", "route", "add", "203.0.113.0/24", "via", "10.1.0.2", "dev", "va")


@needs_namespace
def test_path_is_switched_and_taken_back_unless_somebody_else_switched() -> None:
    """Real routes of a real kernel."""

    def act() -> None:
        two_links()
        target = NetworkTarget(CLOCK, paths=PATHS, endpoints={})
        assert target.why_not(SwitchPath) == ""
        there = ask(target, SwitchPath(), "k")
        assert (there.ok, there.replaced) == (True, {"path": "usual"})
        assert "via 10.2.0.2 dev vb" in tool("ip", "route", "show", "203.0.113.0/24")
        assert ask(target, SwitchPath(), "k") == there
        back = ask(target, SwitchPath(path="usual", expected="other"))
        assert (back.ok, back.replaced) == (True, {"path": "other"})
        changed = ask(target, SwitchPath(path="usual", expected="other"))
        assert (changed.ok, changed.code) == (False, "STATE_CHANGED")
        assert "via 10.1.0.2 dev va" in tool("ip", "route", "show", "203.0.113.0/24")
        assert ask(target, SwitchPath(path="none")).code == "PATH_UNKNOWN"

    inside(act)


def test_path_without_a_choice_is_not_possible_here() -> None:
    """Said before anything is asked."""
    target = NetworkTarget(CLOCK, paths={"usual": PATHS["usual"]}, endpoints={})
    reasons = {"fewer than two [healing.paths] are configured", "changing the network needs root"}
    assert target.why_not(SwitchPath) in reasons
    assert ask(target, SwitchPath()).code == "NOT_POSSIBLE_HERE"


def throughput(port: int, seconds: float) -> float:
    """Bytes per second that a TCP flow over loopback gets through."""
    server = socket.create_server(("127.0.0.1", port))
    counted = 0
    with socket.create_connection(("127.0.0.1", port)) as sender:
        receiver, _ = server.accept()
        sender.setblocking(False)
        receiver.setblocking(False)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                sender.send(b"x" * 16384)
            with contextlib.suppress(BlockingIOError):
                counted += len(receiver.recv(1 << 16))
        receiver.close()
    server.close()
    return counted / seconds


@needs_namespace
@needs_nft
def test_strangers_are_limited_and_our_own_ports_are_not() -> None:
    """Bytes counted over real sockets: a stranger's flow is held back, ours is not."""

    def act() -> None:
        target = NetworkTarget(CLOCK, paths={}, endpoints={}, own_ports=(7_001,))
        limited = ask(target, ShapeTraffic(interface="lo", bytes_per_second=200_000))
        assert (limited.ok, limited.replaced) == (True, {"bytes_per_second": "0"})
        stranger, ours = throughput(7_002, 1.0), throughput(7_001, 0.5)
        assert stranger < 2_000_000
        assert ours > 10 * stranger
        kept = ask(target, ShapeTraffic(interface="lo", bytes_per_second=0, expected="7"))
        assert kept.code == "STATE_CHANGED"
        gone = ask(target, ShapeTraffic(interface="lo", bytes_per_second=0, expected="200000"))
        assert (gone.ok, gone.replaced) == (True, {"bytes_per_second": "200000"})
        assert "prunella" not in tool("nft", "list", "ruleset")
        for rate in (2048, 3 << 20):  # which nft tells in units of its own
            assert ask(target, ShapeTraffic(interface="lo", bytes_per_second=rate)).ok
            again = ask(target, ShapeTraffic(interface="lo", bytes_per_second=rate))
            assert again.replaced == {"bytes_per_second": str(rate)}
        assert ask(target, ShapeTraffic(interface="lo; x", bytes_per_second=1)).ok is False

    inside(act)


@needs_namespace
def test_connections_to_one_venue_are_cut_and_no_others() -> None:
    """Two real connections; the venue's one ends at once."""

    def act() -> None:
        pairs = []
        for _ in range(2):
            server = socket.create_server(("127.0.0.1", 0))
            client = socket.create_connection(server.getsockname())
            pairs.append((server, client, server.accept()[0]))
        port = pairs[0][0].getsockname()[1]
        target = NetworkTarget(CLOCK, paths={}, endpoints={"primary": [("127.0.0.1", port)]})
        reply = ask(target, ResetConnections(venue="primary"))
        assert (reply.ok, reply.replaced) == (True, {"connections": "1"})
        pairs[0][1].settimeout(5)
        with pytest.raises(ConnectionError):
            pairs[0][1].recv(1)
        pairs[1][2].sendall(b"still here")
        pairs[1][1].settimeout(5)
        assert pairs[1][1].recv(64) == b"still here"
        assert ask(target, ResetConnections(venue="none")).code == "VENUE_UNKNOWN"

    inside(act)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder with settings."""
    made = Home(tmp_path / "h").create()
    made.settings.write_text("[market]\nspeed = 1.0\n")
    return made


def test_full_segments_move_under_a_live_writer_and_back(home: Home, tmp_path: Path) -> None:
    """Every entry stays readable and linked, the writer goes on, a second time moves nothing."""
    spare = tmp_path / "spare"
    target = StorageTarget(home, CLOCK, spare=spare, deeds=Deeds(tmp_path / "deeds"))
    writer = JournalWriter(home.engine_journal, segment_bytes=4096)
    for number in range(200):
        writer.append(1_000 + number, 7, b"x" * 100)
    count = len(list_segments(home.engine_journal))
    moved = ask(target, MoveSegments(), "k")
    assert moved.ok
    assert len(list(spare.iterdir())) == len(moved.replaced["segments"].split(",")) >= 3
    for number in range(200, 260):
        writer.append(1_000 + number, 7, b"x" * 100)
    writer.close()
    checked = check_journal(home.engine_journal)
    assert (checked.first_seq, checked.last_seq, checked.torn) == (1, 260, None)
    assert len(list_segments(home.engine_journal)) > count
    assert ask(target, MoveSegments(), "k") == moved
    back = ask(target, MoveSegments(names=moved.replaced["segments"], back=True))
    assert back.ok
    assert list(spare.iterdir()) == []
    assert not any(each.is_symlink() for each in home.engine_journal.iterdir())
    assert check_journal(home.engine_journal).last_seq == 260


def test_move_cut_short_is_ended_by_the_next_life(home: Home, tmp_path: Path) -> None:
    """Killed between two segments: the same key moves the rest and tells of all."""
    spare, file = tmp_path / "spare", tmp_path / "deeds"
    with_writer = JournalWriter(home.engine_journal, segment_bytes=4096)
    for number in range(200):
        with_writer.append(1_000 + number, 7, b"x" * 100)
    with_writer.close()

    class Dying(StorageTarget):
        def _move(self, name: str, *, back: bool) -> None:
            if any(spare.glob("*")):
                raise KeyboardInterrupt
            super()._move(name, back=back)

    with pytest.raises(KeyboardInterrupt):
        ask(Dying(home, CLOCK, spare=spare, deeds=Deeds(file)), MoveSegments(), "k")
    assert len(list(spare.iterdir())) == 1
    reply = ask(StorageTarget(home, CLOCK, spare=spare, deeds=Deeds(file)), MoveSegments(), "k")
    assert reply.ok
    assert len(list(spare.iterdir())) == len(reply.replaced["segments"].split(","))
    assert check_journal(home.engine_journal).last_seq == 200


def test_move_without_room_elsewhere_is_not_possible_here(home: Home) -> None:
    """No spare storage configured."""
    target = StorageTarget(home, CLOCK)
    assert target.why_not(MoveSegments) == "no [healing] spare_storage is configured"
    assert ask(target, MoveSegments()).code == "NOT_POSSIBLE_HERE"


def test_good_settings_come_back_and_the_bad_ones_are_kept(home: Home) -> None:
    """There, back again, and not over a person's own edit."""
    target = StorageTarget(home, CLOCK)
    assert ask(target, RestoreSettings()).code == "NOT_POSSIBLE_HERE"
    good = home.settings.read_text()
    home.good_settings.write_text(good)
    assert ask(target, RestoreSettings()).code == "SETTINGS_ARE_GOOD"
    home.settings.write_text("[market]\nspeed = 0\n")
    there = ask(target, RestoreSettings())
    assert there.ok
    assert home.settings.read_text() == good
    undo = RestoreSettings(sha256=there.replaced["sha256"], expected=there.replaced["good"])
    home.settings.write_text("[market]\nspeed = 2.0\n")
    assert ask(target, undo).code == "STATE_CHANGED"
    assert home.settings.read_text() == "[market]\nspeed = 2.0\n"
    home.settings.write_text(good)
    assert ask(target, undo).ok
    assert home.settings.read_text() == "[market]\nspeed = 0\n"
    assert ask(target, RestoreSettings(sha256="00")).code == "SETTINGS_UNKNOWN"


@pytest.mark.skipif(os.geteuid() != 0, reason="writing /proc/sys/vm/drop_caches needs root")
def test_kernel_lets_go_of_cached_pages(tmp_path: Path) -> None:
    """A file's pages that were cached are not any more; the file is whole."""
    file = tmp_path / "cached"
    file.write_bytes(b"x" * 50_000_000)
    target = HostTarget(set, CLOCK)
    reply = ask(target, DropCaches())
    assert reply.ok
    after = int(ask_cached())
    assert after < int(reply.replaced["cached_kb"])
    assert file.stat().st_size == 50_000_000


def ask_cached() -> str:
    """Kilobytes of cached pages now."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Cached:"))


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    """A real supervisord with one process."""
    made = Supervisor(home)
    made.start([Program(name="worker", command=("/bin/sleep", "600"), log=home.log("worker"))])
    yield made
    made.stop()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_supervised_process_is_moved_to_other_processors_and_back(supervisor: Supervisor) -> None:
    """Read from the kernel; an undo leaves alone what somebody else has set since."""
    target = SupervisordTarget(supervisor, CLOCK)
    pid = supervisor.state("worker").pid
    cpus = tuple(sorted(os.sched_getaffinity(pid)))
    text = ",".join(map(str, cpus))
    there = ask(target, Place(process="worker", cpus=cpus[1:]))
    assert (there.ok, there.replaced["cpus"]) == (True, text)
    assert os.sched_getaffinity(pid) == set(cpus[1:])
    back = Place(process="worker", cpus=cpus, expected=",".join(map(str, cpus[1:])))
    os.sched_setaffinity(pid, {cpus[0]})
    assert ask(target, back).code == "STATE_CHANGED"
    os.sched_setaffinity(pid, set(cpus[1:]))
    assert ask(target, back).ok
    assert os.sched_getaffinity(pid) == set(cpus)
    supervisor.stop_process("worker")
    assert ask(target, back).code == "PROCESS_GONE"
    assert ask(target, Place(process="none", cpus=cpus)).code == "PROCESS_FAILED"


def test_target_refuses_what_it_does_not_know(home: Home) -> None:
    """Another target's command."""
    for target in (StorageTarget(home, CLOCK), HostTarget(set, CLOCK)):
        with pytest.raises(CommandUnsupportedError):
            ask(target, SwitchPath())
