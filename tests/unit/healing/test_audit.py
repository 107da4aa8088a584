"""The ledger read as evidence: one incident's records, their times and their proofs."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.healing.audit import incident_entries, incident_evidence, incident_trail
from prunella.healing.incident import (
    Diagnosis,
    Hypothesis,
    IncidentMoved,
    IncidentOpened,
    IncidentState,
    incident_id,
)
from prunella.healing.incident.trail import Trail, kind_of
from prunella.journal import Ledger, export_bundle, merkle_leaf, proof, verify_inclusion
from prunella.journal.checkpoint import load

MILLISECOND_NS = 1_000_000


def _opened(culprit: str) -> IncidentOpened:
    cause = Hypothesis(
        fault_class="process.crashed",
        culprit=culprit,
        confidence=0.9,
        evidence=(f"process_up@{culprit}",),
        rule="crashed",
    )
    diagnosis = Diagnosis(
        agent="agent-cpu",
        domain="cpu",
        severity="critical",
        hypotheses=(cause,),
        proposals=(),
        symptoms=(),
        reasoner="expert@1",
        made_ns=0,
    )
    return IncidentOpened(
        culprit=culprit,
        fault_class="process.crashed",
        severity="critical",
        onset_ns=0,
        diagnosis=diagnosis,
    )


def _moved(incident: str) -> IncidentMoved:
    return IncidentMoved(incident=incident, state=IncidentState.RESOLVED, reason="held")


def _write(folder: Path, key: Ed25519PrivateKey, *records: Trail) -> None:
    with Ledger(folder, key) as ledger:
        for number, record in enumerate(records):
            ledger.append(kind_of(record), record, number * MILLISECOND_NS)


def test_trail_has_one_incident_in_order_with_times_and_proofs(tmp_path: Path) -> None:
    """Its opening, which cannot carry its own id, is the first; another incident's are left out."""
    key, first, second = Ed25519PrivateKey.generate(), incident_id(1), incident_id(2)
    _write(tmp_path, key, _opened("engine"), _opened("watch"), _moved(second), _moved(first))
    trail = incident_trail(tmp_path, second)
    assert [link.entry.seq for link in trail.links] == [2, 3]
    assert [link.elapsed_ns for link in trail.links] == [0, MILLISECOND_NS]
    assert [link.entry for link in trail.links] == incident_entries(tmp_path, second)
    (checkpoint,) = load(tmp_path / "checkpoints.txt", key.public_key())
    assert checkpoint.note == trail.checkpoint
    for each in incident_evidence(tmp_path, second).records:
        assert each.proof is not None
        leaf, index = merkle_leaf(each.entry.leaf), each.entry.seq - 1
        assert verify_inclusion(leaf, index, 4, each.proof, checkpoint.root)


def test_unknown_incident_has_an_empty_trail(tmp_path: Path) -> None:
    """Nothing is made up."""
    _write(tmp_path, Ed25519PrivateKey.generate(), _opened("engine"))
    assert incident_trail(tmp_path, "inc-000009").links == ()


def test_incidents_evidence_makes_a_bundle_that_stands_alone(tmp_path: Path) -> None:
    """What the auditor reads are the records of that incident, to the letter."""
    key, first = Ed25519PrivateKey.generate(), incident_id(1)
    _write(tmp_path, key, _opened("engine"), _moved(first), _moved(incident_id(9)))
    found = proof.check(export_bundle(incident_evidence(tmp_path, first)), key.public_key())
    assert [(each["seq"], each["kind"]) for each in found] == [
        (1, "incident.opened"),
        (2, "incident.moved"),
    ]
    assert found[0]["record"]["culprit"] == "engine"
