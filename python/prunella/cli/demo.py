"""`prunella demo`: a stack of its own in, real faults, and an honest table out."""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from prunella.cli.clock import SystemClock
from prunella.cli.live import LiveView
from prunella.cli.stack import (
    free_port_base,
    new_home,
    prepare,
    start,
    terminated_like_interrupted,
    undisturbed,
)
from prunella.cli.watching import Poller
from prunella.config import COMPONENTS, MarketSettings, Settings, StackSettings, save
from prunella.errors import UsageError
from prunella.evaluation.report import render
from prunella.evaluation.scenario import SCENARIOS, Runner, conclude
from prunella.evaluation.score import Truth
from prunella.evaluation.stack import RunningStack
from prunella.exchange.recording import check_recordings
from prunella.trading.runtime import LoopSettings, TradingSettings
from prunella.values import Home

_FRAME_S = 0.25


def run_demo(
    *,
    recordings: tuple[str, ...],
    speed: float,
    seed: int,
    json_file: Path | None,
    keep: Path | None,
    console: Console,
) -> bool:
    """Runs the whole demo; True when everything healed and the books agree."""
    market = MarketSettings(
        recordings=tuple(str(Path(r).absolute()) for r in recordings), speed=speed, seed=seed
    )
    check_recordings(market.recordings)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise UsageError(f"{json_file.absolute().parent} is no folder to write {json_file.name} to")
    with terminated_like_interrupted(), _home(keep) as home:
        settings = demo_settings(market)
        save(settings, home.settings)
        prepare(home)
        view = LiveView()
        clock = SystemClock()
        started_ns = clock.now_ns()
        stack = _bring_up(home, settings, view, console)
        try:
            truths = _play(stack, view, console)
            report = conclude(stack, SCENARIOS["demo"], truths, started_ns=started_ns)
        finally:
            with undisturbed():
                stack.close()
                stack.supervisor.stop()
    console.print(render(report))
    if json_file is not None:
        json_file.write_bytes(report.to_json())
    if keep is not None:
        console.print(f"journal, ledger and logs are kept in {keep}")
    return report.good


def demo_settings(market: MarketSettings) -> Settings:
    """A stack on free ports, its hot thread held to one core, so that a hog can be beside it."""
    return Settings(
        stack=StackSettings(port_base=free_port_base()),
        market=market,
        trading=TradingSettings(loop=LoopSettings(cpu=_hot_core())),
    )


def _bring_up(home: Home, settings: Settings, view: LiveView, console: Console) -> RunningStack:
    """Starts the stack, telling which process is ready."""
    for component in COMPONENTS:
        view.components[component] = ("starting", "")
    with _shown(view, console):

        def tell(component: str, state: str) -> None:
            view.components[component] = (state, "")
            view.note(f"{component} is {state}")

        return start(home, settings, tell)


def _play(stack: RunningStack, view: LiveView, console: Console) -> list[Truth]:
    """Runs the scenario beside the picture; hands back what was injected."""
    truths: list[Truth] = []
    failure: list[BaseException] = []

    def tell(line: str) -> None:
        view.phase = line
        view.note(line)
        if not console.is_terminal:
            console.print(f"{view.elapsed_s:6.1f} s  {line}")

    def work() -> None:
        try:
            truths.extend(Runner(stack, SCENARIOS["demo"], tell).run())
        except BaseException as error:  # noqa: BLE001  handed to the main thread below
            failure.append(error)

    worker = threading.Thread(target=work, name="scenario", daemon=True)
    poller = Poller(stack, view)
    with _shown(view, console):
        worker.start()
        while worker.is_alive():
            poller.look()
            worker.join(_FRAME_S)
    if failure:
        raise failure[0]
    return truths


@contextlib.contextmanager
def _shown(view: LiveView, console: Console) -> Iterator[None]:
    """The live picture on a terminal; nothing where there is none."""
    if not console.is_terminal:
        yield
        return
    with Live(view, console=console, refresh_per_second=4, screen=False, transient=True):
        yield


@contextlib.contextmanager
def _home(keep: Path | None) -> Iterator[Home]:
    """A fresh home folder, removed afterwards unless it is to be kept."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise UsageError(f"{keep} is not empty; name a new folder to keep the run in")
        yield new_home(keep)
        return
    folder = Path(tempfile.mkdtemp(prefix="prunella-"))
    try:
        yield Home(folder).create()
    finally:
        with undisturbed():
            shutil.rmtree(folder, ignore_errors=True)


def _hot_core() -> int:
    """The core that the hot thread is bound to: the last one, if there is another for the rest."""
    cores = os.sched_getaffinity(0)
    return max(cores) if len(cores) > 1 else -1
