"""A dataset and an algorithm in; a checked ONNX file with its manifest out."""

import hashlib
import warnings
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from prunella.errors import UsageError
from prunella.trading.market import at_least
from prunella.trading.model.dataset import FEATURES, FEATURES_VERSION, Dataset
from prunella.trading.model.evaluate import compare, evaluate, needed
from prunella.trading.model.registry import FoldMetrics, Manifest, model_id
from prunella.trading.model.split import Fold, walk_forward

EMBARGO_MS = 35_000
"""The figures look back so far."""
PARITY_ROWS = 10_000

_Floats = npt.NDArray[np.float64]
Algorithm = Literal["lightgbm", "xgboost", "forest", "boosting", "network", "linear"]
Target = Literal["return", "direction"]


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to train.

    Attributes:
        algorithm: Which kind of model.
        target: `return` predicts parts per million; `direction` probabilities of down, flat, up.
        flat_ppm: Moves up to this count as flat; `direction` only.
        folds: Test spans of the walk forward.
        trees: How many, for those that have trees.
        depth: How deep they may be.
        seed: Of all chance.
        embargo_ms: Gap between the last training label and the first test row.
    """

    algorithm: Algorithm = "lightgbm"
    target: Target = "direction"
    flat_ppm: float = 1.0
    folds: int = 4
    trees: int = 100
    depth: int = 6
    seed: int = 1
    embargo_ms: int = EMBARGO_MS

    def __post_init__(self) -> None:
        """Refuses what cannot be trained."""
        at_least("folds", self.folds, 1)
        at_least("trees", self.trees, 1)
        at_least("depth", self.depth, 1)
        at_least("embargo_ms", self.embargo_ms, 0)


def train(
    data: Dataset,
    settings: TrainSettings,
    *,
    recordings: tuple[str, ...],
    stride_ms: int,
    now_ns: int,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[bytes, Manifest]:
    """Walks forward over the data, then trains on all of it.

    Args:
        data: Rows with their returns.
        settings: How.
        recordings: Where the rows are from, for the manifest.
        stride_ms: Least time between rows, for the manifest.
        now_ns: The time, for the manifest.
        progress: Told one line per step.

    Returns:
        The ONNX file and its manifest.

    Raises:
        UsageError: Too few rows, a class that never occurs, or a library that is missing.
    """
    folds = walk_forward(
        data.ts_ns,
        horizon_ns=data.horizon_ns,
        embargo_ns=settings.embargo_ms * 1_000_000,
        folds=settings.folds,
    )
    told = []
    for number, fold in enumerate(folds, start=1):
        told.append(_walk(data, fold, settings))
        progress(f"fold {number} of {len(folds)}: skill {told[-1].skill:+.4f}")
    onnx = fit(data.figures, labels(data.returns_ppm, settings), settings)
    sha256 = hashlib.sha256(onnx).hexdigest()
    parity = compare(onnx, data.figures[-PARITY_ROWS:])
    progress(f"parity over {parity.rows} rows: {parity.difference_max:.1e}")
    manifest = Manifest(
        id=model_id(settings.algorithm, sha256),
        algorithm=settings.algorithm,
        target=settings.target,
        sha256=sha256,
        features_version=FEATURES_VERSION,
        features=FEATURES,
        horizon_ms=data.horizon_ns // 1_000_000,
        stride_ms=stride_ms,
        flat_ppm=settings.flat_ppm,
        recordings=recordings,
        data_from_ns=int(data.ts_ns[0]),
        data_to_ns=int(data.ts_ns[-1]),
        rows=len(data.ts_ns),
        settings={"trees": settings.trees, "depth": settings.depth},
        seed=settings.seed,
        folds=tuple(told),
        skill=float(np.mean([each.skill for each in told])),
        parity=parity,
        created_ns=now_ns,
    )
    return onnx, manifest


def labels(returns_ppm: _Floats, settings: TrainSettings) -> npt.NDArray[Any]:
    """What is to be predicted: returns, or 0 (down), 1 (flat), 2 (up)."""
    if settings.target == "return":
        return returns_ppm
    flat = settings.flat_ppm
    return (returns_ppm >= -flat).astype(np.int64) + (returns_ppm > flat)


def _walk(data: Dataset, fold: Fold, settings: TrainSettings) -> FoldMetrics:
    """Trains on one part and tests the exported model on the later one."""
    wanted = labels(data.returns_ppm, settings)
    onnx = fit(data.figures[fold.train], wanted[fold.train], settings)
    scores = evaluate(onnx, data.figures[fold.test]).astype(np.float64)
    loss, naive = losses(scores, wanted[fold.train], wanted[fold.test], settings)
    return FoldMetrics(
        rows_train=len(fold.train),
        rows_test=len(fold.test),
        test_from_ns=int(data.ts_ns[fold.test[0]]),
        test_to_ns=int(data.ts_ns[fold.test[-1]]),
        loss=loss,
        loss_naive=naive,
        skill=1.0 - loss / naive if naive > 0 else 0.0,
    )


def losses(
    scores: _Floats, train: npt.NDArray[Any], test: npt.NDArray[Any], settings: TrainSettings
) -> tuple[float, float]:
    """The loss on the test part, and the loss of answering with the training part's average."""
    if settings.target == "return":
        naive = float(np.mean((test - train.mean()) ** 2))
        return float(np.mean((test - scores[:, 0]) ** 2)), naive
    rows = np.arange(len(test))
    shares = np.bincount(train, minlength=3) / len(train)
    known = np.clip(scores[rows, test], 1e-9, 1.0)
    return float(-np.log(known).mean()), float(-np.log(np.clip(shares[test], 1e-9, 1)).mean())


def fit(
    figures: npt.NDArray[np.float32], wanted: npt.NDArray[Any], settings: TrainSettings
) -> bytes:
    """Trains one model and exports it.

    Raises:
        UsageError: A class does not occur, or a library is missing.
    """
    if settings.target == "direction" and len(np.unique(wanted)) < 3:
        raise UsageError(
            "expected moves down, flat and up in every training part: choose another flat_ppm, a "
            "longer horizon or more recordings"
        )
    kind = "Classifier" if settings.target == "direction" else "Regressor"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings.algorithm in {"lightgbm", "xgboost"}:
            return _fit_boosted(figures, wanted, settings, kind)
        model = _sklearn(settings, kind)
        model.fit(figures, wanted)
        exported = needed("skl2onnx").to_onnx(model, figures[:1])
    onnx: bytes = exported.SerializeToString()
    return onnx


def _fit_boosted(
    figures: npt.NDArray[np.float32], wanted: npt.NDArray[Any], settings: TrainSettings, kind: str
) -> bytes:
    converters = needed("onnxmltools")
    types = needed("onnxmltools.convert.common.data_types")
    columns = [("figures", types.FloatTensorType([None, figures.shape[1]]))]
    common = {"n_estimators": settings.trees, "max_depth": settings.depth, "n_jobs": 1}
    if settings.algorithm == "lightgbm":
        make = getattr(needed("lightgbm"), f"LGBM{kind}")
        model = make(**common, random_state=settings.seed, verbose=-1, deterministic=True)
        exported = converters.convert_lightgbm(model.fit(figures, wanted), initial_types=columns)
    else:
        make = getattr(needed("xgboost"), f"XGB{kind}")
        model = make(**common, random_state=settings.seed)
        exported = converters.convert_xgboost(model.fit(figures, wanted), initial_types=columns)
    onnx: bytes = exported.SerializeToString()
    return onnx


def _sklearn(settings: TrainSettings, kind: str) -> Any:
    """A scikit-learn model; what is not a tree gets its figures scaled first."""
    seed = {"random_state": settings.seed}
    if settings.algorithm in {"forest", "boosting"}:
        name = {"forest": "RandomForest", "boosting": "GradientBoosting"}[settings.algorithm]
        make = getattr(needed("sklearn.ensemble"), f"{name}{kind}")
        return make(n_estimators=settings.trees, max_depth=settings.depth, **seed)
    pipeline = needed("sklearn.pipeline").make_pipeline
    scaler = needed("sklearn.preprocessing").StandardScaler()
    if settings.algorithm == "network":
        make = getattr(needed("sklearn.neural_network"), f"MLP{kind}")
        return pipeline(scaler, make(hidden_layer_sizes=(32, 16), max_iter=60, **seed))
    linear = needed("sklearn.linear_model")
    if kind == "Classifier":
        return pipeline(scaler, linear.LogisticRegression(max_iter=500))
    return pipeline(scaler, linear.LinearRegression())
