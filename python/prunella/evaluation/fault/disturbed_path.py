"""A mechanism that several faults share: the way to the primary exchange is disturbed."""

import math
from typing import ClassVar

from prunella.errors import UsageError
from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.injector.path import Disturbance
from prunella.evaluation.injector.proxy import PathProxy
from prunella.evaluation.stack import RunningStack

SILENT_S = 0.25
"""An undisturbed way takes a millisecond."""
Disturbances = dict[Severity, Disturbance]


class DisturbedPath(Fault):
    """Bytes to or from the primary exchange come late, again, cut short or not at all.

    Attributes:
        disturbances: What happens to the path, by severity.
    """

    domain = "network"
    kind = "held"
    hold_s = 8.0
    severities: ClassVar[tuple[Severity, ...]] = (1, 2, 3)
    needs = frozenset({"path"})
    workflows = frozenset({"reroute-to-backup-venue"})
    disturbances: ClassVar[Disturbances]

    def why_not(self, stack: RunningStack) -> str:
        """A stack that was not started with a path of its own has none to disturb."""
        return "" if stack.path else "the stack was started without a path that can be disturbed"

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Disturbs it."""
        before = {"round_trip_us": round(stack.round_trip_s() * 1e6)}
        commanded_ns = stack.clock.now_ns()
        figures = _path(stack).disturb(self.disturbances[severity])
        before |= {"lost": figures.lost, "resets": figures.resets}
        return Injection(commanded_ns=commanded_ns, culprit="exchange-primary", before=before)

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """A request of our own on the same way is late, or segments are lost, or resets happen."""
        figures = _path(stack).figures()
        if figures.lost > injection.before["lost"] or figures.resets > injection.before["resets"]:
            return True
        round_trip_s = stack.round_trip_s(SILENT_S)
        return round_trip_s == math.inf or (
            round_trip_s > 0.02 + 2 * injection.before["round_trip_us"] / 1e6
        )

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Orders still go that way, or nowhere."""
        return stack.active_venue() != "backup" or not stack.takes_orders("backup")

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """The path is clear again."""
        _path(stack).disturb()


def _path(stack: RunningStack) -> PathProxy:
    if stack.path is None:
        raise UsageError("the stack was started without a path that can be disturbed")
    return stack.path
