"""`KeyedTarget`: look and act in; a target that does each key once, and can be undone, out."""

from typing import ClassVar

import msgspec

from prunella.bridge.deeds import Deeds
from prunella.control import Command, Reply
from prunella.errors import CommandUnsupportedError
from prunella.values import Clock


class RefusedError(Exception):
    """The command may not, or cannot, be carried out; the code says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class KeyedTarget:
    """Base of the targets that act on this machine.

    A subclass says what it knows (`commands`), what a command would replace (`look`) and does it
    (`act`). A command's `expected` is compared with what `look` finds under `expects`, so that an
    undo never overwrites what somebody else has set since.

    Args:
        clock: The time.
        deeds: Remembers what was done under which key, over crashes where it has a file.
    """

    name: str
    commands: ClassVar[tuple[type[msgspec.Struct], ...]] = ()
    expects: ClassVar[dict[type[msgspec.Struct], str]] = {}

    def __init__(self, clock: Clock, deeds: Deeds | None = None) -> None:
        self._clock = clock
        self._deeds = deeds or Deeds()

    def why_not(self, command: type[msgspec.Struct]) -> str:  # noqa: ARG002  a subclass may care
        """Why this machine cannot do such a command at all; empty when it can."""
        return ""

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:  # noqa: ARG002  the kernel keeps no reasons
        """Carries out one command; the reply holds what it replaced.

        Raises:
            CommandUnsupportedError: Another command.
        """
        if not isinstance(command, self.commands):
            raise CommandUnsupportedError(f"{self.name} cannot {type(command).__name__}")
        try:
            return self._deeds.once(
                key,
                lambda: self.look(command),
                lambda before, again: self._carry_out(command, before, again=again),
            )
        except RefusedError as refusal:
            return Reply(ok=False, code=refusal.code, message=str(refusal))
        except (ProcessLookupError, FileNotFoundError):
            return Reply(ok=False, code="PROCESS_GONE", message="the process is gone")
        except OSError as error:
            return Reply(ok=False, code="HOST_REFUSED", message=str(error))

    def look(self, command: Command) -> dict[str, str]:
        """The state that the command would replace; enough to undo it.

        Raises:
            RefusedError: It may not be carried out.
        """
        raise NotImplementedError

    def act(self, command: Command, before: dict[str, str]) -> None:
        """Does it; doing it twice must be the same as once.

        Raises:
            RefusedError: It cannot be carried out.
        """
        raise NotImplementedError

    def _carry_out(self, command: Command, before: dict[str, str], *, again: bool) -> Reply:
        expected = getattr(command, "expected", "")
        found = before.get(self.expects.get(type(command), ""), "")
        if expected and not again and expected != found:
            return Reply(
                ok=False, code="STATE_CHANGED", message=f"expected {expected}, found {found}"
            )
        self.act(command, before)
        return Reply(ok=True, replaced=before, at_ns=self._clock.now_ns())
