"""`StorageTarget`: settings and journal segments put elsewhere and back; every move is whole."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import ClassVar

import msgspec

from prunella.bridge.deeds import Deeds
from prunella.bridge.keyed import KeyedTarget, RefusedError
from prunella.control import Command, MoveSegments, RestoreSettings
from prunella.values import Clock, Home

KEPT_OPEN = 2
"""The newest segments stay: one is being written, the next one is made ahead."""
_SUFFIX = "*.journal"


class StorageTarget(KeyedTarget):
    """Carries out `RestoreSettings` and `MoveSegments` in one home folder.

    Args:
        home: The stack's folder.
        clock: The time.
        spare: Another file system with room; None: there is none.
        deeds: Remembers what was done under which key.
    """

    name = "storage"
    commands: ClassVar = (RestoreSettings, MoveSegments)
    expects: ClassVar = {RestoreSettings: "sha256"}

    def __init__(
        self, home: Home, clock: Clock, *, spare: Path | None = None, deeds: Deeds | None = None
    ) -> None:
        super().__init__(clock, deeds)
        self._home = home
        self._spare = spare

    def why_not(self, command: type[msgspec.Struct]) -> str:
        """Why this stack cannot do it."""
        if command is MoveSegments and self._spare is None:
            return "no [healing] spare_storage is configured"
        if command is RestoreSettings and not self._home.good_settings.exists():
            return "no good settings are kept yet: the stack was never up with any"
        return ""

    def look(self, command: Command) -> dict[str, str]:
        """Which settings are in place, or which segments would be moved."""
        why = self.why_not(type(command))
        if why:
            raise RefusedError("NOT_POSSIBLE_HERE", why)
        if isinstance(command, RestoreSettings):
            now = _sha256(self._home.settings)
            good = _sha256(self._home.good_settings)
            if not command.sha256 and now == good:
                raise RefusedError("SETTINGS_ARE_GOOD", "the settings are the last good ones")
            return {"sha256": now, "good": good}
        if isinstance(command, MoveSegments) and command.back:
            return {"segments": command.names}
        names = [each.name for each in self._segments()]
        if not names:
            raise RefusedError("NOTHING_TO_MOVE", "every full segment is elsewhere already")
        return {"segments": ",".join(names)}

    def act(self, command: Command, before: dict[str, str]) -> None:
        """Moves it."""
        if isinstance(command, RestoreSettings):
            self._restore(command.sha256, before["sha256"])
        elif isinstance(command, MoveSegments):
            for name in before["segments"].split(","):
                if name:
                    self._move(name, back=command.back)

    def _restore(self, sha256: str, replaced: str) -> None:
        """The wanted settings in place of the present ones, which are kept under their hash."""
        home = self._home
        kept = home.root / "settings.kept"
        kept.mkdir(mode=0o700, exist_ok=True)
        if home.settings.exists() and _sha256(home.settings) == replaced:
            _put(home.settings, kept / f"{replaced}.toml")
        source = kept / f"{sha256}.toml" if sha256 else home.good_settings
        if not source.is_file():
            raise RefusedError("SETTINGS_UNKNOWN", f"no settings with hash {sha256} are kept")
        _put(source, home.settings)

    def _segments(self) -> list[Path]:
        """Full segments that are still in the journal's own folder, oldest first."""
        files = sorted(self._home.engine_journal.glob(_SUFFIX))
        return [each for each in files[:-KEPT_OPEN] if not each.is_symlink()]

    def _move(self, name: str, *, back: bool) -> None:
        """One segment: copied whole and synced, then in one step a link takes its place."""
        if self._spare is None or Path(name).name != name:
            raise RefusedError("SEGMENT_UNKNOWN", f"{name!r} is no segment")
        here = self._home.engine_journal / name
        there = self._spare / f"{self._home.root.name}-{name}"
        if back:
            if here.is_symlink():
                _put(there, here)
                there.unlink()
            return
        if here.is_symlink():
            return  # an earlier life did it
        self._spare.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(here, there)
        link = here.with_name(f".{name}.link")
        link.unlink(missing_ok=True)
        link.symlink_to(there)
        link.replace(here)


def _put(source: Path, target: Path) -> None:
    """Copies a file whole: nobody ever sees half of it, and a full disk leaves the old one."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(source, fresh)
        shutil.copystat(source, fresh)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    """Hash of a file; of nothing when there is none."""
    return hashlib.sha256(path.read_bytes() if path.exists() else b"").hexdigest()
