"""A model's file and rows in; its answers, and how far they are from ONNX Runtime's, out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prunella._core import Model
from prunella.errors import UsageError
from prunella.trading.model.registry import Parity
from prunella.trading.model.runtime import runtime_library

_Floats = npt.NDArray[np.float32]


def evaluate(onnx: bytes, rows: _Floats) -> _Floats:
    """Scores of rows as the engine computes them; shape `(rows, targets or classes)`.

    Raises:
        UsageError: The file is no model that the engine can run; the message says why.
    """
    try:
        model = _model(onnx)
        answer = model.infer(np.ascontiguousarray(rows, np.float32).tobytes())
    except ValueError as error:
        raise UsageError(str(error)) from None
    return np.frombuffer(answer, np.float32).reshape(len(rows), model.outputs)


def _model(onnx: bytes) -> Model:
    """By the core; what the core does not know, by ONNX Runtime, as in the engine.

    Raises:
        ValueError: Neither can.
    """
    try:
        return Model(onnx)
    except ValueError as error:
        library = runtime_library()
        if library is None or "is not supported by the compiled evaluator" not in str(error):
            raise
    return Model(onnx, library=library)


def compare(onnx: bytes, rows: _Floats) -> Parity:
    """Compares the core's scores with ONNX Runtime's.

    Raises:
        UsageError: The core cannot run the model, or ONNX Runtime is not installed.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    ours = evaluate(onnx, rows).astype(np.float64)
    theirs = runtime_scores(onnx, rows).astype(np.float64)
    if ours.shape != theirs.shape:
        return Parity(rows=len(rows), difference_max=float("inf"))
    off = np.abs(ours - theirs) / max(1.0, float(np.abs(theirs).max()))
    worst = float(off.max()) if np.isfinite(off).all() else float("inf")
    return Parity(rows=len(rows), difference_max=worst)


def runtime_scores(onnx: bytes, rows: _Floats) -> _Floats:
    """The same by ONNX Runtime in Python, one row at a time as in trading.

    Many rows at once go through other kernels of the library's, whose last digits differ.

    Raises:
        UsageError: It is not installed.
    """
    runtime: Any = needed("onnxruntime")
    session = runtime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found = []
    for at in range(len(rows)):
        scores = session.run(None, {name: rows[at : at + 1]})[-1]
        # Probabilities come as one map from class to share, or as a row.
        found.append(list(scores[0].values()) if isinstance(scores, list) else np.ravel(scores))
    return np.array(found, np.float32)


def needed(name: str) -> Any:
    """A library of the extra `models`.

    Raises:
        UsageError: It is not installed; the message says how to.
    """
    from importlib import import_module  # noqa: PLC0415  the extra is not everybody's

    try:
        return import_module(name)
    except ImportError:
        raise UsageError(
            f"training and checking models need {name}: install `prunella[models]`"
        ) from None
