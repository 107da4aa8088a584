"""`SupervisordTarget`: restart and start commands in, supervised processes changed out."""

from prunella.bridge.supervisor import ProcessState, Supervisor
from prunella.control import Command, Reply, Restart, Start, Stop
from prunella.control.replies import Replies
from prunella.errors import CommandUnsupportedError, UsageError
from prunella.values import Clock

_RUNNING = {"RUNNING", "STARTING"}


class SupervisordTarget:
    """Carries out `Restart`, `Start` and `Stop` (of a supervised process, by name)."""

    name = "supervisor"

    def __init__(self, supervisor: Supervisor, clock: Clock) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._replies = Replies()

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:  # noqa: ARG002  supervisord keeps no reasons
        """Carries out one command; the reply holds the state and pid that it replaced.

        Raises:
            TargetUnavailableError: supervisord does not answer.
            CommandUnsupportedError: Another command, or a process given by pid.
        """
        return self._replies.once(key, lambda: self._apply(command))

    def _apply(self, command: Command) -> Reply:
        if not isinstance(command, Restart | Start | Stop) or not command.process:
            raise CommandUnsupportedError(f"supervisord cannot {type(command).__name__}")
        name = command.process
        try:
            before = self._supervisor.state(name)
            if isinstance(command, Stop) and not command.undo:
                self._supervisor.stop_process(name)
            else:
                if isinstance(command, Restart) and before.state in _RUNNING:
                    self._supervisor.stop_process(name)
                self._supervisor.start_process(name)
            after = self._supervisor.state(name)
        except UsageError as error:
            return Reply(ok=False, code="PROCESS_FAILED", message=str(error))
        return Reply(
            ok=isinstance(command, Stop) or after.state in _RUNNING,
            code="OK" if isinstance(command, Stop) or after.state in _RUNNING else "PROCESS_FAILED",
            message=after.description,
            replaced=_replaced(before),
            at_ns=self._clock.now_ns(),
        )


def _replaced(state: ProcessState) -> dict[str, str]:
    return {"state": state.state, "pid": str(state.pid)}
