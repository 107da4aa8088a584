"""One row through a model in the core, beside ONNX Runtime in Python; two clock readings included.

Goals: 0.8 µs for a hundred trees of depth six, 0.15 µs for a network of 16-32-16-3.
"""

import time
import warnings
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from prunella._core import Model
from prunella.evaluation.bench import Latency, latency

FEATURES = 16
TRAINED, ROWS, QUICK_ROWS = 3_000, 20_000, 500
GOALS = {"100 trees of depth 6": "p50 ≤ 0.8 µs", "network 16-32-16-3": "p50 ≤ 0.15 µs"}


def figures(*, quick: bool) -> Iterable[Latency]:
    """One figure for each model and system; nothing where the extra `models` is not installed."""
    if not all(map(find_spec, ("sklearn", "skl2onnx", "onnxruntime"))):
        return
    rows = np.random.default_rng(2).normal(size=(QUICK_ROWS if quick else ROWS, FEATURES))
    rows = rows.astype(np.float32)
    for name, onnx in models().items():
        model = Model(onnx)
        model.time(rows.tobytes())
        yield latency(f"{name}, one row", model.time(rows.tobytes()), goal=GOALS[name])
        taken = runtime_times(onnx, rows)
        yield latency(f"{name}, one row", taken, system="onnxruntime, Python")


def models() -> dict[str, bytes]:
    """Two models of noise, by name: what they answer does not matter here."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(TRAINED, FEATURES)).astype(np.float32)
    noise = random.normal(size=len(rows))
    classes = (noise > -0.5).astype(int) + (noise > 0.5)
    ensemble, network = import_module("sklearn.ensemble"), import_module("sklearn.neural_network")
    boosting = ensemble.GradientBoostingRegressor(n_estimators=100, max_depth=6, random_state=1)
    dense = network.MLPClassifier((32, 16), max_iter=20, random_state=1)
    trees, layers = GOALS
    return {trees: export(boosting, noise, rows), layers: export(dense, classes, rows)}


def export(model: Any, target: Any, rows: Any) -> bytes:
    """Trains a model and gives its ONNX file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, target)
        onnx: bytes = import_module("skl2onnx").to_onnx(model, rows[:1]).SerializeToString()
    return onnx


def runtime_times(onnx: bytes, rows: Any) -> list[int]:
    """Nanoseconds of each row in ONNX Runtime, on one thread."""
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    times = []
    for at in range(len(rows)):
        start = time.perf_counter_ns()
        session.run(None, {name: rows[at : at + 1]})
        times.append(time.perf_counter_ns() - start)
    return times
