"""Calls that may block in, futures out; a fixed number of threads and no queue without an end."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from prunella.control import Reply

CALLS_MAX = 4
"""Each remediation has at most one call under way; a target that hangs for ever costs one thread,
and when all are lost nothing more is asked (told by `Pool.busy`)."""


class Pool(Protocol):
    """Carries out blocking calls beside the loop."""

    def submit(self, call: Callable[[], Reply]) -> "Future[Reply] | None":
        """Begins the call, or None when all threads are busy: ask again on the next tick."""
        ...


class ThreadPool:
    """Threads for real targets."""

    def __init__(self, calls_max: int = CALLS_MAX) -> None:
        self._threads = ThreadPoolExecutor(calls_max, thread_name_prefix="target")
        self._calls_max = calls_max
        self._running: set[Future[Reply]] = set()

    @property
    def busy(self) -> int:
        """How many calls are under way."""
        self._running = {each for each in self._running if not each.done()}
        return len(self._running)

    def submit(self, call: Callable[[], Reply]) -> "Future[Reply] | None":
        """Begins the call on a thread, or None when all are busy."""
        if self.busy >= self._calls_max:
            return None
        future = self._threads.submit(call)
        self._running.add(future)
        return future

    def close(self) -> None:
        """Takes no more calls; does not wait for one that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class InlinePool:
    """Calls at once on the caller's thread; for simulations, where targets never block."""

    def submit(self, call: Callable[[], Reply]) -> "Future[Reply] | None":
        """Calls, and gives the finished future."""
        future: Future[Reply] = Future()
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(error)
        return future
