"""The supervisor bridge: a real supervisord with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prunella.bridge import HostTarget, Program, Supervisor, SupervisordTarget
from prunella.cli.clock import SystemClock
from prunella.control import Halt, Pin, Renice, Restart, Start, Stop
from prunella.errors import CommandUnsupportedError, UsageError
from prunella.values import Home

SLEEPER = "import time\nwhile True: time.sleep(0.05)"
STUBBORN = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(0.05)"
WHO = {"actor": "t", "reason": "t"}


def wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until the condition holds, or fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return ["X"]
    return text.rpartition(")")[2].split()


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return stat(pid)[0] not in {"Z", "X"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder."""
    return Home(tmp_path / "h").create()


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    """A supervisord with a sleeper, and one that ignores SIGTERM."""
    kept = Supervisor(home)
    sleeper, stubborn = home.root / "sleeper.py", home.root / "stubborn.py"
    sleeper.write_text(SLEEPER, encoding="utf-8")
    stubborn.write_text(STUBBORN, encoding="utf-8")
    python = sys.executable
    kept.start(
        [
            Program(name="sleeper", command=(python, str(sleeper)), log=home.log("s")),
            Program(name="stubborn", command=(python, str(stubborn)), log=home.log("t"), stop_s=1),
        ]
    )
    yield kept
    kept.stop()


def test_stop_leaves_nothing_running(supervisor: Supervisor) -> None:
    """After stop, no process is left: not a frozen one, not one that ignores SIGTERM."""
    pids = [s.pid for s in supervisor.states()]
    assert len(pids) == 2
    os.kill(supervisor.state("sleeper").pid, signal.SIGSTOP)
    supervisor.stop()
    assert [pid for pid in pids if alive(pid)] == []
    assert not supervisor.is_running()


def test_killed_supervisord_leaves_nothing_after_stop(supervisor: Supervisor) -> None:
    """Kill -9 of supervisord leaves no unwatched process behind once `stop` was called."""
    pids = [s.pid for s in supervisor.states()]
    os.kill(supervisor.pid(), signal.SIGKILL)
    wait(lambda: not supervisor.is_running())
    supervisor.stop()
    wait(lambda: not any(alive(pid) for pid in pids))


def test_start_beside_a_mute_supervisord_names_the_remedy(
    supervisor: Supervisor, home: Home
) -> None:
    """A supervisord that runs but does not answer is told, with what clears it away."""
    home.socket("supervisor").unlink()
    with pytest.raises(UsageError, match="prunella down"):
        supervisor.start([])
    pid = supervisor.pid()
    supervisor.stop()
    assert not alive(pid)


def test_restart_gives_a_new_process_and_the_pid_replaced(supervisor: Supervisor) -> None:
    """The reply carries what was replaced; the same key does not restart again."""
    target = SupervisordTarget(supervisor, SystemClock())
    before = supervisor.state("sleeper").pid
    reply = target.apply(Restart(process="sleeper"), **WHO, key="k")
    after = supervisor.state("sleeper").pid
    assert reply.ok
    assert reply.replaced == {"state": "RUNNING", "pid": str(before)}
    assert after not in {0, before}
    assert target.apply(Restart(process="sleeper"), **WHO, key="k") == reply
    assert supervisor.state("sleeper").pid == after


def test_supervisorctl_takes_the_configuration(supervisor: Supervisor, home: Home) -> None:
    """What runbooks tell a person to type works: supervisorctl with the home's own file."""
    command = [str(Path(sys.executable).parent / "supervisorctl")]
    command += ["-c", str(home.root / "supervisord.conf")]
    before = supervisor.state("sleeper").pid
    ran = subprocess.run([*command, "restart", "sleeper"], timeout=20, check=False)
    assert ran.returncode == 0
    assert supervisor.state("sleeper").pid not in {0, before}


def test_restart_of_a_killed_process_starts_it(supervisor: Supervisor) -> None:
    """A process that died by SIGKILL stays down until somebody decides, and then starts."""
    target = SupervisordTarget(supervisor, SystemClock())
    os.kill(supervisor.state("sleeper").pid, signal.SIGKILL)
    wait(lambda: supervisor.state("sleeper").state == "EXITED")
    assert target.apply(Restart(process="sleeper"), **WHO).ok
    assert supervisor.state("sleeper").state == "RUNNING"


def test_unknown_process_is_refused_and_foreign_commands_are_unsupported(
    supervisor: Supervisor,
) -> None:
    """A wrong name is a refusal; a command of another kind is an error."""
    target = SupervisordTarget(supervisor, SystemClock())
    assert target.apply(Start(process="nobody"), **WHO).code == "PROCESS_FAILED"
    with pytest.raises(CommandUnsupportedError):
        target.apply(Halt(), **WHO)


@pytest.fixture
def hog() -> Iterator[int]:
    """A busy process of no stack, in a session of its own; its pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", "while True: pass"],
        start_new_session=True,
        env={k: v for k, v in os.environ.items() if k != "PRUNELLA_STACK"},
    )
    yield process.pid
    process.kill()
    process.wait()


def test_foreign_process_is_reniced_pinned_stopped_and_given_back(hog: int) -> None:
    """Each act on a foreign process takes effect and is undone from its own reply."""
    ticks = int(stat(hog)[19])
    host = HostTarget(set, SystemClock())
    usual = os.getpriority(os.PRIO_PROCESS, hog)
    nice = host.apply(Renice(pid=hog, start_ticks=ticks, nice=19), **WHO)
    assert nice.replaced["nice"] == str(usual)
    assert os.getpriority(os.PRIO_PROCESS, hog) == 19
    group = Path(f"/proc/{hog}/autogroup")
    if group.exists():  # nice alone does nothing across sessions
        assert group.read_text().endswith("nice 19\n")
    undone = Renice(pid=hog, start_ticks=ticks, nice=int(nice.replaced["nice"]))
    assert host.apply(undone, **WHO).replaced["nice"] == "19"
    assert os.getpriority(os.PRIO_PROCESS, hog) == usual
    if group.exists():
        assert group.read_text().endswith(f"nice {usual}\n")
    cores = os.sched_getaffinity(hog)
    pin = host.apply(Pin(pid=hog, start_ticks=ticks, cpus=(min(cores),)), **WHO)
    assert os.sched_getaffinity(hog) == {min(cores)}
    back = tuple(int(c) for c in pin.replaced["cpus"].split(","))
    host.apply(Pin(pid=hog, start_ticks=ticks, cpus=back), **WHO)
    assert os.sched_getaffinity(hog) == cores
    host.apply(Stop(pid=hog, start_ticks=ticks), **WHO)
    wait(lambda: stat(hog)[0] == "T")
    host.apply(Stop(pid=hog, start_ticks=ticks, undo=True), **WHO)
    wait(lambda: stat(hog)[0] != "T")


def test_reused_pid_own_component_and_init_are_never_touched(
    supervisor: Supervisor, hog: int
) -> None:
    """Another start time, one of ours or pid 1 is refused, and nothing happens.

    A process of the stack is known as such even while the supervisor cannot say who is whose.
    """
    component = supervisor.state("sleeper").pid
    pid = hog
    ticks = int(stat(pid)[19])
    usual = os.getpriority(os.PRIO_PROCESS, pid)
    host = HostTarget(set, SystemClock())
    own = HostTarget(lambda: {pid}, SystemClock())
    replies = [
        host.apply(Renice(pid=pid, start_ticks=ticks + 1, nice=19), **WHO),
        own.apply(Renice(pid=pid, start_ticks=ticks, nice=19), **WHO),
        host.apply(Stop(pid=1, start_ticks=int(stat(1)[19])), **WHO),
        host.apply(Stop(pid=component, start_ticks=int(stat(component)[19])), **WHO),
        host.apply(Stop(pid=os.getpid(), start_ticks=int(stat(os.getpid())[19])), **WHO),
    ]
    assert [r.code for r in replies] == [
        "PROCESS_CHANGED",
        "PROCESS_PROTECTED",
        "PROCESS_PROTECTED",
        "PROCESS_PROTECTED",
        "PROCESS_PROTECTED",
    ]
    assert os.getpriority(os.PRIO_PROCESS, pid) == usual
