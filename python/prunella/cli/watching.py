"""Polls a running stack for the live picture: statuses in, the view's tables out."""

from collections import deque

from prunella.cli.live import LiveView
from prunella.evaluation.stack import RunningStack

_SLOW_EVERY = 4
"""Processes are asked for their health on every fourth look: a picture must not load the stack."""
_RATE_NS = 2_000_000_000
"""Orders are counted over so long: quotes come in twos and fours, and a rate must not flicker."""


class Poller:
    """Fills a view from a stack; call `look` a few times a second."""

    def __init__(self, stack: RunningStack, view: LiveView) -> None:
        self._stack = stack
        self._view = view
        self._began_ns = stack.clock.monotonic_ns()
        self._looks = 0
        self._counted: deque[tuple[int, dict[str, int]]] = deque()

    def look(self) -> None:
        """Asks once and updates the view; whoever does not answer is shown so."""
        view, stack = self._view, self._stack
        view.elapsed_s = (stack.clock.monotonic_ns() - self._began_ns) / 1e9
        view.engine = stack.get("engine", "/status") or {}
        self._order_rates()
        view.incidents = [(i.state, i.line) for i in stack.incidents() or ()]
        if self._looks % _SLOW_EVERY == 0:
            self._processes()
        self._looks += 1

    def _order_rates(self) -> None:
        """Orders a second by venue, over the last moments; begins anew with a new engine."""
        now_ns = self._stack.clock.monotonic_ns()
        venues = self._view.engine.get("venues", {})
        counts = {name: int(venue["orders_submitted"]) for name, venue in venues.items()}
        self._counted.append((now_ns, counts))
        while now_ns - self._counted[0][0] > _RATE_NS:
            self._counted.popleft()
        since_ns, before = self._counted[0]
        seconds = max((now_ns - since_ns) / 1e9, 1.0)
        self._view.order_rates = {
            name: max(count - before.get(name, count), 0) / seconds
            for name, count in counts.items()
        }

    def _processes(self) -> None:
        """Running and ready, running, or whatever the supervisor says."""
        for state in self._stack.supervisor.states():
            running = state.state == "RUNNING"
            ready = running and self._stack.ready(state.name)
            word = "ready" if ready else "not ready" if running else state.state.lower()
            detail = f"pid {state.pid}" if state.pid else ""
            self._view.components[state.name] = (word, detail)
