"""The shelf of workflows: one TOML file each in `workflows/`, listed here by name."""

from pathlib import Path

from prunella.errors import ConfigError
from prunella.healing.remediate.workflow import Workflow, load_workflow

FOLDER = Path(__file__).parent / "workflows"

NAMES: tuple[str, ...] = (
    "restart-with-warm-up",
    "reroute-to-backup-venue",
    "contain-cpu-offender",
    "back-off-and-shed",
    "reload-last-good-configuration",
    "failover-to-standby",
    "resync-book",
    "reset-connections",
    "cancel-and-reconcile",
    "move-to-other-cores",
    "relieve-memory",
    "drop-caches",
    "move-journal-segments",
    "shape-traffic",
    "switch-network-path",
    "open-breaker",
    "fence-on-clock-error",
)
"""Every workflow that there is; a file that is not listed here is not run."""


def load_catalogue(folder: Path = FOLDER) -> dict[str, Workflow]:
    """All workflows by name.

    Raises:
        ConfigError: A listed file is missing or wrong, or a file is there that is not listed.
    """
    stray = {each.stem for each in folder.glob("*.toml")} - set(NAMES)
    if stray:
        raise ConfigError(f"{folder}: not in the catalogue: {', '.join(sorted(stray))}")
    missing = [each for each in NAMES if not (folder / f"{each}.toml").is_file()]
    if missing:
        raise ConfigError(f"{folder}: missing: {', '.join(missing)}")
    return {each: load_workflow(folder / f"{each}.toml") for each in NAMES}
