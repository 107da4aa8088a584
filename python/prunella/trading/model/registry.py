"""Models and promotions in; a folder that says which model is which, and which one trades, out.

A model is a folder with `model.onnx` and `manifest.json`, written once and never changed; its name
begins with its algorithm and ends with its hash. Promotions are lines of `promotions.jsonl`, only
ever added: the last line of a strategy is what it trades with.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from prunella.errors import UsageError

_ID_DIGITS = 12
PARITY_MAX = 1e-6
"""Largest difference, as a part of the largest score or of 1: some roundings of a 32-bit float."""


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the core's evaluator and ONNX Runtime agree.

    Attributes:
        rows: Rows compared.
        difference_max: Largest difference, as a part of the largest score or of 1.
    """

    rows: int
    difference_max: float

    @property
    def is_good(self) -> bool:
        """Whether both are the same model."""
        return self.rows > 0 and self.difference_max <= PARITY_MAX


class FoldMetrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one test span went.

    Attributes:
        rows_train: Rows trained on.
        rows_test: Rows tested on.
        test_from_ns: First test row.
        test_to_ns: Last test row.
        loss: Mean squared error (returns, ppm²) or log loss (classes).
        loss_naive: The same of the naive answer: the training part's mean or class shares.
        skill: `1 - loss / loss_naive`; above 0 is better than naive.
    """

    rows_train: int
    rows_test: int
    test_from_ns: int
    test_to_ns: int
    loss: float
    loss_naive: float
    skill: float


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a model.

    Attributes:
        id: Its name in the registry.
        algorithm: Such as `lightgbm`.
        target: `return` (parts per million) or `direction` (down, flat, up).
        sha256: Of `model.onnx`, lower-case hexadecimal.
        features_version: Of the figures that it wants.
        features: Their names.
        horizon_ms: How far ahead it looks.
        stride_ms: Least time between two rows that it was trained on.
        flat_ppm: Moves up to this count as flat; `direction` only.
        recordings: Files that it was trained on.
        data_from_ns: First row.
        data_to_ns: Last row.
        rows: Rows in all.
        settings: Hyperparameters.
        seed: Of all chance in training.
        folds: The walk forward.
        skill: Mean of the folds' skill; what promotions are compared by.
        parity: The core against ONNX Runtime.
        created_ns: When, by the clock that training was given.
    """

    id: str
    algorithm: str
    target: str
    sha256: str
    features_version: int
    features: tuple[str, ...]
    horizon_ms: int
    stride_ms: int
    flat_ppm: float
    recordings: tuple[str, ...]
    data_from_ns: int
    data_to_ns: int
    rows: int
    settings: dict[str, float | int | str]
    seed: int
    folds: tuple[FoldMetrics, ...]
    skill: float
    parity: Parity
    created_ns: int


class Promotion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the promotions: from now on this strategy trades with this model.

    Attributes:
        at_ns: When.
        strategy: Which strategy.
        model: Which model.
        sha256: Of its file.
        before: The model before; empty for none.
        actor: Who.
        reason: Why.
    """

    at_ns: int
    strategy: str
    model: str
    sha256: str
    before: str
    actor: str
    reason: str


class Registry:
    """A folder of models.

    Args:
        folder: Where; made when the first model is added.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._promotions = folder / "promotions.jsonl"

    def add(self, onnx: bytes, manifest: Manifest) -> None:
        """Keeps a model; one that is there already stays as it is."""
        home = self.folder / manifest.id
        home.mkdir(parents=True, exist_ok=True)
        if (home / "manifest.json").exists():
            return
        # The manifest last: a folder with a manifest is whole.
        _write(home / "model.onnx", onnx)
        _write(home / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))

    def all(self) -> Iterator[Manifest]:
        """Every model, by name."""
        for path in sorted(self.folder.glob("*/manifest.json")):
            yield self.manifest(path.parent.name)

    def manifest(self, model: str) -> Manifest:
        """What is known of a model.

        Raises:
            UsageError: There is none of that name, or its manifest is damaged.
        """
        path = self._home(model) / "manifest.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except OSError:
            known = [each.parent.name for each in sorted(self.folder.glob("*/manifest.json"))]
            raise UsageError(f"expected a model of {known}, found {model!r}") from None
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}: {error}") from None

    def read(self, model: str) -> bytes:
        """A model's file, if it is still what its manifest says.

        Raises:
            UsageError: It is missing, or its hash is another.
        """
        wanted = self.manifest(model).sha256
        path = self._home(model) / "model.onnx"
        try:
            onnx = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
        found = hashlib.sha256(onnx).hexdigest()
        if found != wanted:
            raise UsageError(f"{path}: expected the SHA-256 {wanted}, found {found}")
        return onnx

    def promotions(self) -> tuple[Promotion, ...]:
        """All promotions, oldest first.

        Raises:
            UsageError: A line is damaged.
        """
        try:
            lines = self._promotions.read_bytes().splitlines()
        except OSError:
            return ()
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(msgspec.json.decode(line, type=Promotion))
            except msgspec.DecodeError as error:
                if number == len(lines):
                    break  # A crash cut the last line off: it was never acted on.
                raise UsageError(f"{self._promotions}: line {number}: {error}") from None
        return tuple(found)

    def current(self, strategy: str) -> Promotion | None:
        """The promotion that a strategy trades by."""
        mine = [each for each in self.promotions() if each.strategy == strategy]
        return mine[-1] if mine else None

    def previous(self, strategy: str) -> str:
        """The model before the current one.

        Raises:
            UsageError: There is none.
        """
        now = self.current(strategy)
        if now is None or not now.before:
            raise UsageError(f"{strategy}: expected an earlier promotion, found none")
        return now.before

    def promote(
        self, model: str, *, strategy: str, actor: str, reason: str, now_ns: int
    ) -> Promotion:
        """Notes a promotion; the caller has the engine act on it.

        Raises:
            UsageError: There is no such model, or it is not what its manifest says.
        """
        self.read(model)
        now = self.current(strategy)
        made = Promotion(
            at_ns=now_ns,
            strategy=strategy,
            model=model,
            sha256=self.manifest(model).sha256,
            before=now.model if now else "",
            actor=actor,
            reason=reason,
        )
        whole = b"".join(msgspec.json.encode(each) + b"\n" for each in (*self.promotions(), made))
        _write(self._promotions, whole)
        return made

    def _home(self, model: str) -> Path:
        """A model's folder.

        Raises:
            UsageError: The name would lead out of the registry.
        """
        if not model or Path(model).name != model:
            raise UsageError(f"expected the name of a model, found {model!r}")
        return self.folder / model


def model_id(algorithm: str, sha256: str) -> str:
    """A model's name: the same bytes have the same name.

    Example:
        >>> model_id("lightgbm", "0123456789abcdef")
        'lightgbm-0123456789ab'
    """
    return f"{algorithm}-{sha256[:_ID_DIGITS]}"


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
