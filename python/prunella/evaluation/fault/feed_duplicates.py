"""A negative: the primary exchange sends some of its messages twice."""

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_RATIO: dict[Severity, float] = {1: 0.02, 2: 0.1}


class FeedDuplicates(Fault):
    """The numbers say that it was seen: a book takes each change once."""

    name = "feed-duplicates"
    title = "market data sent twice"
    domain = "execution"
    kind = "negative"
    hold_s = 6.0
    severities = (1, 2)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Sets the share."""
        commanded_ns = stack.clock.now_ns()
        stack.misbehave("primary", market={"duplicate_ratio": _RATIO[severity]})
        return Injection(commanded_ns=commanded_ns, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says so."""
        status = stack.get("exchange-primary", "/status") or {}
        market = status.get("behaviour", {}).get("market", {})
        return bool(market.get("duplicate_ratio"))

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Each message once again."""
        stack.misbehave("primary")
