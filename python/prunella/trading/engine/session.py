"""A recorded session in; how long the hot loop takes from a frame's bytes to its order's, out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from prunella import _core


class SessionTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What one run through a recording took, nanoseconds.

    Attributes:
        frames_ns: From each frame's bytes until all that it caused was done.
        orders_ns: From a frame's bytes to the bytes of the order that it caused, journal append
            included; one per frame that caused an order.
    """

    frames_ns: tuple[int, ...]
    orders_ns: tuple[int, ...]


def measure_session(
    paths: Sequence[str], *, config: bytes, journal: Path | None = None
) -> SessionTimes:
    """Plays a recording through journal, decoder, core and encoder, without sockets.

    A venue that accepts every order and never fills answers, outside of what is measured.

    Args:
        paths: Recorded files of the first venue's market, in order.
        config: The JSON of the core's configuration, as `core_config` makes it.
        journal: An empty folder to leave the journal in; without it, a passing one.

    Raises:
        RecordingError: A file is missing, damaged or no recording; trying again cannot help.
        ConfigError: The configuration cannot be traded with.
    """
    with tempfile.TemporaryDirectory(prefix="prunella-session-") as folder:
        kept = str(journal or folder)
        frames, orders = _core.measure_session(paths, config=config, journal_dir=kept)
    return SessionTimes(frames_ns=tuple(frames), orders_ns=tuple(orders))
