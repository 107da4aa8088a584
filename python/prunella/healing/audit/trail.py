"""A ledger folder in; the healing plane's records with their numbers, times and proofs out."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from prunella.errors import JournalError
from prunella.healing.incident import incident_id
from prunella.healing.incident.trail import IncidentOpened, Trail
from prunella.journal import Evidence, LedgerEntry, prove, read_ledger

_TRAIL = msgspec.msgpack.Decoder(Trail)
_OPENED = str(IncidentOpened.__struct_config__.tag)


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
    for each in read_ledger(folder):
        yield _typed(each)


def incident_entries(folder: Path, incident: str) -> list[Entry]:
    """Everything that the ledger holds of one incident, oldest first."""
    return [entry for entry in read_trail(folder) if entry.incident == incident]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One record of an incident, in the chain from its first evidence to its end.

    Attributes:
        entry: The record.
        elapsed_ns: How long after the incident's first record.
        proof: The hashes that lead from it to the checkpoint's root; None while no checkpoint
            covers it.
    """

    entry: Entry
    elapsed_ns: int
    proof: tuple[bytes, ...] | None


class IncidentTrail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the ledger holds of one incident.

    Attributes:
        checkpoint: The signed note that the proofs lead to.
        links: The records, oldest first; none if there is no such incident.
    """

    incident: str
    checkpoint: str
    links: tuple[Link, ...]


def incident_evidence(folder: Path, incident: str) -> Evidence:
    """The incident's records with their proofs, as `export_bundle` wants them.

    Raises:
        JournalError: The ledger is damaged.
    """
    return prove(folder, lambda each: incident_of(each) == incident)


def incident_trail(folder: Path, incident: str) -> IncidentTrail:
    """The incident's records in order, typed, each with its elapsed time and its proof.

    Raises:
        JournalError: The ledger is damaged, or holds what is no record of ours.
    """
    evidence = incident_evidence(folder, incident)
    began_ns = evidence.records[0].entry.ts_ns if evidence.records else 0
    links = [
        Link(
            entry=_typed(each.entry),
            elapsed_ns=each.entry.ts_ns - began_ns,
            proof=each.proof,
        )
        for each in evidence.records
    ]
    return IncidentTrail(incident=incident, checkpoint=evidence.checkpoint, links=tuple(links))


def _typed(each: LedgerEntry) -> Entry:
    try:
        record = _TRAIL.decode(each.record)
    except msgspec.DecodeError as error:
        raise JournalError(f"ledger entry {each.seq} ({each.kind}): {error}") from None
    return Entry(seq=each.seq, ts_ns=each.ts_ns, kind=each.kind, record=record)


def incident_of(each: LedgerEntry) -> str:
    """Its incident, empty if none; the opening is the one record that cannot carry its own id."""
    return incident_id(each.seq) if each.kind == _OPENED else each.incident
