"""A negative: the primary exchange's clock is corrected by a few milliseconds."""

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_OFFSET_MS: dict[Severity, int] = {1: 5, 2: 20}


class ClockCorrection(Fault):
    """Clocks are corrected all the time; what is far within every window harms nobody."""

    name = "clock-correction"
    title = "small correction of the venue's clock"
    domain = ""
    kind = "negative"
    hold_s = 6.0
    severities = (1, 2)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Sets the offset."""
        commanded_ns = stack.clock.now_ns()
        stack.misbehave("primary", clock_offset_ms=_OFFSET_MS[severity])
        return Injection(commanded_ns=commanded_ns, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says so."""
        status = stack.get("exchange-primary", "/status") or {}
        return bool(status.get("behaviour", {}).get("clock_offset_ms"))

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Back to the true time."""
        stack.misbehave("primary")
