"""A running stack and a fault in; one episode out: break it, watch from outside, take it back."""

from collections.abc import Callable
from pathlib import Path

from prunella.errors import PrunellaError
from prunella.evaluation.arm.oracle import Revelation, reveal
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.fault.base import Fault, Injection
from prunella.evaluation.stack import RunningStack, WaitedInVainError
from prunella.evaluation.trial.plan import Pace
from prunella.evaluation.trial.records import Episode, Wanted

HEALTHY_TIMEOUT_S = 80.0
"""The engine itself remembers a venue's gaps for a minute."""
PERSON_S = 20.0
"""Some arms always wait for a person; a stack that trades is then as healthy as it becomes."""
LOOK_S = 0.05
"""Between two looks of the out-of-band probe: it must not be a load of its own."""


class Examiner:
    """Runs episodes on one stack.

    Args:
        stack: The running stack.
        pace: How patient to be.
        tell: Called with a line for people at each turn.
        truth: Where an informed arm is told what was injected; None when the arm is not.
    """

    def __init__(
        self,
        stack: RunningStack,
        pace: Pace,
        tell: Callable[[str], None],
        truth: Path | None = None,
    ) -> None:
        self._stack = stack
        self._pace = pace
        self._tell = tell
        self._truth = truth
        self.calm_s = 0.0

    def run(self, wanted: Wanted) -> Episode:
        """One episode; what fails in our own plumbing is told as such."""
        fault = FAULTS[wanted.fault]
        why = fault.why_not(self._stack)
        if why:
            self._tell(f"skipped: {fault.title}: {why}")
            return Episode(wanted=wanted, outcome="skipped", why=why)
        injection: Injection | None = None
        try:
            self._tell(f"injecting: {fault.title} (severity {wanted.severity})")
            injection = fault.inject(self._stack, wanted.severity)
            self._reveal(fault, injection)
            harmless_ns = self._watch(fault, injection)
        except PrunellaError as error:
            self._take_back(fault, injection)
            self._tell(f"harness error: {error}")
            return Episode(
                wanted=wanted, outcome="harness error", why=str(error), aftermath=self.settle()
            )
        self._take_back(fault, injection)
        reverted_ns = self._stack.clock.now_ns()
        aftermath = self.settle()
        return Episode(
            wanted=wanted,
            outcome="scored",
            culprit=injection.culprit,
            commanded_ns=injection.commanded_ns,
            effective_ns=injection.effective_ns,
            harmless_ns=harmless_ns,
            reverted_ns=reverted_ns,
            until_ns=self._stack.clock.now_ns(),
            aftermath=aftermath,
        )

    def settle(self, stretch_s: float | None = None) -> str:
        """Waits for healthy trading without a break; why there was none, or nothing."""
        stretch_s = self._pace.stretch if stretch_s is None else stretch_s
        clock = self._stack.clock
        began_ns = since_ns = clock.monotonic_ns()

        def long_enough() -> bool:
            nonlocal since_ns
            why, now_ns = self._stack.why_not_healthy(), clock.monotonic_ns()
            patient = now_ns - began_ns <= PERSON_S * 1e9
            if why and (patient or not why.endswith(" is escalated")):
                since_ns = now_ns
            self._stack.pause(LOOK_S)
            return clock.monotonic_ns() - since_ns >= stretch_s * 1e9

        try:
            self._stack.wait(long_enough, "healthy trading", timeout_s=HEALTHY_TIMEOUT_S)
        except WaitedInVainError:
            return self._stack.why_not_healthy() or "it did not stay healthy"
        self.calm_s += stretch_s
        return ""

    def _watch(self, fault: Fault, injection: Injection) -> int:
        """Since when its harm is gone for good; 0 when it is not within its time."""
        stack, pace = self._stack, self._pace
        if fault.kind == "negative":
            stack.pause(fault.hold_s)
            return 0
        remedied = fault.workflows and not fault.escalates
        patient_s = max(pace.budget, fault.hold_s) if remedied else fault.hold_s
        began_ns, since_ns, since_utc_ns = stack.clock.monotonic_ns(), 0, 0
        while True:
            now_ns = stack.clock.monotonic_ns()
            if fault.harms(stack, injection):
                since_ns = 0
            elif not since_ns:
                since_ns, since_utc_ns = now_ns, stack.clock.now_ns()
            gone = bool(since_ns) and now_ns - since_ns >= pace.hold * 1e9
            waited_s = (now_ns - began_ns) / 1e9
            if gone and (fault.kind == "state" or waited_s >= fault.hold_s):
                return since_utc_ns
            if waited_s >= patient_s and (not since_ns or not remedied):
                return 0
            stack.pause(LOOK_S)

    def _reveal(self, fault: Fault, injection: Injection) -> None:
        if self._truth is not None and fault.kind != "negative":
            reveal(
                self._truth,
                Revelation(
                    fault_class=fault.fault_class,
                    culprit=injection.culprit,
                    target=fault.target or injection.culprit,
                    workflows=tuple(sorted(fault.workflows)),
                    effective_ns=injection.effective_ns,
                ),
            )

    def _take_back(self, fault: Fault, injection: Injection | None) -> None:
        if self._truth is not None:
            reveal(self._truth, None)
        fault.revert(
            self._stack, injection or Injection(commanded_ns=0, culprit="", effective_ns=0)
        )
