"""Polls a running stack for the live picture: statuses in, the view's tables out."""

from prunella.cli.live import LiveView
from prunella.evaluation.stack import RunningStack

_SLOW_EVERY = 4
"""Processes are asked for their health on every fourth look: a picture must not load the stack."""


class Poller:
    """Fills a view from a stack; call `look` a few times a second."""

    def __init__(self, stack: RunningStack, view: LiveView) -> None:
        self._stack = stack
        self._view = view
        self._began_ns = stack.clock.monotonic_ns()
        self._looks = 0

    def look(self) -> None:
        """Asks once and updates the view; whoever does not answer is shown so."""
        view, stack = self._view, self._stack
        view.elapsed_s = (stack.clock.monotonic_ns() - self._began_ns) / 1e9
        view.engine = stack.get("engine", "/status") or {}
        view.incidents = [(i.state, i.line) for i in stack.incidents() or ()]
        if self._looks % _SLOW_EVERY == 0:
            self._processes()
        self._looks += 1

    def _processes(self) -> None:
        """Running and ready, running, or whatever the supervisor says."""
        for state in self._stack.supervisor.states():
            running = state.state == "RUNNING"
            ready = running and self._stack.ready(state.name)
            word = "ready" if ready else "not ready" if running else state.state.lower()
            detail = f"pid {state.pid}" if state.pid else ""
            self._view.components[state.name] = (word, detail)
