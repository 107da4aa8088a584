"""`SupervisordTarget`: restart and start commands in, supervised processes changed out."""

from prunella.bridge.deeds import Deeds
from prunella.bridge.supervisor import ProcessState, Supervisor
from prunella.control import Command, Reply, Restart, Start, Stop
from prunella.errors import CommandUnsupportedError, UsageError
from prunella.values import Clock

_RUNNING = {"RUNNING", "STARTING"}


class SupervisordTarget:
    """Carries out `Restart`, `Start` and `Stop` (of a supervised process, by name)."""

    name = "supervisor"

    def __init__(self, supervisor: Supervisor, clock: Clock, deeds: Deeds | None = None) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._deeds = deeds or Deeds()

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:  # noqa: ARG002  supervisord keeps no reasons
        """Carries out one command; the reply holds the state and pid that it replaced.

        Raises:
            TargetUnavailableError: supervisord does not answer.
            CommandUnsupportedError: Another command, or a process given by pid.
        """
        if not isinstance(command, Restart | Start | Stop) or not command.process:
            raise CommandUnsupportedError(f"supervisord cannot {type(command).__name__}")
        try:
            return self._deeds.once(
                key,
                lambda: _replaced(self._supervisor.state(command.process)),
                lambda before, again: self._apply(command, before, again=again),
            )
        except UsageError as error:
            return Reply(ok=False, code="PROCESS_FAILED", message=str(error))

    def _apply(
        self, command: Restart | Start | Stop, before: dict[str, str], *, again: bool
    ) -> Reply:
        name = command.process
        now = self._supervisor.state(name)
        # An act that a crash of ours cut short may have happened: a new process shows that it did.
        restarted = again and now.state in _RUNNING and str(now.pid) != before["pid"]
        if isinstance(command, Stop) and not command.undo:
            self._supervisor.stop_process(name)
        elif not restarted:
            if isinstance(command, Restart) and now.state in _RUNNING:
                self._supervisor.stop_process(name)
            self._supervisor.start_process(name)
        after = self._supervisor.state(name)
        return Reply(
            ok=isinstance(command, Stop) or after.state in _RUNNING,
            code="OK" if isinstance(command, Stop) or after.state in _RUNNING else "PROCESS_FAILED",
            message=after.description,
            replaced=before,
            at_ns=self._clock.now_ns(),
        )


def _replaced(state: ProcessState) -> dict[str, str]:
    return {"state": state.state, "pid": str(state.pid)}
