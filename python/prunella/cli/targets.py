"""A stack's home and settings in; everybody who carries out steps of workflows, by name, out."""

from pathlib import Path

from prunella.bridge import (
    Deeds,
    HostTarget,
    NetworkTarget,
    StorageTarget,
    Supervisor,
    SupervisordTarget,
)
from prunella.config import Settings
from prunella.control import Target
from prunella.control.client import SocketTarget
from prunella.control.tokens import load_token
from prunella.values import Clock, Home


def healing_targets(home: Home, settings: Settings, clock: Clock) -> dict[str, Target]:
    """Whom the healing plane may ask; there is no `standby` on one machine."""
    supervisor = Supervisor(home)
    spare = settings.healing.spare_storage

    def deeds(name: str) -> Deeds:
        return Deeds(home.run / f"{name}.deeds")

    def own_pids() -> set[int]:
        return {state.pid for state in supervisor.states()} | {supervisor.pid()}

    return {
        "engine": SocketTarget(
            home.socket("engine"), token=load_token(home.key("control.token")), name="engine"
        ),
        "supervisor": SupervisordTarget(supervisor, clock, deeds("supervisor")),
        "host": HostTarget(own_pids, clock, deeds("host")),
        "network": NetworkTarget(
            clock,
            paths=settings.healing.paths,
            endpoints=settings.venue_addresses(),
            own_ports=tuple(settings.ports().values()),
            deeds=deeds("network"),
        ),
        "storage": StorageTarget(
            home, clock, spare=Path(spare) if spare else None, deeds=deeds("storage")
        ),
    }
