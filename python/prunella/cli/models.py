"""`prunella model`: recordings in, models out; a model in, the engine's next signals out."""

import getpass
import math
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.operate import tell_engine
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.config import load
from prunella.control import PromoteModel, Reply
from prunella.errors import TargetUnavailableError, UsageError
from prunella.trading.model import Manifest, Parity, Registry
from prunella.trading.strategy import Onnx
from prunella.values import Home

app = typer.Typer(help="Train, check and promote models.", no_args_is_help=True)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ModelArgument = Annotated[str, typer.Argument(help="A model's name, as `list` shows it.")]
StrategyOption = Annotated[
    str, typer.Option("--strategy", help="Which strategy; may be left out when there is one.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]


@app.command("train")
def train_model(  # noqa: PLR0917  typer hands options over by name
    recordings: Annotated[
        list[str], typer.Argument(help="Recorded sessions of one market, in order.")
    ],
    algorithm: Annotated[
        str, typer.Option(help="One of lightgbm, xgboost, forest, boosting, network, linear.")
    ] = "lightgbm",
    target: Annotated[str, typer.Option(help="One of direction, return.")] = "direction",
    horizon_ms: Annotated[int, typer.Option(min=1, help="How far ahead to predict.")] = 5_000,
    stride_ms: Annotated[int, typer.Option(min=1, help="Least time between two rows.")] = 200,
    flat_ppm: Annotated[float, typer.Option(min=0, help="Moves up to this are flat.")] = 1.0,
    folds: Annotated[int, typer.Option(min=1, help="Test spans of the walk forward.")] = 4,
    trees: Annotated[int, typer.Option(min=1, help="Trees, where there are any.")] = 100,
    depth: Annotated[int, typer.Option(min=1, help="How deep they may be.")] = 6,
    seed: Annotated[int, typer.Option(help="Of all chance in training.")] = 1,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Train a model on recordings, walk it forward, and register it."""
    from prunella.trading.model.dataset import FEATURES, read_dataset  # noqa: PLC0415  numpy
    from prunella.trading.model.train import TrainSettings, train  # noqa: PLC0415

    stack = home_at(home)
    try:
        settings = msgspec.convert(
            {
                "algorithm": algorithm,
                "target": target,
                "flat_ppm": flat_ppm,
                "folds": folds,
                "trees": trees,
                "depth": depth,
                "seed": seed,
            },
            TrainSettings,
        )
    except msgspec.ValidationError as error:
        raise UsageError(str(error)) from None
    trading = load(stack.settings).trading
    data = read_dataset(
        recordings, instrument=trading.instrument, horizon_ms=horizon_ms, stride_ms=stride_ms
    )

    def say(line: str) -> None:
        if not json_output:
            console.print(line)

    say(f"{len(data.ts_ns)} rows of {len(FEATURES)} figures")
    onnx, manifest = train(
        data,
        settings,
        recordings=tuple(recordings),
        stride_ms=stride_ms,
        now_ns=SystemClock().now_ns(),
        progress=say,
    )
    Registry(stack.models).add(onnx, manifest)
    if json_output:
        print_json(manifest)
    else:
        console.print(f"registered [bold]{manifest.id}[/bold], skill {manifest.skill:+.4f}")


@app.command("list")
def list_models(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Show every registered model, and which strategy trades with it."""
    registry = Registry(home_at(home).models)
    strategies = {each.strategy for each in registry.promotions()}
    current = {name: found.model for name in strategies if (found := registry.current(name))}
    if json_output:
        print_json({"models": list(registry.all()), "current": current})
        return
    models = list(registry.all())
    table = Table()
    # A name that is cut off cannot be typed.
    table.add_column("model", min_width=max((len(each.id) for each in models), default=0))
    for column in ("target", "horizon", "rows", "skill", "parity", "trades for"):
        table.add_column(column)
    for each in models:
        users = ", ".join(name for name, model in sorted(current.items()) if model == each.id)
        table.add_row(
            each.id,
            each.target,
            f"{each.horizon_ms} ms",
            str(each.rows),
            f"{each.skill:+.4f}",
            f"{each.parity.difference_max:.1e}",
            users,
        )
    console.print(table)


@app.command("show")
def show_model(
    model: ModelArgument, home: HomeOption = None, json_output: JsonOption = False
) -> None:
    """Show a model's manifest."""
    manifest = Registry(home_at(home).models).manifest(model)
    if json_output:
        print_json(manifest)
    else:
        console.print_json(msgspec.json.encode(manifest).decode())


@app.command("check")
def check_model(
    model: ModelArgument, home: HomeOption = None, json_output: JsonOption = False
) -> None:
    """Check a model's hash, and its answers against ONNX Runtime's."""
    parity = _check(Registry(home_at(home).models), model)
    if json_output:
        print_json(parity)
    else:
        console.print(f"{model}: hash good, difference at most {parity.difference_max:.1e}")


@app.command("promote")
def promote_model(
    model: ModelArgument,
    strategy: StrategyOption = "",
    reason: ReasonOption = "promoted by hand",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a strategy trade with a model: at once if the stack runs, else from its start on.

    Refused when its answers are not ONNX Runtime's, are no numbers, or when its walk-forward skill
    is below the current model's.
    """
    stack = home_at(home)
    registry = Registry(stack.models)
    name = _strategy(stack, strategy)
    _refuse_worse(registry, registry.manifest(model), name)
    _check(registry, model)
    _promote(stack, registry, model, strategy=name, reason=reason, json_output=json_output)


@app.command("rollback")
def rollback_model(
    strategy: StrategyOption = "",
    reason: ReasonOption = "rolled back by hand",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Go back to the model before the current one."""
    stack = home_at(home)
    registry = Registry(stack.models)
    name = _strategy(stack, strategy)
    model = registry.previous(name)
    _promote(stack, registry, model, strategy=name, reason=reason, json_output=json_output)


def _strategy(stack: Home, wanted: str) -> str:
    """The named strategy, or the only one, of the kind `onnx`.

    Raises:
        UsageError: There is none of that name, or several and none was named.
    """
    strategies = load(stack.settings).trading.strategies
    names = [name for name, each in strategies.items() if isinstance(each, Onnx)]
    if wanted in names:
        return wanted
    if not wanted and len(names) == 1:
        return names[0]
    found = repr(wanted) if wanted else "none named"
    raise UsageError(f'expected one of the strategies of kind "onnx" {names}, found {found}')


def _refuse_worse(registry: Registry, manifest: Manifest, strategy: str) -> None:
    """Refuses figures of another version, and a model that is worse than the current one.

    Raises:
        UsageError: With the reason.
    """
    from prunella.trading.model.dataset import FEATURES_VERSION  # noqa: PLC0415  numpy

    if manifest.features_version != FEATURES_VERSION:
        raise UsageError(
            f"{manifest.id}: expected figures of version {FEATURES_VERSION}, found "
            f"{manifest.features_version}: train it again"
        )
    if not math.isfinite(manifest.skill):
        raise UsageError(f"{manifest.id}: its walk-forward skill is no number")
    current = registry.current(strategy)
    if current is None:
        return
    before = registry.manifest(current.model)
    if (before.target, before.horizon_ms) != (manifest.target, manifest.horizon_ms):
        return  # Skills of different questions do not compare.
    if manifest.skill < before.skill:
        raise UsageError(
            f"{manifest.id}: its skill {manifest.skill:+.4f} is below the {before.skill:+.4f} of "
            f"{before.id}, which trades now"
        )


def _check(registry: Registry, model: str) -> Parity:
    """The parity over rows like those of a market, with the hash checked before.

    Raises:
        UsageError: The hash is another, or the answers are not ONNX Runtime's.
    """
    import numpy as np  # noqa: PLC0415  every other command starts without

    from prunella.trading.model.dataset import FEATURES  # noqa: PLC0415
    from prunella.trading.model.evaluate import compare  # noqa: PLC0415
    from prunella.trading.model.train import PARITY_ROWS  # noqa: PLC0415

    onnx = registry.read(model)
    random = np.random.default_rng(registry.manifest(model).seed)
    rows = random.normal(scale=2.0, size=(PARITY_ROWS, len(FEATURES))).astype(np.float32)
    parity = compare(onnx, rows)
    if not parity.is_good:
        raise UsageError(
            f"{model}: the core's answers differ from ONNX Runtime's by "
            f"{parity.difference_max:.1e}, or are no numbers"
        )
    return parity


def _promote(
    stack: Home, registry: Registry, model: str, *, strategy: str, reason: str, json_output: bool
) -> None:
    """Has a running engine take the model, and notes the promotion when it did.

    Raises:
        UsageError: The engine refuses; nothing is noted.
    """
    actor = getpass.getuser()
    command = PromoteModel(strategy=strategy, model=model, sha256=registry.manifest(model).sha256)
    reply = _tell(stack, command, actor=actor, reason=reason)
    if reply is not None and not reply.ok:
        raise UsageError(f"{model}: the engine refused it: {reply.code} {reply.message}")
    made = registry.promote(
        model, strategy=strategy, actor=actor, reason=reason, now_ns=SystemClock().now_ns()
    )
    if json_output:
        print_json({"promotion": made, "running": reply is not None})
        return
    when = f"journal entry {reply.seq}" if reply else "from the stack's next start on"
    console.print(f"{strategy} trades with [bold]{model}[/bold] ({when})")


def _tell(stack: Home, command: PromoteModel, *, actor: str, reason: str) -> Reply | None:
    """The engine's reply; nothing when none runs."""
    if not stack.key("control.token").exists():
        return None
    try:
        return tell_engine(stack, command, actor=actor, reason=reason)
    except (TargetUnavailableError, OSError):
        return None
