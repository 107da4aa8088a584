"""Answers kept by the hash of their question: for a while in memory, for ever in a folder.

A recording makes a run repeatable without the model that answered: the same question gives the
same hash, and so the same answer, whoever could be called today.
"""

import threading
from collections import OrderedDict
from pathlib import Path

import msgspec

from prunella.healing.incident.records import Record

KEPT_MAX = 256


class Recording(Record, frozen=True, kw_only=True, tag="recording"):
    """One answer.

    Attributes:
        sha256: Of the question that it answers.
        text: What the model said, without secrets.
    """

    sha256: str
    template: str
    endpoint: str
    model: str
    text: str
    tokens_in: int = 0
    tokens_out: int = 0


class Cache:
    """The newest answers, each for a while."""

    def __init__(self, life_ns: int) -> None:
        self._life_ns = life_ns
        self._kept: OrderedDict[str, tuple[int, Recording]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sha256: str, now_ns: int) -> Recording | None:
        """The answer, if there is one that is young enough."""
        with self._lock:
            at_ns, kept = self._kept.get(sha256, (0, None))
            return kept if kept is not None and now_ns - at_ns < self._life_ns else None

    def put(self, recording: Recording, now_ns: int) -> None:
        """Keeps an answer; the oldest makes room."""
        with self._lock:
            self._kept[recording.sha256] = (now_ns, recording)
            self._kept.move_to_end(recording.sha256)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)


def write_recording(folder: Path, recording: Recording) -> None:
    """One file per question, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{recording.sha256}.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=2))
    fresh.replace(path)


def read_recording(folder: Path, sha256: str) -> Recording | None:
    """The recorded answer to a question; None when there is none that can be read."""
    try:
        text = (folder / f"{sha256}.json").read_bytes()
        recording = msgspec.json.decode(text, type=Recording)
    except (OSError, msgspec.MsgspecError):
        return None
    return recording if recording.sha256 == sha256 else None
