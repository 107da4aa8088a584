"""`prunella model` without a running stack: what may be promoted, what is refused and why."""

from pathlib import Path
from typing import Any

import pytest
from prunella.cli import main
from prunella.trading.model import Registry

model_files = pytest.importorskip("model_files", reason="needs the extra `models`")

SETTINGS = """
[trading.strategies.signal]
kind = "onnx"
quantity = "0.01"
threshold = "0.5"
"""


@pytest.fixture(name="models")
def fixture_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registry's folder of a stack with one ONNX strategy."""
    monkeypatch.setenv("PRUNELLA_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return tmp_path / "models"


@pytest.fixture(name="typed")
def fixture_typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Types `prunella model …`: exit status, what was said, what was complained of."""

    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["prunella", "model", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return typed


def test_promoted_before_the_stack_runs_takes_effect_at_its_start(models: Path, typed: Any) -> None:
    """The registry holds the promotion with who and why; `list` shows whole names."""
    name = "a-name-that-is-longer-than-the-others-0123456789ab"
    model_files.add(models, name, model_files.constant(1.0))
    status, out, err = typed("promote", name, "--reason", "first")
    assert (status, err) == (0, "")
    assert "from the stack's next start on" in out
    now = Registry(models).current("signal")
    assert now is not None
    assert (now.model, now.reason, now.before) == (name, "first", "")
    assert name in typed("list")[1]


def test_worse_model_is_refused_and_rollback_goes_back(models: Path, typed: Any) -> None:
    """A lower skill does not pass; going back to what has traded asks for no comparison."""
    for name, skill in (("good", 0.1), ("better", 0.2), ("worse", 0.05)):
        model_files.add(models, name, model_files.constant(skill), skill=skill)
    assert typed("promote", "good")[0] == 0
    assert typed("promote", "better")[0] == 0
    status, out, err = typed("promote", "worse")
    assert (status, out) == (2, "")
    assert "its skill +0.0500 is below the +0.2000 of better, which trades now" in err
    assert typed("rollback")[0] == 0
    now = Registry(models).current("signal")
    assert now is not None
    assert (now.model, now.before) == ("good", "better")


def test_model_whose_scores_are_no_numbers_is_refused(models: Path, typed: Any) -> None:
    """Found over ten thousand rows before it could trade."""
    model_files.add(models, "broken", model_files.constant(float("nan")))
    status, _, err = typed("promote", "broken")
    assert status == 2
    assert "or are no numbers" in err
    assert Registry(models).promotions() == ()


def test_model_that_the_core_computes_otherwise_is_refused(models: Path, typed: Any) -> None:
    """A reshape that makes rows of a row is not what the core does: the comparison finds it."""
    onnx = model_files.onnx
    shape = onnx.helper.make_tensor("s", onnx.TensorProto.INT64, [2], [-1, 1])
    nodes = [
        onnx.helper.make_node("Reshape", ["x", "s"], ["r"]),
        onnx.helper.make_node("Softmax", ["r"], ["y"], axis=1),
    ]
    model_files.add(models, "turned", model_files.graph(nodes, outputs=1, constants=[shape]))
    status, _, err = typed("check", "turned")
    assert status == 2
    assert "the core's answers differ from ONNX Runtime's" in err


def test_file_that_was_changed_is_refused(models: Path, typed: Any) -> None:
    """What was checked is what is run."""
    model_files.add(models, "one", model_files.constant(1.0))
    (models / "one" / "model.onnx").write_bytes(model_files.constant(2.0))
    status, _, err = typed("promote", "one")
    assert status == 2
    assert "expected the SHA-256" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "nothing"), "expected a model of [], found 'nothing'"),
        (("rollback",), "signal: expected an earlier promotion, found none"),
        (("rollback", "--strategy", "x"), "of kind \"onnx\" ['signal'], found 'x'"),
    ],
)
def test_what_is_not_there_is_named(
    models: Path, typed: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence with what there is."""
    status, _, err = typed(*arguments)
    assert status == 2
    assert sentence in err
    assert not models.exists()
