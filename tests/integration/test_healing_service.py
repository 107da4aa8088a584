"""The healing plane's process: pages, tokens, its key, a clean end by SIGTERM, resuming."""

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from integration_parts import QueueInlet, RealClock
from prunella.control.tokens import ensure_token
from prunella.healing.loop import HealingClient, HealingService, local_stack
from prunella.values import Home
from stack import MemoryLedger, Stack


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder with its tokens."""
    made = Home(tmp_path / "h").create()
    for name in ("control.token", "read.token"):
        ensure_token(made.key(name))
    return made


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts the signal handlers back."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def service(home: Home, ledger: MemoryLedger) -> HealingService:
    """A service on a free port."""
    return HealingService(
        home=home,
        settings=local_stack(),
        clock=RealClock(),
        inlet=QueueInlet(),
        ledger=ledger,
        earlier=list(ledger.read()),
        targets=Stack().targets(),
        port=0,
    )


def fetch(port: int, path: str, token: str) -> tuple[int, bytes]:
    """One page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


@pytest.mark.usefixtures("handlers")
def test_service_answers_and_ends_cleanly_and_a_new_life_remembers(home: Home) -> None:
    """Pages with the read token, orders over the socket, SIGTERM; the freeze outlives it."""
    ledger = MemoryLedger()
    seen: dict[str, tuple[int, bytes]] = {}

    def visit(plane: HealingService) -> None:
        token = home.key("read.token").read_text().strip()
        try:
            for path in ("/health", "/ready", "/metrics", "/status"):
                seen[path] = fetch(plane.pages.port, path, token)
            seen["refused"] = fetch(plane.pages.port, "/status", "guess")
            HealingClient(home).freeze(frozen=True, actor="ana", reason="migration")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    first = service(home, ledger)
    visitor = threading.Thread(target=visit, args=(first,))
    visitor.start()
    first.run()
    visitor.join(5)
    assert [seen[each][0] for each in ("/health", "/ready", "/metrics", "/status")] == [200] * 4
    assert seen["refused"][0] == 401
    assert msgspec.json.decode(seen["/status"][1])["acting"] is True
    assert not home.socket("healing").exists()
    second = service(home, ledger)
    assert second.loop.metrics()
    stop = threading.Timer(0.5, second.loop.stop)
    stop.start()
    asked: list[bool] = []
    threading.Timer(0.2, lambda: asked.append(HealingClient(home).status().frozen)).start()
    second.run()
    assert asked == [True]
