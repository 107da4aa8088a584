"""A split stack as a person starts it: shown, watched, and each of its processes brought back."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Said, run
from engine_process import wait_until
from prunella.cli.stack import attach, free_port_base, new_home
from prunella.config import STAGE_COMPONENTS, Settings, StackSettings, load, save
from prunella.evaluation.stack import RunningStack

pytestmark = pytest.mark.timeout(180)
HEALED_S = 40


class Split:
    """A running split stack."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = load(home / "settings.toml")
        self.handle: RunningStack = attach(new_home(home), self.settings)

    def types(self, *arguments: str) -> Said:
        """Runs a command on it."""
        return run(*arguments, home=self.home)

    def wait_healthy(self) -> None:
        """Waits until everything runs and trades and no incident is open."""
        try:
            wait_until(self.handle.healthy, "a healthy stack", timeout_s=HEALED_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.handle.why_not_healthy()}") from None

    def wait_order(self) -> None:
        """Waits until an order has left and the venue has answered."""

        def acknowledged() -> int:
            status = self.handle.get("engine", "/status")
            assert status is not None
            return sum(venue["orders_acknowledged"] for venue in status["venues"].values())

        before = acknowledged()
        wait_until(lambda: acknowledged() > before, "another order", timeout_s=HEALED_S)


@pytest.fixture(scope="module", name="split")
def fixture_split() -> Iterator[Split]:
    """What `prunella up --topology split` has started; stopped at the end."""
    home = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
    save(Settings(stack=StackSettings(port_base=free_port_base())), new_home(home).settings)
    try:
        said = run("up", "--topology", "split", "--json", home=home)
        assert said.status == 0, said.err
        yield Split(home)
    finally:
        run("down", home=home)
        shutil.rmtree(home)


def test_status_names_the_five_processes_and_they_trade(split: Split) -> None:
    """Each is ready on a port of its own, and the settings remember the topology."""
    rows = {row["name"]: row for row in split.types("status", "--json").json["processes"]}
    for name in ("engine", *STAGE_COMPONENTS):
        assert rows[name]["state"] == "ready"
        assert rows[name]["port"] == split.settings.ports()[name]
    assert split.settings.trading.topology == "split"
    split.wait_healthy()
    split.wait_order()


@pytest.mark.parametrize("name", ["engine", *STAGE_COMPONENTS])
def test_a_killed_process_is_restarted_by_the_healing_plane(split: Split, name: str) -> None:
    """An incident names it, the workflow brings it back, and orders leave again."""
    split.wait_healthy()
    before = split.handle.pid(name)
    known = {each.id for each in split.handle.incidents() or ()}
    os.kill(before, signal.SIGKILL)
    wait_until(
        lambda: any(
            each.id not in known and each.culprit == name and each.state == "resolved"
            for each in split.handle.incidents() or ()
        ),
        f"an incident of {name} to be resolved",
        timeout_s=HEALED_S,
    )
    assert split.handle.pid(name) != before
    split.wait_healthy()
    split.wait_order()
