"""`StageService`: a home folder in; `signal`, `risk` or `position` until told to stop, out."""

import signal
import sys
import threading
import types
from typing import Any

import msgspec

from prunella._core import StageLoop
from prunella.control.tokens import load_token
from prunella.telemetry.serve import Pages, StatusServer
from prunella.trading.runtime.pages import stage_metrics
from prunella.trading.runtime.settings import StageName
from prunella.trading.runtime.stages import stage_ends
from prunella.values import Home

_LOOK_S = 0.1
_SILENT_NS_MAX = 1_000_000_000
"""The market process speaks at least every 10 ms, because the core needs the time."""


class StageService:
    """One of the three processes that follow the journal and hold no socket to a venue.

    Args:
        name: `signal`, `risk` or `position`.
        home: Keys, the journal and the sockets are in it.
        port: HTTP port of /health, /ready, /metrics and /status.
    """

    def __init__(self, name: StageName, *, home: Home, port: int) -> None:
        self._name = name
        self._stopping = threading.Event()
        self._loop = StageLoop(journal_dir=home.engine_journal, stage=stage_ends(name, home))
        self._server = StatusServer(
            port,
            token=load_token(home.key("read.token")),
            pages=Pages(
                ready=self._why_not_ready,
                metrics=lambda: stage_metrics(self._status()),
                status=self._status,
            ),
        )

    def run(self) -> None:
        """Follows the journal until SIGTERM or SIGINT.

        Raises:
            JournalError: The journal is damaged.
            InvariantError: The own core differs from the market process's: determinism is broken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._server.start()
        try:
            self._loop.start()
            _say(self._name, "follows the journal")
            while not self._stopping.wait(_LOOK_S) and self._loop.is_running:
                pass
        finally:
            try:
                self._loop.stop()
            finally:
                self._server.close()
        _say(self._name, "stopped cleanly")

    def _on_signal(self, _number: int, _frame: types.FrameType | None) -> None:
        self._stopping.set()

    def _status(self) -> dict[str, Any]:
        text = self._loop.status()
        found: dict[str, Any] = msgspec.json.decode(text) if text else {}
        return found

    def _why_not_ready(self) -> str:
        if not self._loop.is_running:
            return f"{self._name} does not follow the journal"
        status = self._status()
        age_ns = status.get("heard_age_ns")
        if age_ns is None or age_ns > _SILENT_NS_MAX:
            return "the market process is silent"
        return ""


def _say(name: str, line: str) -> None:
    """One line into the process's log."""
    sys.stderr.write(f"{name}: {line}\n")
    sys.stderr.flush()
