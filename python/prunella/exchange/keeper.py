"""A venue that changes in, its memory on the disk out: at most 100 ms old, never half-written."""

import asyncio
import contextlib
import os
from pathlib import Path

from prunella.errors import ConfigError
from prunella.exchange.memory import NUMBERS_GAP, sealed
from prunella.exchange.venue import Venue

SAVE_S = 0.1


class Keeper:
    """Writes a venue's memory to its file."""

    def __init__(self, venue: Venue, path: Path) -> None:
        self._venue = venue
        self._path = path
        self._changes = -1
        self._updates = 0

    def save(self) -> None:
        """Writes it now.

        Raises:
            ConfigError: It cannot be written.
        """
        self._write(self._take())

    async def keep(self, stopping: asyncio.Event) -> None:
        """Writes it whenever there is something new, and a last time when told to stop.

        Raises:
            ConfigError: It cannot be written: a venue that forgets must not go on.
        """
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), SAVE_S)
            if stopping.is_set() or self._is_due():
                # The sync of the disk must not hold up the market: it waits in a thread.
                await asyncio.to_thread(self._write, self._take())

    def _is_due(self) -> bool:
        ran = self._venue.updates - self._updates
        return self._venue.changes != self._changes or ran > NUMBERS_GAP // 2

    def _take(self) -> bytes:
        memory = self._venue.remember()
        self._changes, self._updates = self._venue.changes, self._venue.updates
        return sealed(memory)

    def _write(self, text: bytes) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ConfigError(
                f"{self._path}: cannot write the accounts: {error.strerror}; make room or give "
                "the exchange another state_file"
            ) from None
