"""`SupervisordTarget`: restart and start commands in, supervised processes changed out."""

import os
from pathlib import Path
from typing import ClassVar

from prunella.bridge.deeds import Deeds
from prunella.bridge.keyed import KeyedTarget, RefusedError
from prunella.bridge.supervisor import Supervisor
from prunella.control import Command, Place, Reply, Restart, Start, Stop
from prunella.errors import CommandUnsupportedError, UsageError
from prunella.values import Clock

_RUNNING = {"RUNNING", "STARTING"}


class SupervisordTarget(KeyedTarget):
    """Carries out `Restart`, `Start`, `Stop` and `Place` of a supervised process, by name."""

    name = "supervisor"
    commands: ClassVar = (Restart, Start, Stop, Place)
    expects: ClassVar = {Place: "cpus"}

    def __init__(self, supervisor: Supervisor, clock: Clock, deeds: Deeds | None = None) -> None:
        super().__init__(clock, deeds)
        self._supervisor = supervisor

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Carries out one command; the reply holds the state and pid that it replaced.

        Raises:
            TargetUnavailableError: supervisord does not answer.
            CommandUnsupportedError: Another command, or a process given by pid.
        """
        if isinstance(command, Stop) and not command.process:
            raise CommandUnsupportedError("supervisord cannot Stop by pid")
        try:
            return super().apply(command, actor=actor, reason=reason, key=key)
        except UsageError as error:
            return Reply(ok=False, code="PROCESS_FAILED", message=str(error))

    def look(self, command: Command) -> dict[str, str]:
        """State and pid of the process, and where it runs if that is to change."""
        state = self._supervisor.state(_name(command))
        found = {"state": state.state, "pid": str(state.pid)}
        if isinstance(command, Place):
            if not state.pid:
                raise RefusedError("PROCESS_GONE", f"{command.process} does not run")
            cpus = sorted(os.sched_getaffinity(state.pid))
            found["cpus"] = ",".join(map(str, cpus))
        return found

    def act(self, command: Command, before: dict[str, str]) -> None:
        """Does it. A new process shows that a restart which a crash cut short did happen."""
        name = _name(command)
        now = self._supervisor.state(name)
        if isinstance(command, Place):
            threads = Path(f"/proc/{now.pid}/task")
            for thread in threads.iterdir():
                os.sched_setaffinity(int(thread.name), set(command.cpus))
            return
        if isinstance(command, Stop) and not command.undo:
            self._supervisor.stop_process(name)
            return
        restarted = now.state in _RUNNING and str(now.pid) != before["pid"]
        if not restarted:
            if isinstance(command, Restart) and now.state in _RUNNING:
                self._supervisor.stop_process(name)
            self._supervisor.start_process(name)
        after = self._supervisor.state(name)
        if after.state not in _RUNNING:
            raise RefusedError("PROCESS_FAILED", after.description)


def _name(command: Command) -> str:
    return str(getattr(command, "process", ""))
