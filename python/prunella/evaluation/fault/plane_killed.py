"""Kills the engine, and the healing plane in the middle of the remedy: a second fault meanwhile."""

import os
import signal

from prunella.evaluation.fault.base import Injection, Severity
from prunella.evaluation.fault.engine_crash import EngineCrash
from prunella.evaluation.stack import RunningStack

_AFTER_S: dict[Severity, float] = {1: 1.0, 2: 0.3, 3: 0.1}
"""About when the remedy verifies, has acted, and has just been decided."""


class PlaneKilled(EngineCrash):
    """Whoever comes after it finds a half-done remedy in the ledger, and goes on with it."""

    name = "plane-killed"
    title = "engine killed, and the healing plane while it remedies"
    severities = (1, 2, 3)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Kills one after the other."""
        plane = stack.pid("healing")
        injection = super().strike(stack, severity)
        stack.pause(_AFTER_S[severity])
        os.kill(plane, signal.SIGKILL)
        return injection

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The engine that was killed is gone."""
        return not stack.process_alive(injection.pid)

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Nobody trades, or nobody watches."""
        return not stack.trades() or not stack.ready("healing")
