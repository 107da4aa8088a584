"""Whatever is recorded, in whatever pattern of opening and closing, comes back and verifies."""

import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from prunella.journal import Ledger, proof, prove, read_ledger, verify_ledger
from prunella.journal.bundle import export_bundle

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)
LIVES = st.lists(
    st.lists(st.tuples(RECORDS, st.integers(0, 3_000_000_000)), max_size=8), max_size=4
)


@settings(max_examples=60)
@given(lives=LIVES)
def test_any_records_in_any_lives_come_back_and_verify(
    lives: list[list[tuple[dict[str, object], int]]],
) -> None:
    """Every record is read back as written, the whole verifies, and the auditor reads the same."""
    key = Ed25519PrivateKey.generate()
    expected = [record for life in lives for record, _ in life]
    with tempfile.TemporaryDirectory() as name:
        folder, now_ns = Path(name), 0
        for life in lives:
            with Ledger(folder, key) as book:
                for record, pause_ns in life:
                    now_ns += pause_ns
                    book.append("note", record, now_ns)
                    book.tick(now_ns)
        assert [entry.fields() for entry in read_ledger(folder)] == expected
        found = verify_ledger(folder, key.public_key())
        assert (found.entries, found.unsigned) == (len(expected), 0)
        if expected:
            bundle = export_bundle(prove(folder, lambda _: True))
            audited = proof.check(bundle, key.public_key())
            assert [each["record"] for each in audited] == expected
