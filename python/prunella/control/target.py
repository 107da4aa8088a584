"""`Target`: whoever carries out commands (an engine, a process supervisor, the host)."""

from typing import Protocol

from prunella.control.commands import Command, Reply


class Target(Protocol):
    """Carries out the commands that it knows."""

    name: str

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Carries out one command; the same non-empty `key` again gives the first reply again.

        Raises:
            TargetUnavailableError: No answer in time; whether it was done is unknown, so ask
                again with the same `key`.
            CommandUnsupportedError: This target does not know the command; retrying cannot help.
        """
        ...
