"""Walk forward, registry and promotion: what may be promoted, and that no row sees the future."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunella.errors import UsageError
from prunella.trading.model import Manifest, Parity, Registry
from prunella.trading.model.registry import PARITY_MAX
from prunella.trading.model.split import walk_forward


@given(
    seed=st.integers(0, 2**32),
    horizon_ns=st.integers(0, 200),
    embargo_ns=st.integers(0, 200),
    folds=st.integers(1, 5),
)
def test_no_training_label_reaches_into_the_test_part(
    seed: int, horizon_ns: int, embargo_ns: int, folds: int
) -> None:
    """Every training row's label ends, and the embargo passes, before the first test row."""
    ts_ns = np.cumsum(np.random.default_rng(seed).integers(1, 50, size=500))
    try:
        made = walk_forward(
            ts_ns, horizon_ns=horizon_ns, embargo_ns=embargo_ns, folds=folds, rows_min=1
        )
    except UsageError:
        return
    tested: set[int] = set()
    for fold in made:
        assert ts_ns[fold.train].max() + horizon_ns + embargo_ns < ts_ns[fold.test].min()
        assert not tested & set(fold.test.tolist())
        tested |= set(fold.test.tolist())


def test_a_short_recording_says_what_would_help() -> None:
    """Too few rows are a sentence, not a division by zero."""
    with pytest.raises(UsageError, match="give more recordings"):
        walk_forward(np.arange(50), horizon_ns=5, embargo_ns=5, folds=3)


def _manifest(onnx: bytes, name: str) -> Manifest:
    return Manifest(
        id=name,
        algorithm="linear",
        target="return",
        sha256=hashlib.sha256(onnx).hexdigest(),
        features_version=1,
        features=(),
        horizon_ms=1_000,
        stride_ms=100,
        flat_ppm=1.0,
        recordings=(),
        data_from_ns=1,
        data_to_ns=2,
        rows=3,
        settings={"trees": 1},
        seed=1,
        folds=(),
        skill=0.1,
        parity=Parity(rows=1, difference_max=0.0),
        created_ns=4,
    )


def test_registry_tells_what_trades_and_what_traded_before(tmp_path: Path) -> None:
    """Promote, promote another, roll back: the last line counts and the record stays."""
    registry = Registry(tmp_path / "models")
    for name in ("one", "two"):
        registry.add(name.encode(), _manifest(name.encode(), name))
    assert registry.current("signal") is None
    with pytest.raises(UsageError, match="found none"):
        registry.previous("signal")
    for at_ns, name in enumerate(("one", "two")):
        registry.promote(name, strategy="signal", actor="ann", reason="r", now_ns=at_ns)
    assert registry.previous("signal") == "one"
    registry.promote("one", strategy="signal", actor="ann", reason="worse", now_ns=3)
    again = Registry(tmp_path / "models")
    now = again.current("signal")
    assert now is not None
    assert (now.model, now.before) == ("one", "two")
    assert [each.model for each in again.promotions()] == ["one", "two", "one"]
    assert again.current("another") is None
    assert again.read("two") == b"two"


def test_a_changed_file_is_found_before_it_is_promoted(tmp_path: Path) -> None:
    """The hash of the manifest is the model's identity."""
    registry = Registry(tmp_path)
    registry.add(b"model", _manifest(b"model", "one"))
    (tmp_path / "one" / "model.onnx").write_bytes(b"other")
    with pytest.raises(UsageError, match="expected the SHA-256"):
        registry.promote("one", strategy="s", actor="a", reason="r", now_ns=1)
    assert registry.promotions() == ()


@pytest.mark.parametrize("name", ["", "..", "a/b", "missing"])
def test_a_name_that_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    """No name leads out of the folder."""
    with pytest.raises(UsageError, match="expected"):
        Registry(tmp_path).read(name)


def test_a_promotion_cut_off_by_a_crash_is_not_believed(tmp_path: Path) -> None:
    """The last line may be torn; a torn line before others is damage."""
    registry = Registry(tmp_path)
    registry.add(b"model", _manifest(b"model", "one"))
    whole = registry.promote("one", strategy="s", actor="a", reason="r", now_ns=1)
    path = tmp_path / "promotions.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at_ns": 2, "stra')
    assert registry.promotions() == (whole,)
    path.write_bytes(b'{"at_ns\n' + msgspec.json.encode(whole) + b"\n")
    with pytest.raises(UsageError, match="line 1"):
        registry.promotions()


def test_parity_needs_rows_and_a_small_difference() -> None:
    """Nothing compared is nothing proved."""
    assert Parity(rows=10, difference_max=PARITY_MAX).is_good
    assert not Parity(rows=0, difference_max=0.0).is_good
    assert not Parity(rows=10, difference_max=float("inf")).is_good
    assert not Parity(rows=10, difference_max=float("nan")).is_good
