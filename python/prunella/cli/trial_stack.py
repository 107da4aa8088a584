"""A planned session in; a running stack whose agents and plane are the arm's out, and its end."""

import itertools
import shutil
import socket
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
from prunella.evaluation.injector.proxy import PathProxy
from prunella.evaluation.model_server import BEHAVIOURS, Asked, ModelServer, Reply
from prunella.evaluation.stack import RunningStack
from prunella.evaluation.trial.plan import PlannedSession
from prunella.healing.reason.settings import EndpointSettings, ReasonSettings
from prunella.trading.venue import local_endpoint
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
    model: ModelServer | None = None
    try:
        home = Home(folder).create()
        model = _model(arm)
        settings = _settings(arm, planned, model)
        save(settings, home.settings)
        prepare(home)

        def command(home: Home, name: str) -> tuple[str, ...]:
            if not name.startswith("agent-") and name != "healing":
                return service_command(home, name)
            truth = str(door) if arm.informed else "-"
            module = ("-m", "prunella.cli.arm_service", name, str(home.root))
            return (sys.executable, *module, arm.name, str(planned.seed), truth)

        path = _path(settings, planned)
        try:
            stack = start(home, settings, lambda _component, _state: None, command)
            stack.path = path
            try:
                yield stack, door
            finally:
                with undisturbed():
                    stack.close()
                    stack.supervisor.stop()
        finally:
            if path is not None:
                path.close()
    finally:
        with undisturbed():
            if model is not None:
                model.close()
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(outside, ignore_errors=True)


def _settings(arm: Arm, planned: PlannedSession, model: ModelServer | None) -> Settings:
    """A demo's settings, the market by the session's seed; a plane that may act, or only look."""
    settings = demo_settings(MarketSettings(seed=planned.seed))
    if "path" in planned.needs:
        endpoints = {"primary": local_endpoint(_free_port())}
        trading = msgspec.structs.replace(settings.trading, endpoints=endpoints)
        settings = msgspec.structs.replace(settings, trading=trading)
    if model is not None:
        reason = ReasonSettings(
            endpoints={
                "scripted": EndpointSettings(url=model.url, model="scripted", timeout_s=5.0)
            },
            hold_s=3.0,
            unexplained_s=2.0,
            alone="act",
            calls_per_hour_max=10_000,
            tokens_per_hour_max=10**9,
            cache_s=0.0,
        )
        return msgspec.structs.replace(settings, healing=HealingSettings(reason=reason))
    if arm.acts:
        return settings
    fields = {each.encode_name: "observe" for each in msgspec.structs.fields(AutonomySettings)}
    autonomy = msgspec.convert(fields, AutonomySettings)
    return msgspec.structs.replace(settings, healing=HealingSettings(autonomy=autonomy))


def _model(arm: Arm) -> ModelServer | None:
    """The arm's scripted model, which answers in its ways one after the other."""
    if not arm.model:
        return None
    ways = itertools.cycle([BEHAVIOURS[each] for each in arm.model])

    def answer(asked: Asked) -> Reply:
        return next(ways)(asked)

    return ModelServer(answer).start()


def _path(settings: Settings, planned: PlannedSession) -> PathProxy | None:
    """The disturbed way to the primary exchange, where the session wants one."""
    if "path" not in planned.needs:
        return None
    port = int(settings.trading.endpoints["primary"].rest_url.rpartition(":")[2])
    return PathProxy(port, settings.ports()["exchange-primary"], seed=planned.seed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
