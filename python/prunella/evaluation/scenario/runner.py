"""Carries a scenario out on a running stack: healthy, break, watch, revert, healthy again."""

from collections.abc import Callable

import msgspec

from prunella.errors import UsageError
from prunella.evaluation.fault import FAULTS, Fault, Injection
from prunella.evaluation.scenario.base import Scenario
from prunella.evaluation.score import Truth
from prunella.evaluation.stack import RunningStack, WaitedInVainError
from prunella.healing.incident import IncidentState

_HEALTHY_TIMEOUT_S = 45.0
_CLOSED = {IncidentState.RESOLVED, IncidentState.SUPPRESSED}


class Runner:
    """Runs one scenario.

    Args:
        stack: The running stack.
        scenario: What to do.
        tell: Called with a line for people at each turn.
    """

    def __init__(
        self, stack: RunningStack, scenario: Scenario, tell: Callable[[str], None]
    ) -> None:
        self._stack = stack
        self._scenario = scenario
        self._tell = tell

    def run(self) -> list[Truth]:
        """Breaks one thing after the other; hands back the truth of each.

        Raises:
            UsageError: The stack did not become healthy, or a fault cannot be injected here.
        """
        self._tell("waiting until the stack trades on both exchanges")
        self._wait_healthy(self._scenario.warm_up_s)
        truths: list[Truth] = []
        for name in self._scenario.faults:
            truth = self._one(FAULTS[name])
            if truths:  # a straggler after the healthy stretch is still the earlier fault's
                truths[-1] = msgspec.structs.replace(truths[-1], until_ns=truth.commanded_ns)
            truths.append(truth)
        return truths

    def _one(self, fault: Fault) -> Truth:
        """Injects one fault, waits for what becomes of it, and takes it back."""
        self._tell(f"injecting: {fault.title}")
        injection = fault.inject(self._stack)
        if fault.kind == "negative":
            self._stack.pause(fault.hold_s)
        elif fault.kind == "held":
            self._stack.pause(fault.hold_s)
            fault.revert(self._stack, injection)
            self._wait_closed(injection)
        else:
            self._wait_closed(injection)
        fault.revert(self._stack, injection)
        reverted_ns = self._stack.clock.now_ns()
        self._tell(f"over: {fault.title}")
        self._wait_healthy(self._scenario.stretch_s)
        return Truth(
            fault=fault.name,
            commanded_ns=injection.commanded_ns,
            effective_ns=injection.effective_ns,
            reverted_ns=reverted_ns,
            until_ns=self._stack.clock.now_ns(),
            culprit=injection.culprit,
        )

    def _wait_closed(self, injection: Injection) -> None:
        """Waits until the incident about this injection is closed, or its budget is spent."""

        def closed() -> bool:
            mine = [
                i
                for i in self._stack.incidents() or ()
                if i.opened_ns >= injection.commanded_ns and i.culprit == injection.culprit
            ]
            return bool(mine) and all(i.state in _CLOSED for i in mine)

        try:
            self._stack.wait(closed, "the incident", timeout_s=self._scenario.budget_s)
        except WaitedInVainError:
            self._tell(f"not cured within {self._scenario.budget_s:g} s")

    def _wait_healthy(self, stretch_s: float) -> None:
        """Waits until the stack has been healthy for a stretch without a break."""
        clock = self._stack.clock
        since = clock.monotonic_ns()

        def long_enough() -> bool:
            nonlocal since
            if not self._stack.healthy():
                since = clock.monotonic_ns()
            return clock.monotonic_ns() - since >= stretch_s * 1e9

        what = f"{stretch_s:g} s of healthy trading"
        try:
            self._stack.wait(long_enough, what, timeout_s=_HEALTHY_TIMEOUT_S)
        except WaitedInVainError as error:
            why = self._stack.why_not_healthy() or "it is healthy now"
            raise UsageError(f"{error}: {why}") from None
