"""ONNX models for tests, made by hand, and a registry that holds them."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from prunella.trading.model import Manifest, Parity, Registry
from prunella.trading.model.dataset import FEATURES, FEATURES_VERSION

onnx = pytest.importorskip("onnx", reason="needs the extra `models`")
pytest.importorskip("onnxruntime", reason="needs the extra `models`")


def graph(nodes: list[Any], *, outputs: int, constants: Any = ()) -> bytes:
    """An ONNX file with the figures as `x` and 32-bit floats as `y`."""
    float_ = onnx.TensorProto.FLOAT
    made = onnx.helper.make_graph(
        nodes,
        "made",
        [onnx.helper.make_tensor_value_info("x", float_, [None, len(FEATURES)])],
        [onnx.helper.make_tensor_value_info("y", float_, [None, outputs])],
        list(constants),
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=8)
    proto: bytes = model.SerializeToString()
    return proto


def constant(score: float) -> bytes:
    """A model that always says the same."""
    node = onnx.helper.make_node(
        "LinearRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        coefficients=[0.0] * len(FEATURES),
        intercepts=[score],
    )
    return graph([node], outputs=1)


def foreign() -> bytes:
    """A model with operators that the core does not compute; its score is always above a half."""
    make = onnx.helper.make_node
    nodes = [
        make("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        make("Abs", ["m"], ["a"]),
        make("Softplus", ["a"], ["y"]),
    ]
    return graph(nodes, outputs=1)


def add(folder: Path, name: str, file: bytes, *, skill: float = 0.1) -> Manifest:
    """Registers a model as if it had been trained."""
    manifest = Manifest(
        id=name,
        algorithm="linear",
        target="return",
        sha256=hashlib.sha256(file).hexdigest(),
        features_version=FEATURES_VERSION,
        features=FEATURES,
        horizon_ms=1_000,
        stride_ms=100,
        flat_ppm=1.0,
        recordings=(),
        data_from_ns=1,
        data_to_ns=2,
        rows=3,
        settings={},
        seed=1,
        folds=(),
        skill=skill,
        parity=Parity(rows=1, difference_max=0.0),
        created_ns=4,
    )
    Registry(folder).add(file, manifest)
    return manifest
