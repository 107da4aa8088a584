"""A whole stack, brought up, asked, broken and stopped by the commands that a person types."""

import http.client
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Said, processes_of, run
from engine_process import wait_until
from prunella.cli.stack import attach, free_port_base, new_home
from prunella.config import COMPONENTS, Settings, StackSettings, load, save
from prunella.control.tokens import load_token
from prunella.evaluation.stack import RunningStack

pytestmark = pytest.mark.timeout(90)

AGENTS = tuple(name for name in COMPONENTS if name.startswith("agent-"))
SERIES = re.compile(r"[a-z_]+(\{[^}]*\})? \S+")
LATER_ENTRIES = 500
"""Journal entries to wait for after the kill switch: a second or two of two markets."""


class Stack:
    """A running stack and what a person types at it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = load(home / "settings.toml")
        self.handle: RunningStack = attach(new_home(home), self.settings)

    def types(self, *arguments: str) -> Said:
        """Runs a command on this stack."""
        return run(*arguments, home=self.home)

    def engine(self) -> dict[str, Any]:
        """The engine's status."""
        status = self.handle.get("engine", "/status")
        assert status is not None
        found: dict[str, Any] = status
        return found

    def orders_sent(self) -> int:
        """Orders sent so far, at all venues."""
        return sum(venue["orders_submitted"] for venue in self.engine()["venues"].values())

    def wait_healthy(self) -> None:
        """Waits until everything runs and trades and no incident is open."""
        try:
            wait_until(self.handle.healthy, "a healthy stack", timeout_s=45)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.handle.why_not_healthy()}") from None

    def wait_state(self, state: str) -> None:
        """Waits until the engine shows this trading state; its page is up to 100 ms old."""
        wait_until(lambda: self.engine()["trading_state"] == state, f"trading to be {state}")

    def wait_trading(self) -> None:
        """Waits until new orders are sent."""
        before = self.orders_sent()
        wait_until(lambda: self.orders_sent() > before, "another order")

    def wait_entries(self, seq: int) -> None:
        """Waits until the engine's journal has come so far."""
        wait_until(lambda: self.engine()["journal"]["seq"] >= seq, f"journal entry {seq}")

    def get(self, component: str, path: str, token: str = "") -> tuple[int, bytes]:
        """One page of a component."""
        port = self.settings.ports()[component]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A stack that `prunella up` has started, in a home with a short path; stopped at the end."""
    home = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
    settings = Settings(stack=StackSettings(port_base=free_port_base()))
    save(settings, new_home(home).settings)
    try:
        said = run("up", "--json", home=home)
        assert said.status == 0, said.err
        yield Stack(home)
    finally:
        run("down", home=home)
        shutil.rmtree(home)


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The same stack, healthy."""
    running.wait_healthy()
    return running


def test_status_shows_every_process_ready(stack: Stack) -> None:
    """Each with a process and a port of its own; both venues are live."""
    said = stack.types("status", "--json")
    assert said.status == 0
    rows = said.json["processes"]
    assert [(row["name"], row["state"]) for row in rows] == [(n, "ready") for n in COMPONENTS]
    assert len({row["pid"] for row in rows}) == len({row["port"] for row in rows}) == len(rows)
    assert {row["pid"] for row in rows} <= set(processes_of(stack.home))
    venues = said.json["engine"]["venues"]
    assert {name: venue["state"] for name, venue in venues.items()} == {
        "primary": "live",
        "backup": "live",
    }
    text = stack.types("status").out
    assert "trading is active" in text
    assert "open incidents: 0" in text


def test_both_exchanges_are_traded_at(stack: Stack) -> None:
    """Orders are acknowledged at each, and somewhere one is filled."""

    def traded() -> bool:
        venues = stack.engine()["venues"].values()
        return all(v["orders_acknowledged"] > 0 for v in venues) and any(v["fills"] for v in venues)

    wait_until(traded, "orders at both exchanges and a fill", timeout_s=30)


def test_second_up_says_that_it_is_up(stack: Stack) -> None:
    """One sentence; the running stack is left alone."""
    before = set(processes_of(stack.home))
    said = stack.types("up")
    assert said.status == 2
    assert said.err == (
        f"prunella: a stack is already up in {stack.home}; see `prunella status`, "
        "or `prunella down`\n"
    )
    assert set(processes_of(stack.home)) == before


@pytest.mark.parametrize("component", COMPONENTS)
def test_pages_of_a_process_are_served_to_whom_they_are_for(stack: Stack, component: str) -> None:
    """Health and readiness are open; figures and status want the read token."""
    assert stack.get(component, "/health")[0] == 200
    wait_until(lambda: stack.get(component, "/ready")[0] == 200, f"{component} to be ready")
    token = load_token(stack.home / "keys" / "read.token")
    for path in ("/metrics", "/status"):
        assert stack.get(component, path)[0] == 401
        assert stack.get(component, path, "0" * 64)[0] == 401
        assert stack.get(component, path, token)[0] == 200
    lines = stack.get(component, "/metrics", token)[1].decode().splitlines()
    series = [line for line in lines if not line.startswith("#")]
    assert series
    assert [line for line in series if not SERIES.fullmatch(line)] == []


def test_no_order_leaves_after_the_kill_switch_until_a_person_resumes(stack: Stack) -> None:
    """The journal is the witness: no later entry made an order, though the market went on."""
    stack.wait_trading()
    killed = stack.types("kill", "--reason", "a test", "--json")
    assert killed.status == 0
    assert killed.json["replaced"]["trading_state"] == "active"
    seq = killed.json["seq"]
    stack.wait_entries(seq + LATER_ENTRIES)
    assert stack.engine()["trading_state"] == "halted"
    assert [v["orders_open"] for v in stack.engine()["venues"].values()] == [0, 0]
    replayed = stack.types("replay", "--json")
    assert replayed.status == 0
    assert replayed.json["last_seq"] >= seq + LATER_ENTRIES
    assert 0 < replayed.json["last_order_seq"] < seq
    assert stack.types("resume", "--name", "ada").status == 2
    for name, reason in (("", "checked"), ("ada", ""), ("healing:plane", "checked")):
        assert stack.types("resume", "--name", name, "--reason", reason).status == 1
    assert stack.engine()["trading_state"] == "halted"
    resumed = stack.types("resume", "--name", "ada", "--reason", "checked", "--json")
    assert resumed.status == 0
    assert resumed.json["replaced"]["trading_state"] == "halted"
    stack.wait_state("active")
    stack.wait_trading()


def test_kill_switch_works_with_everything_but_the_engine_dead(stack: Stack) -> None:
    """No healing plane, no agent, no collector, no bus; what is dead is shown as such."""
    dead = ("healing", *AGENTS, "watch", "bus")
    for name in dead:
        stack.handle.supervisor.stop_process(name)
    try:
        shown = stack.types("status", "--json").json
        assert {p["name"] for p in shown["processes"] if p["state"] == "stopped"} == set(dead)
        assert shown["incidents"] is None
        assert stack.types("kill").status == 0
        stack.wait_state("halted")
        assert stack.types("resume", "--name", "ada", "--reason", "checked").status == 0
    finally:
        for name in reversed(dead):
            stack.handle.supervisor.start_process(name)
    stack.wait_healthy()


def test_frozen_venue_is_routed_around_and_returned_to(stack: Stack) -> None:
    """The whole circle from `inject` to an incident's trail in the ledger."""
    known = {each["id"] for each in stack.types("incidents", "--json").json}
    injected = stack.types("inject", "venue-freeze", "--seconds", "3", "--json")
    assert injected.status == 0
    assert injected.json["culprit"] == "exchange-primary"

    def returned() -> dict[str, Any]:
        found = [i for i in stack.types("incidents", "--json").json if i["id"] not in known]
        done = [i for i in found if i["outcome"] == "returned"]
        return done[0] if done else {}

    wait_until(lambda: bool(returned()), "the way back to the primary venue", timeout_s=40)
    incident = returned()
    assert incident["state"] == "resolved"
    assert (incident["fault_class"], incident["culprit"]) == ("venue.silent", "exchange-primary")
    assert incident["workflow"] == "reroute-to-backup-venue"
    assert stack.engine()["active_venue"] == "primary"
    told = stack.types("incidents", incident["id"], "--json")
    assert told.status == 0
    kinds = [entry["kind"] for entry in told.json]
    story = ["incident.opened", "decision.made", "run.started", "run.intent", "run.reply"]
    assert [kinds.index(kind) for kind in story] == sorted(kinds.index(kind) for kind in story)
    commands = [e["record"]["command"] for e in told.json if e["kind"] == "run.intent"]
    assert [command["venue"] for command in commands] == ["backup", "primary"]
    ends = [e["record"]["outcome"] for e in told.json if e["kind"] == "run.ended"]
    assert ends[-1] == "returned"
    text = stack.types("incidents", incident["id"]).out
    assert incident["id"] in text
    assert f"#{told.json[0]['seq']}" in text
    assert incident["id"] in stack.types("incidents").out


def test_replica_is_added_replaced_when_it_dies_and_removed(stack: Stack) -> None:
    """One more while it runs; killed, it is restarted like any process; it leaves quietly."""
    added = stack.types("agents", "add", "agent-io", "--json")
    assert added.status == 0, added.err
    assert [each["name"] for each in added.json] == ["agent-io", "agent-io.2"]
    before = stack.handle.pid("agent-io.2")
    os.kill(before, signal.SIGKILL)

    def healed() -> bool:
        about = [each for each in stack.handle.incidents() or () if each.culprit == "agent-io.2"]
        return bool(about) and all(each.outcome == "cured" for each in about)

    wait_until(healed, "the replica to be replaced", timeout_s=30)
    assert stack.handle.pid("agent-io.2") != before
    stack.wait_healthy()
    incidents = len(stack.handle.incidents() or ())
    removed = stack.types("agents", "remove", "agent-io.2", "--json")
    assert removed.status == 0, removed.err
    assert [(each["name"], each["state"]) for each in removed.json] == [("agent-io", "serving")]
    text = stack.types("agents").out
    assert all(name in text for name in AGENTS)
    assert "agent-io.2" not in text
    assert len(stack.handle.incidents() or ()) == incidents
    assert stack.types("agents", "remove", "agent-io").status == 2
    assert stack.types("agents", "add", "agent-tea").status == 2


def test_unknown_incident_is_answered_with_those_that_there_are(stack: Stack) -> None:
    """A mistyped id is one sentence."""
    said = stack.types("incidents", "nope")
    assert said.status == 2
    known = [each["id"] for each in stack.types("incidents", "--json").json]
    assert said.err == f"prunella: no incident 'nope'; there are: {', '.join(known) or 'none'}\n"


def test_ledger_verifies_whole_and_a_flipped_byte_is_found(stack: Stack, tmp_path: Path) -> None:
    """While the stack runs, from the outside; and in a copy that somebody has touched."""
    client = stack.handle.healing
    client.maintenance("agent-io", seconds=1, actor="ada", reason="something for the ledger")

    def whole() -> Any:
        said = stack.types("ledger", "verify", "--json")
        return said.json if said.status == 0 else {}

    wait_until(lambda: whole().get("unsigned") == 0, "a checkpoint over all entries")
    assert whole()["entries"] > 0
    copy = tmp_path / "ledger"
    shutil.copytree(stack.home / "ledger", copy)
    segment = min(copy.glob("*.journal"))
    content = bytearray(segment.read_bytes())
    middle = len(content.rstrip(b"\0")) // 2
    content[middle] ^= 1
    segment.write_bytes(content)
    arguments = ("ledger", "verify", str(copy), "--key", str(stack.home / "keys" / "ledger.pub"))
    said = stack.types(*arguments)
    assert said.status == 1
    assert "not whole" in said.out
    assert "entry" in said.out
    assert stack.types(*arguments, "--json").json["whole"] is False


def test_replay_of_the_running_engines_journal_is_equal(stack: Stack) -> None:
    """Every recorded state hash agrees, over all that happened here."""
    said = stack.types("replay", "--json")
    assert said.status == 0
    assert said.json["hash_equal"] is True
    assert said.json["checks"] > 0
    assert "equal" in stack.types("replay").out
    assert "holds no journal of an engine" in stack.types("replay", str(stack.home)).err


def test_down_leaves_nothing_running_and_up_trades_again(stack: Stack) -> None:
    """No process of this home, no order at an exchange; the trading state is as it was."""
    said = stack.types("down", "--json")
    assert said.status == 0
    assert said.json == {
        "down": True,
        "orders_left": {"exchange-primary": 0, "exchange-backup": 0},
    }
    assert processes_of(stack.home) == []
    assert stack.types("status").status == 2
    assert stack.types("up").status == 0
    stack.wait_healthy()
    stack.wait_trading()


def test_trading_that_a_person_halted_is_halted_after_down_and_up(stack: Stack) -> None:
    """The kill switch is latched: only a named person lets go of it."""
    assert stack.types("kill").status == 0
    stack.wait_state("halted")
    sent = stack.orders_sent()
    assert stack.types("down").status == 0
    up = stack.types("up", "--json")
    assert up.json["engine"]["trading_state"] == "halted"
    assert stack.orders_sent() == sent
    assert stack.types("resume", "--name", "ada", "--reason", "checked").status == 0
    stack.wait_trading()
