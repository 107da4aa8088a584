"""The compiled evaluator against ONNX Runtime: every exporter and kind of model, row by row."""

import re
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from prunella import _core
from prunella.trading.model import runtime_library
from prunella.trading.model.evaluate import compare, runtime_scores

onnx = pytest.importorskip("onnx", reason="needs the extra `models`")
ort = pytest.importorskip("onnxruntime", reason="needs the extra `models`")

FEATURES = 12
ROWS = 10_000
TOLERANCE = 1e-6
"""Absolute up to 1, relative beyond."""

Array = np.ndarray[Any, np.dtype[Any]]


def _training() -> tuple[Array, Array, Array, Array]:
    random = np.random.default_rng(20_240_808)
    x = random.normal(size=(1_500, FEATURES)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    x[random.random(x.shape) < 0.02] = 0.0
    noise = random.normal(size=len(x)) * 0.3
    y = np.tanh(x[:, 0] + x[:, 1] * x[:, 2] + noise)
    return x, y, (y > 0).astype(int), (y > -0.4).astype(int) + (y > 0.4)


def _sklearn(model: Any, target: str) -> bytes:
    to_onnx = import_module("skl2onnx").to_onnx

    x, y, two, three = _training()
    model.fit(x, {"value": y, "two": two, "three": three}[target])
    proto: bytes = to_onnx(model, x[:1]).SerializeToString()
    return proto


def _boosted(model: Any, target: str, convert: str) -> bytes:
    onnxmltools = import_module("onnxmltools")
    types = import_module("onnxmltools.convert.common.data_types")

    x, y, two, three = _training()
    x = x.copy()
    x[::7, 1] = np.nan
    model.fit(x, {"value": y, "two": two, "three": three}[target])
    columns = [("input", types.FloatTensorType([None, FEATURES]))]
    proto: bytes = getattr(onnxmltools, convert)(model, initial_types=columns).SerializeToString()
    return proto


def _lightgbm(kind: str, target: str, **settings: Any) -> bytes:
    model = getattr(import_module("lightgbm"), kind)(
        n_estimators=60, verbose=-1, random_state=1, **settings
    )
    return _boosted(model, target, "convert_lightgbm")


def _xgboost(kind: str, target: str, **settings: Any) -> bytes:
    model = getattr(import_module("xgboost"), kind)(n_estimators=60, random_state=1, **settings)
    return _boosted(model, target, "convert_xgboost")


def _of(module: str, kind: str, target: str, **settings: Any) -> bytes:
    make = getattr(import_module(f"sklearn.{module}"), kind)
    return _sklearn(make(**settings), target)


def _scaled(module: str, kind: str, target: str, **settings: Any) -> bytes:
    make = getattr(import_module(f"sklearn.{module}"), kind)
    scaler = import_module("sklearn.preprocessing").StandardScaler()
    pipeline = import_module("sklearn.pipeline").make_pipeline(scaler, make(**settings))
    return _sklearn(pipeline, target)


SEED: dict[str, Any] = {"random_state": 1}
MODELS: dict[str, Callable[[], bytes]] = {
    "lightgbm value": lambda: _lightgbm("LGBMRegressor", "value", max_depth=6),
    "lightgbm two": lambda: _lightgbm("LGBMClassifier", "two", max_depth=6),
    "lightgbm three": lambda: _lightgbm("LGBMClassifier", "three"),
    "lightgbm deep": lambda: _lightgbm("LGBMRegressor", "value", num_leaves=200),
    "lightgbm forest": lambda: _lightgbm(
        "LGBMRegressor", "value", boosting_type="rf", bagging_freq=1, bagging_fraction=0.5
    ),
    "xgboost value": lambda: _xgboost("XGBRegressor", "value", max_depth=6),
    "xgboost two": lambda: _xgboost("XGBClassifier", "two", max_depth=6),
    "xgboost three": lambda: _xgboost("XGBClassifier", "three", max_depth=4),
    "sklearn tree": lambda: _of("tree", "DecisionTreeRegressor", "value", **SEED),
    "sklearn tree of classes": lambda: _of("tree", "DecisionTreeClassifier", "three", **SEED),
    "sklearn forest": lambda: _of(
        "ensemble", "RandomForestRegressor", "value", n_estimators=40, **SEED
    ),
    "sklearn forest of two": lambda: _of(
        "ensemble", "RandomForestClassifier", "two", n_estimators=40, **SEED
    ),
    "sklearn forest of three": lambda: _of(
        "ensemble", "ExtraTreesClassifier", "three", n_estimators=40, max_depth=7, **SEED
    ),
    "sklearn boosting": lambda: _of("ensemble", "GradientBoostingRegressor", "value", **SEED),
    "sklearn boosting two": lambda: _of("ensemble", "GradientBoostingClassifier", "two", **SEED),
    "sklearn boosting three": lambda: _of(
        "ensemble", "GradientBoostingClassifier", "three", n_estimators=30, **SEED
    ),
    "sklearn network": lambda: _scaled(
        "neural_network", "MLPRegressor", "value", hidden_layer_sizes=(32, 16), **SEED
    ),
    "sklearn network two": lambda: _scaled(
        "neural_network", "MLPClassifier", "two", hidden_layer_sizes=(17,), **SEED
    ),
    "sklearn network tanh": lambda: _scaled(
        "neural_network", "MLPClassifier", "three", activation="tanh", **SEED
    ),
    "sklearn network logistic": lambda: _scaled(
        "neural_network", "MLPClassifier", "three", activation="logistic", **SEED
    ),
    "sklearn logistic two": lambda: _scaled("linear_model", "LogisticRegression", "two"),
    "sklearn logistic three": lambda: _scaled("linear_model", "LogisticRegression", "three"),
    "sklearn linear": lambda: _of("linear_model", "LinearRegression", "value"),
}


@cache
def _model(name: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name]()


def _thresholds(proto: Any) -> list[tuple[int, float]]:
    """Feature and threshold of every question in the trees."""
    found: list[tuple[int, float]] = []
    for node in proto.graph.node:
        lists = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if "nodes_modes" in lists:
            rows = zip(
                lists["nodes_modes"],
                lists["nodes_featureids"],
                lists["nodes_values"],
                strict=True,
            )
            found += [(f, v) for mode, f, v in rows if mode != b"LEAF"]
    return found


def _rows(proto: Any) -> Array:
    """Ordinary rows, ties at every threshold and their neighbours, missing and infinite values."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    for at, (feature, value) in enumerate(_thresholds(proto)[: ROWS // 2]):
        near = np.float32(value)
        beside = (near, np.nextafter(near, np.float32(9e9)), np.nextafter(near, np.float32(-9e9)))
        rows[at, feature] = beside[at % 3]
    odd = rows[-2_000:]
    for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 1e4, 3e38):
        odd[random.random(odd.shape) < 0.03] = value
    return rows


def _expected(bytes_: bytes, rows: Array) -> Array:
    session = ort.InferenceSession(bytes_, providers=["CPUExecutionProvider"])
    scores = session.run(None, {session.get_inputs()[0].name: rows})[-1]
    if isinstance(scores, list):
        return np.array([list(each.values()) for each in scores], dtype=np.float32)
    return np.asarray(scores, dtype=np.float32).reshape(len(rows), -1)


def _differences(bytes_: bytes, rows: Array) -> Array:
    model = _core.Model(bytes_)
    ours = np.frombuffer(model.infer(rows.tobytes()), np.float32).reshape(len(rows), -1)
    theirs = _expected(bytes_, rows)
    assert ours.shape == theirs.shape
    with np.errstate(invalid="ignore"):
        off: Array = np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))
    # Where both are the same infinity or both no number, they are equal.
    off[(ours == theirs) | (np.isnan(ours) & np.isnan(theirs))] = 0.0
    return np.where(np.isnan(off), np.inf, off)


@pytest.mark.parametrize("name", MODELS)
def test_exported_model_gives_what_onnx_runtime_gives(name: str) -> None:
    """Ten thousand rows, odd ones among them: no score is further off than a millionth."""
    bytes_ = _model(name)
    rows = _rows(onnx.load_from_string(bytes_))
    off = _differences(bytes_, rows)
    worst = int(off.max(axis=1).argmax())
    assert off.max() <= TOLERANCE, f"row {worst}: {rows[worst]}"
    ordinary = np.random.default_rng(12).normal(size=(ROWS, FEATURES)).astype(np.float32)
    parity = compare(bytes_, ordinary)
    assert parity.is_good, parity


def _ensemble(mode: str, *, tracks: int, **attributes: Any) -> bytes:
    """A tree of one question: yes is worth -1, no is worth 2."""
    node = onnx.helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[1, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=[mode, "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[tracks, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[-1.0, 2.0],
        n_targets=1,
        **attributes,
    )
    return _graph([node], outputs=1, features=2)


def _graph(nodes: list[Any], *, outputs: int, features: int, constants: Any = ()) -> bytes:
    float_ = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "made",
        [onnx.helper.make_tensor_value_info("x", float_, [None, features])],
        [onnx.helper.make_tensor_value_info("y", float_, [None, outputs])],
        list(constants),
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    proto: bytes = made.SerializeToString()
    return proto


@pytest.mark.parametrize("tracks", [0, 1])
@pytest.mark.parametrize("mode", ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_each_comparison_goes_the_same_way(mode: str, tracks: int, aggregate: str) -> None:
    """Below, at and above the threshold, missing and infinite values, for every mode."""
    values = [
        0.5,
        np.nextafter(np.float32(0.5), np.float32(1)),
        0.49999997,
        np.nan,
        np.inf,
        -np.inf,
    ]
    rows = np.array([[9.0, value] for value in values], dtype=np.float32)
    bytes_ = _ensemble(f"BRANCH_{mode}", tracks=tracks, aggregate_function=aggregate)
    assert _differences(bytes_, rows).max() == 0.0


_STEPS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.2},
    "Sigmoid": {},
    "Tanh": {},
    "Softmax": {"axis": 1},
    "Exp": {},
    "Neg": {},
    "Identity": {},
    "Flatten": {},
}


@pytest.mark.parametrize("kind", _STEPS)
def test_each_step_of_a_network_gives_the_same(kind: str) -> None:
    """Alone, over plain, large, infinite and missing values."""
    node = onnx.helper.make_node(kind, ["x"], ["y"], **_STEPS[kind])
    random = np.random.default_rng(3)
    rows = (random.normal(size=(ROWS, 5)) * 4).astype(np.float32)
    rows[0], rows[1], rows[2, 3] = 80.0, -90.0, np.nan
    assert _differences(_graph([node], outputs=5, features=5), rows).max() <= TOLERANCE


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_each_norm_gives_the_same(norm: str) -> None:
    """Over positive rows, as the exporters put it behind probabilities."""
    node = onnx.helper.make_node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml", norm=norm)
    rows = np.random.default_rng(4).random((ROWS, 4)).astype(np.float32)
    assert _differences(_graph([node], outputs=4, features=4), rows).max() <= TOLERANCE


def test_gemm_with_its_factors_gives_the_same() -> None:
    """Alpha, beta, a turned matrix and a bias, then arithmetic with constants and a join."""
    random = np.random.default_rng(5)
    weights = random.normal(size=(19, 7)).astype(np.float32)
    bias = (random.random(19) + 1.0).astype(np.float32)
    numpy_helper = onnx.numpy_helper
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(bias, "b"),
        numpy_helper.from_array(np.array([3.0], np.float32), "three"),
    ]
    make = onnx.helper.make_node
    nodes = [
        make("Gemm", ["x", "w", "b"], ["g"], alpha=0.5, beta=2.0, transB=1),
        make("Mul", ["g", "three"], ["m"]),
        make("Div", ["m", "b"], ["d"]),
        make("Sub", ["three", "d"], ["s"]),
        make("Concat", ["s", "x"], ["y"], axis=1),
    ]
    rows = (random.normal(size=(ROWS, 7)) / 4).astype(np.float32)
    bytes_ = _graph(nodes, outputs=26, features=7, constants=constants)
    assert _differences(bytes_, rows).max() <= TOLERANCE


@pytest.mark.parametrize("rows", [1, ROWS])
@pytest.mark.parametrize("inputs", [1, 7, 16, 33, 200])
def test_layer_gives_the_same_bits(inputs: int, rows: int) -> None:
    """Sums go in the library's order, so not even products of 1e8 that cancel are off."""
    random = np.random.default_rng(inputs)
    constants = [
        onnx.numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (inputs, 21)), ("b", (21,)))
    ]
    made = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["m"]),
        onnx.helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    bytes_ = _graph(made, outputs=21, features=inputs, constants=constants)
    large = (random.normal(size=(rows, inputs)) * 1e8).astype(np.float32)
    assert _differences(bytes_, large).max() == 0.0


def test_product_that_is_wanted_twice_stays_without_the_bias() -> None:
    """A bias goes into the layer before it only where nothing else reads the bare product."""
    constants = [
        onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32), "w"),
        onnx.numpy_helper.from_array(np.array([1.0, 2.0, 3.0], np.float32), "b"),
    ]
    made = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["m"]),
        onnx.helper.make_node("Add", ["m", "b"], ["a"]),
        onnx.helper.make_node("Mul", ["a", "m"], ["y"]),
    ]
    bytes_ = _graph(made, outputs=3, features=3, constants=constants)
    rows = np.random.default_rng(8).normal(size=(ROWS, 3)).astype(np.float32)
    assert _differences(bytes_, rows).max() == 0.0


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([("Selu", ["x"], ["y"], {})], "the operator Selu is not supported"),
        (
            [("Cast", ["x"], ["d"], {"to": 11}), ("Cast", ["d"], ["y"], {"to": 1})],
            "element type 11",
        ),
        ([("Softmax", ["x"], ["y"], {"axis": 0})], "another axis than that of the features"),
    ],
)
def test_unknown_operator_is_named(nodes: list[Any], found: str) -> None:
    """What is not supported is said exactly, never guessed."""
    made = [onnx.helper.make_node(k, i, o, **a) for k, i, o, a in nodes]
    with pytest.raises(ValueError, match=re.escape(found)):
        _core.Model(_graph(made, outputs=2, features=2))


def _foreign(kind: str) -> bytes:
    """Models whose operators the core does not compute."""
    random = np.random.default_rng(9)
    make = onnx.helper.make_node
    if kind == "gaussian process":
        process = import_module("sklearn.gaussian_process").GaussianProcessRegressor
        x, y, _, _ = _training()
        model = process(random_state=1).fit(x[:80], y[:80])
        options = {process: {"optim": None}}
        found: bytes = (
            import_module("skl2onnx").to_onnx(model, x[:1], options=options).SerializeToString()
        )
        return found
    if kind == "support vectors":
        return _of("svm", "SVR", "value")
    if kind == "classes in a map":
        return _of("svm", "NuSVC", "three", probability=True)
    if kind == "normalised activations":
        constants = [
            onnx.numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
            for name, shape in (("w", (FEATURES, 9)), ("s", (9,)), ("b", (9,)))
        ]
        nodes = [
            make("MatMul", ["x", "w"], ["m"]),
            make("LayerNormalization", ["m", "s", "b"], ["n"]),
            make("Selu", ["n"], ["y"]),
        ]
        return _graph(nodes, outputs=9, features=FEATURES, constants=constants)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind", ["support vectors", "classes in a map", "gaussian process", "normalised activations"]
)
def test_model_that_the_core_does_not_know_gives_the_same_by_the_library(kind: str) -> None:
    """The C library against the Python package, ten thousand rows, one at a time."""
    library = runtime_library()
    assert library is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bytes_ = _foreign(kind)
    with pytest.raises(ValueError, match="is not supported by the compiled evaluator"):
        _core.Model(bytes_)
    rows = np.random.default_rng(10).normal(size=(ROWS, FEATURES)).astype(np.float32)
    model = _core.Model(bytes_, library=library)
    ours = np.frombuffer(model.infer(rows.tobytes()), np.float32).reshape(len(rows), -1)
    theirs = runtime_scores(bytes_, rows)
    assert ours.shape == theirs.shape
    assert model.features == FEATURES
    assert (np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))).max() <= TOLERANCE


def test_both_engines_agree_on_what_both_know() -> None:
    """The same model by the core and by the library."""
    bytes_ = _model("xgboost three")
    rows = np.random.default_rng(11).normal(size=(ROWS, FEATURES)).astype(np.float32)
    core = np.frombuffer(_core.Model(bytes_).infer(rows.tobytes()), np.float32)
    by_library = _core.Model(bytes_, library=runtime_library()).infer(rows.tobytes())
    assert np.abs(core - np.frombuffer(by_library, np.float32)).max() <= TOLERANCE


def test_library_says_what_it_cannot_run() -> None:
    """Bytes that are no model, and other numbers than 32-bit floats."""
    with pytest.raises(ValueError, match="ONNX Runtime"):
        _core.Model(b"no model", library=runtime_library())
    with pytest.raises(ValueError, match="32-bit floats with the shape"):
        _core.Model(_wide(), library=runtime_library())


def _wide() -> bytes:
    """A model of 64-bit floats."""
    double = onnx.TensorProto.DOUBLE
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "wide",
        [onnx.helper.make_tensor_value_info("x", double, [None, 2])],
        [onnx.helper.make_tensor_value_info("y", double, [None, 2])],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    proto: bytes = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=8
    ).SerializeToString()
    return proto


def test_damaged_bytes_are_refused_not_misread() -> None:
    """A file cut off or with flipped bits is refused or still a model, never a crash."""
    bytes_ = _model("xgboost three")
    random = np.random.default_rng(6)
    refused = 0
    for _ in range(300):
        broken = bytearray(bytes_)
        for at in random.integers(0, 4_000, size=3):
            broken[int(at)] ^= 1 << int(random.integers(0, 8))
        try:
            model = _core.Model(bytes(broken))
            model.infer(np.zeros((1, model.features), np.float32).tobytes())
        except ValueError:
            refused += 1
    assert refused > 0
    for length in range(0, len(bytes_), max(1, len(bytes_) // 50)):
        with pytest.raises(ValueError, match="expected"):
            _core.Model(bytes_[:length])
