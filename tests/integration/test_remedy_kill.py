"""A remediation on a real process, killed with SIGKILL at every step of the way, again and again.

Each life is a fork with the real ledger, the real file of deeds and the real host target; a bomb
kills it at its n-th moment, for every n that there is. The next life must end what was begun, with
the process as it was found when nothing helped.
"""

import os
import signal
import subprocess
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from healing_rig import KEY
from prunella.bridge import Deeds, HostTarget
from prunella.errors import JournalError
from prunella.healing.audit import read_trail
from prunella.healing.decide import DecideSettings
from prunella.healing.incident import IncidentState
from prunella.healing.loop import Orchestrator, assemble, local_stack
from prunella.healing.remediate import InlinePool
from prunella.journal import Ledger, verify_ledger
from prunella.telemetry import Reading
from stack import SECOND, Stack, advise


class Bomb:
    """Kills this process at its n-th moment; 0 never does."""

    def __init__(self, moment: int) -> None:
        self._left = moment

    def tick(self) -> None:
        """One moment passes."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The act, with a moment before and one after."""

        def bombed(*arguments: Any, **words: Any) -> Any:
            self.tick()
            result = act(*arguments, **words)
            self.tick()
            return result

        return bombed


class Life:
    """One life of the healing plane on the real process `pid`."""

    def __init__(self, folder: Path, pid: int, bomb: Bomb, *, helps: bool) -> None:
        self.pid, self.helps = pid, helps
        self.ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        self.ledger = ledger = Ledger(folder / "ledger", KEY)
        deeds = Deeds(folder / "host.deeds")
        ledger.append = bomb.around(ledger.append)  # type: ignore[method-assign]
        deeds._write = bomb.around(deeds._write)  # type: ignore[method-assign]
        earlier = [(each.seq, each.ts_ns, each.record) for each in read_trail(folder / "ledger")]
        self.now_ns = max([at_ns for _, at_ns, _ in earlier], default=1_000 * SECOND)
        self.stack = Stack(now_ns=self.now_ns)
        settings = msgspec.structs.replace(local_stack(), agents=(), decide=DecideSettings())
        self.plane: Orchestrator = assemble(
            settings=settings,
            ledger=ledger,
            earlier=earlier,
            targets={"host": HostTarget(set, self.stack_clock(), deeds)},
            private_key=KEY,
            pool=InlinePool(),
            now_ns=self.now_ns,
        )

    def stack_clock(self) -> Any:
        """The simulated time as a clock."""
        life = self

        class Clock:
            def now_ns(self) -> int:
                return life.now_ns

            def monotonic_ns(self) -> int:
                return life.now_ns

        return Clock()

    def readings(self) -> Iterator[Reading]:
        """A stranger burns a processor; the engine waits as long as nothing helps."""
        nice = os.getpriority(os.PRIO_PROCESS, self.pid)
        delay = 0.02 if self.helps and nice == 19 else 0.6
        rows: list[tuple[str, str, float, dict[str, str]]] = [
            (
                "process_cpu_ratio",
                f"pid:{self.pid}",
                0.95,
                {"start_ticks": str(self.ticks), "command": "hog"},
            ),
            ("process_run_delay_ratio", "engine", delay, {"thread": "hot"}),
            ("process_last_cpu", "engine", 0.0, {}),
            ("host_cpu_ratio", "host", 0.5, {"cpu": "0"}),
            ("host_cpu_ratio", "host", 0.5, {"cpu": "1"}),
        ]
        for metric, entity, value, labels in rows:
            yield Reading(
                metric=metric,
                entity=entity,
                value=value,
                labels=labels,
                ts_event_ns=self.now_ns,
                ts_init_ns=self.now_ns,
            )

    def run(self) -> None:
        """Until the incident has ended."""
        told = bool(self.plane.book.cases)
        for _ in range(600):
            self.now_ns += SECOND // 10
            for reading in self.readings():
                self.plane.hear_reading(reading, self.now_ns)
            if not told:
                told = True
                self.stack.now_ns = self.now_ns
                self.plane.hear_diagnosis(
                    advise(
                        self.stack,
                        agent="agent-cpu",
                        fault="cpu.contention",
                        culprit=f"pid:{self.pid}",
                        workflow="contain-cpu-offender",
                        evidence=(
                            "process_run_delay_ratio@engine",
                            f"process_cpu_ratio@pid:{self.pid}",
                        ),
                    ),
                    self.now_ns,
                )
            self.plane.tick(self.now_ns)
            case = next(iter(self.plane.book.cases.values()), None)
            if case and case.incident.state in {"resolved", "escalated"}:
                self.ledger.close()
                return
        raise AssertionError("the incident has no end")


def live(folder: Path, pid: int, moment: int, *, helps: bool) -> int:
    """One life in a process of its own; its exit status, -9 when the bomb killed it."""
    child = os.fork()
    if child == 0:
        try:
            Life(folder, pid, Bomb(moment), helps=helps).run()
        except BaseException:  # noqa: BLE001  the parent is told by the status
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def state(pid: int) -> tuple[int, set[int], bool]:
    """Priority, processors, and whether it is stopped."""
    letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), letter == "T"


@pytest.fixture
def victim() -> Iterator[int]:
    """A real foreign process with a priority of its own."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        os.setpriority(os.PRIO_PROCESS, process.pid, 3)
        yield process.pid
        process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="raising a priority again needs root")
@pytest.mark.parametrize("helps", [True, False], ids=["first-step-helps", "nothing-helps"])
def test_remediation_killed_anywhere_is_ended_by_the_next_life(
    tmp_path: Path, victim: int, helps: bool
) -> None:
    """At every record and around every act: cured, or everything as it was found."""
    found = state(victim)
    moment = 0
    while True:
        moment += 1
        folder = tmp_path / str(moment)
        (folder / "ledger").mkdir(parents=True)
        first = live(folder, victim, moment, helps=helps)
        assert first in {0, -signal.SIGKILL}, f"moment {moment}"
        assert live(folder, victim, 0, helps=helps) == 0, f"moment {moment}"
        check(folder, helps=helps)
        wanted = (19, *found[1:]) if helps else found
        assert state(victim) == wanted, f"moment {moment}"
        os.setpriority(os.PRIO_PROCESS, victim, found[0])
        if first == 0:
            break
    assert moment > 30, "the bomb met too few moments to tell anything"


def check(folder: Path, *, helps: bool) -> None:
    """The ledger is whole, every act has one intent, and the end is the right one."""
    assert verify_ledger(folder / "ledger", KEY.public_key()).entries > 0
    records: list[Any] = [each.record for each in read_trail(folder / "ledger")]
    keys = [each.key for each in records if type(each).__name__ == "StepIntended"]
    assert len(keys) == len(set(keys))
    ends = [each.outcome for each in records if type(each).__name__ == "RunEnded"]
    assert ends == (["cured"] if helps else ["rolled_back"])


class Watchful(Life):
    """A life that is killed right after the incident's entry into a state is in the ledger."""

    def __init__(self, folder: Path, pid: int, state: str, *, helps: bool, frozen: bool) -> None:
        super().__init__(folder, pid, Bomb(0), helps=helps)
        append = self.ledger.append

        def bombed(kind: str, record: Any, now_ns: int, **words: Any) -> int:
            seq = append(kind, record, now_ns, **words)
            entered = "open" if kind == "incident.opened" else getattr(record, "state", "")
            if state and entered == state:
                os.kill(os.getpid(), signal.SIGKILL)
            return seq

        self.ledger.append = bombed  # type: ignore[method-assign]
        if frozen != self.plane.book.frozen:
            words = {"actor": "ana", "reason": "test", "now_ns": self.now_ns}
            self.plane.freeze(frozen=frozen, **words)  # type: ignore[arg-type]

    def advise(self) -> None:
        """The agent tells it, or reminds of it: it knows nothing of the plane's lives."""
        self.stack.now_ns = self.now_ns
        diagnosis = advise(
            self.stack,
            agent="agent-cpu",
            fault="cpu.contention",
            culprit=f"pid:{self.pid}",
            workflow="contain-cpu-offender",
            evidence=("process_run_delay_ratio@engine", f"process_cpu_ratio@pid:{self.pid}"),
        )
        self.plane.hear_diagnosis(diagnosis, self.now_ns)

    def pass_time(self, seconds: float, until: frozenset[str]) -> None:
        """Lets time pass until the incident stands where it should."""
        self.advise()
        for _ in range(round(seconds * 10)):
            self.now_ns += SECOND // 10
            for reading in self.readings():
                self.plane.hear_reading(reading, self.now_ns)
            self.plane.tick(self.now_ns)
            if {str(each.incident.state) for each in self.plane.book.cases.values()} == until:
                break
        else:
            raise AssertionError([each.incident for each in self.plane.book.cases.values()])
        self.ledger.close()


def watchful(folder: Path, pid: int, state: str, until: str, **words: bool) -> int:
    """One such life in a process of its own; its exit status, -9 when it was killed."""
    child = os.fork()
    if child == 0:
        try:
            Watchful(folder, pid, state, **words).pass_time(60, frozenset({until}))
        except BaseException:  # noqa: BLE001  the parent is told by the status
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="raising a priority again needs root")
@pytest.mark.parametrize("state_of_kill", list(IncidentState))
def test_plane_killed_in_any_state_of_an_incident_goes_on_where_it_was(
    tmp_path: Path, victim: int, state_of_kill: IncidentState
) -> None:
    """One incident, each act once, the same end, whatever the state in which kill -9 comes."""
    (tmp_path / "ledger").mkdir()
    frozen = state_of_kill is IncidentState.SUPPRESSED
    helps = state_of_kill is not IncidentState.ESCALATED
    end = "resolved" if helps else "escalated"
    life = partial(watchful, tmp_path, victim, helps=helps)
    assert life(str(state_of_kill), end, frozen=frozen) == -signal.SIGKILL
    if frozen:  # the next life knows that a person has frozen it, and does nothing
        assert life("", "suppressed", frozen=True) == 0
        assert state(victim)[0] == 3
    assert life("", end, frozen=False) == 0
    assert life("", end, frozen=False) == 0  # once more changes nothing
    assert state(victim)[0] == (19 if helps else 3)
    assert verify_ledger(tmp_path / "ledger", KEY.public_key()).entries > 0
    records: list[Any] = [each.record for each in read_trail(tmp_path / "ledger")]
    names = [type(each).__name__ for each in records]
    assert names.count("IncidentOpened") == 1
    assert names.count("RunStarted") == 1
    keys = [each.key for each in records if type(each).__name__ == "StepIntended"]
    assert len(keys) == len(set(keys))


def test_second_plane_on_the_same_ledger_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    """One writer: the lock is the kernel's, so kill -9 frees it and nothing else does."""
    ready = os.pipe()
    child = os.fork()
    if child == 0:
        kept = Ledger(tmp_path, KEY)
        os.write(ready[1], str(kept).encode())
        signal.pause()
        os._exit(0)
    try:
        assert os.read(ready[0], 1)
        with pytest.raises(JournalError):
            Ledger(tmp_path, KEY)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    Ledger(tmp_path, KEY).close()
