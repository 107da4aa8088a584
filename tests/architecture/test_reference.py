"""The reference pages against the source that they are made from."""

import inspect
import re
from pathlib import Path

import pytest
from generate import OWN_METRICS, REFERENCE, Own, pages
from prunella.bus import MemoryBroker
from prunella.bus.router import Router
from prunella.cli import service
from prunella.control.tokens import ensure_token
from prunella.healing.incident import Component
from prunella.healing.loop import AgentLoop, AgentSettings, HealingService, local_stack
from prunella.telemetry.otlp import OtlpReceiver
from prunella.telemetry.processes import Components, ProcessCollector
from prunella.telemetry.recording import Recorder, TelemetryWriter
from prunella.telemetry.settings import OtlpSettings
from prunella.telemetry.watch import Watch
from prunella.trading.order import denial_reasons
from prunella.values import Home, ManualClock
from stack import MemoryLedger, Stack

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_source_says(name: str) -> None:
    """A page that is stale misleads; `make docs` writes it anew."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name], "stale: run `make docs`"


def test_no_page_is_left_over() -> None:
    """Each file beside the generated ones is generated too."""
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


def test_each_denial_code_of_the_core_is_on_its_page() -> None:
    """The page is read from the source's text; the compiled core has the last word."""
    assert re.findall(r"^\| `(\w+)`", PAGES["denials.md"], re.MULTILINE) == denial_reasons()


def test_each_setting_has_its_meaning() -> None:
    """No key goes without a sentence."""
    table = re.findall(r"^\| `\S+` \|.*$", PAGES["settings.md"], re.MULTILINE)
    assert len(table) > 30
    assert [row for row in table if re.search(r"\| +\|$", row)] == []


def _names(page: bytes) -> set[str]:
    return {line.split("{")[0].split(" ")[0] for line in page.decode().splitlines()}


def _told(process: str) -> set[str]:
    own: tuple[Own, ...] = OWN_METRICS[process]
    return {each.name for each in own}


def test_metrics_of_an_agent_are_on_the_page() -> None:
    """An agent's page of figures against the table of people's metrics."""
    bus = MemoryBroker().connect("agent-cpu")
    components = (Component(name="engine", kind="process"),)
    settings = AgentSettings(name="agent-cpu", components=components)
    agent = AgentLoop(settings, inlet=bus.subscribe(), outlet=bus, clock=ManualClock())
    assert _names(agent.metrics()) == _told("agent-*")


def test_metrics_of_the_watch_are_on_the_page(tmp_path: Path) -> None:
    """The collector's own figures against the table."""
    processes = ProcessCollector(Components((), tmp_path / "none"))
    watch = Watch(processes=processes, targets=[], publish=print, clock=ManualClock())
    writer = TelemetryWriter(tmp_path / "t", bytes_max=0)
    recorder = Recorder(writer, lambda _timeout_s: None, ManualClock())
    assert _names(watch.metrics() + recorder.metrics()) == _told("watch")


def test_metrics_of_the_receiver_are_on_the_page() -> None:
    """What the process `otlp` counts against the table."""
    receiver = OtlpReceiver(OtlpSettings(), reserved=(), token="t", clock=ManualClock())
    assert _names(receiver.metrics()) == _told("otlp")


def test_metrics_of_the_healing_plane_are_on_the_page(tmp_path: Path) -> None:
    """The plane's own figures against the table; incidents appear with the first one."""
    home = Home(tmp_path / "h").create()
    for name in ("control.token", "read.token"):
        ensure_token(home.key(name))
    plane = HealingService(
        home=home,
        settings=local_stack(),
        clock=ManualClock(),
        inlet=MemoryBroker().connect("healing").subscribe(),
        ledger=MemoryLedger(),
        earlier=[],
        targets=Stack().targets(),
        port=0,
    )
    assert _names(plane.loop.metrics()) | {"healing_incidents"} == _told("healing")


def test_metrics_of_the_bus_are_on_the_page() -> None:
    """The router's counters, as the service names them, against the table."""
    counters = re.findall(r'"(\w+)": router\.(\w+),', inspect.getsource(service))
    assert {f"bus_{name}_total" for name, _ in counters} == _told("bus")
    assert all(hasattr(Router, name) or name in inspect.getsource(Router) for _, name in counters)
