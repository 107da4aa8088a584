"""A model's file and rows in; its answers, and how far they are from ONNX Runtime's, out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from prunella._core import Model
from prunella.errors import UsageError
from prunella.trading.model.registry import Parity

_Floats = npt.NDArray[np.float32]


def evaluate(onnx: bytes, rows: _Floats) -> _Floats:
    """Scores of rows by the core's evaluator; shape `(rows, targets or classes)`.

    Raises:
        UsageError: The file is no model that the core can run; the message names the operator.
    """
    try:
        model = Model(onnx)
        answer = model.infer(np.ascontiguousarray(rows, np.float32).tobytes())
    except ValueError as error:
        raise UsageError(str(error)) from None
    return np.frombuffer(answer, np.float32).reshape(len(rows), model.outputs)


def compare(onnx: bytes, rows: _Floats) -> Parity:
    """Compares the core's scores with ONNX Runtime's.

    Raises:
        UsageError: The core cannot run the model, or ONNX Runtime is not installed.
    """
    ours = evaluate(onnx, rows).astype(np.float64)
    theirs = runtime_scores(onnx, rows).astype(np.float64)
    if ours.shape != theirs.shape:
        return Parity(rows=len(rows), difference_max=float("inf"))
    off = np.abs(ours - theirs) / max(1.0, float(np.abs(theirs).max()))
    worst = float(off.max()) if np.isfinite(off).all() else float("inf")
    return Parity(rows=len(rows), difference_max=worst)


def runtime_scores(onnx: bytes, rows: _Floats) -> _Floats:
    """The same by ONNX Runtime in Python.

    Raises:
        UsageError: It is not installed.
    """
    runtime: Any = needed("onnxruntime")
    session = runtime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    scores = session.run(None, {session.get_inputs()[0].name: rows})[-1]
    if isinstance(scores, list):
        return np.array([list(each.values()) for each in scores], np.float32)
    return np.asarray(scores, np.float32).reshape(len(rows), -1)


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
