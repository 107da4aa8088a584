"""A ledger folder in; every record of the healing plane with its number and time out."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from prunella.errors import JournalError
from prunella.healing.incident import incident_id
from prunella.healing.incident.trail import IncidentOpened, Trail
from prunella.journal import read_ledger


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger entry of the trail.

    Attributes:
        seq: Its number in the ledger.
        ts_ns: When it was written, nanoseconds UTC.
    """

    seq: int
    ts_ns: int
    kind: str
    record: Trail

    @property
    def incident(self) -> str:
        """The incident it belongs to; empty for what concerns no single one."""
        if isinstance(self.record, IncidentOpened):
            return incident_id(self.seq)
        return str(getattr(self.record, "incident", ""))


def read_trail(folder: Path) -> Iterator[Entry]:
    """Every entry of the trail, oldest first; none when there is no ledger yet.

    Raises:
        JournalError: The ledger is damaged, or holds what is no record of ours.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    decoder = msgspec.msgpack.Decoder(Trail)
    for each in read_ledger(folder):
        try:
            record = decoder.decode(each.record)
        except msgspec.DecodeError as error:
            raise JournalError(f"{folder}: entry {each.seq} ({each.kind}): {error}") from None
        yield Entry(seq=each.seq, ts_ns=each.ts_ns, kind=each.kind, record=record)


def incident_entries(folder: Path, incident: str) -> list[Entry]:
    """Everything that the ledger holds of one incident, oldest first."""
    return [entry for entry in read_trail(folder) if entry.incident == incident]
