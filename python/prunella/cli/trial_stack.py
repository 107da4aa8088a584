"""A planned session in; a running stack whose agents and plane are the arm's out, and its end."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from prunella.cli.demo import demo_settings
from prunella.cli.stack import prepare, service_command, start, undisturbed
from prunella.config import AutonomySettings, HealingSettings, MarketSettings, Settings, save
from prunella.evaluation.arm import ARMS
from prunella.evaluation.arm.base import Arm
from prunella.evaluation.stack import RunningStack
from prunella.evaluation.trial.plan import PlannedSession
from prunella.values import Home


@contextmanager
def trial_stack(planned: PlannedSession) -> Iterator[tuple[RunningStack, Path]]:
    """The stack, and the door to the truth, which only an informed arm's processes are told of.

    Raises:
        UsageError: It did not come up.
    """
    arm = ARMS[planned.arm]
    folder = Path(tempfile.mkdtemp(prefix="prunella-"))
    outside = Path(tempfile.mkdtemp(prefix="trial-"))
    door = outside / "truth.json"
    try:
        home = Home(folder).create()
        settings = _settings(arm, planned)
        save(settings, home.settings)
        prepare(home)

        def command(home: Home, name: str) -> tuple[str, ...]:
            if not name.startswith("agent-") and name != "healing":
                return service_command(home, name)
            truth = str(door) if arm.informed else "-"
            module = ("-m", "prunella.cli.arm_service", name, str(home.root))
            return (sys.executable, *module, arm.name, str(planned.seed), truth)

        stack = start(home, settings, lambda _component, _state: None, command)
        try:
            yield stack, door
        finally:
            with undisturbed():
                stack.close()
                stack.supervisor.stop()
    finally:
        with undisturbed():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(outside, ignore_errors=True)


def _settings(arm: Arm, planned: PlannedSession) -> Settings:
    """A demo's settings, its market by the session's seed, its plane as free as the arm is."""
    settings = demo_settings(MarketSettings(seed=planned.seed))
    autonomy = "act" if arm.acts else "observe"
    fields = {each.encode_name: autonomy for each in msgspec.structs.fields(AutonomySettings)}
    return msgspec.structs.replace(
        settings, healing=HealingSettings(autonomy=msgspec.convert(fields, AutonomySettings))
    )
