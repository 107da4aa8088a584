"""The ledger read as evidence: a folder in; the healing plane's trail, typed and in order, out."""

from prunella.healing.audit.trail import Entry, incident_entries, read_trail

__all__ = ["Entry", "incident_entries", "read_trail"]
