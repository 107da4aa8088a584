"""A real run of the demo in, the README's picture out: one live frame and the final table.

    python docs/picture.py [RECORDING ...]       # writes docs/demo.svg; takes as long as the demo

Nothing is drawn by hand: the frame is the first one in which the frozen exchange's incident has
been acted on, and the table is what the demo prints at its end.
"""

import io
import re
import sys
import tempfile
import threading
from pathlib import Path

from prunella.cli.demo import demo_settings
from prunella.cli.live import LiveView
from prunella.cli.stack import start
from prunella.cli.watching import Poller
from prunella.config import MarketSettings, save
from prunella.evaluation.report import Report, render
from prunella.evaluation.scenario import SCENARIOS, Runner, conclude
from prunella.evaluation.score import Truth
from prunella.evaluation.stack import RunningStack
from prunella.values import Home
from rich.console import Console
from rich.segment import Segments

PICTURE = Path(__file__).parent / "demo.svg"
SHOWN_WORKFLOW = "reroute-to-backup-venue"
COLUMNS = 124
LOOK_S = 0.25


def main() -> None:
    """Runs the demo and saves what it shows."""
    canvas = Console(record=True, width=COLUMNS, file=io.StringIO())
    market = MarketSettings(recordings=tuple(str(Path(each).absolute()) for each in sys.argv[1:]))
    with tempfile.TemporaryDirectory(prefix="prunella-") as folder:
        home = Home(Path(folder)).create()
        settings = demo_settings(market)
        save(settings, home.settings)
        view = LiveView()
        stack = start(home, settings, print)
        try:
            frame, report = _play(stack, view, canvas)
        finally:
            stack.close()
            stack.supervisor.stop()
    canvas.print(frame, end="")
    canvas.print()
    canvas.print(render(report))
    _save(canvas)
    print(f"{PICTURE} written; the run was {'good' if report.good else 'NOT good'}")
    sys.exit(not report.good)


def _play(stack: RunningStack, view: LiveView, canvas: Console) -> tuple[Segments, Report]:
    """Runs the scenario; the frame to show, and what the run gave."""
    scenario, started_ns = SCENARIOS["demo"], stack.clock.now_ns()
    truths: list[Truth] = []

    def tell(line: str) -> None:
        view.phase = line
        view.note(line)
        print(line)

    runner = Runner(stack, scenario, tell)
    worker = threading.Thread(target=lambda: truths.extend(runner.run()), daemon=True)
    worker.start()
    poller, frame = Poller(stack, view), Segments([])
    while worker.is_alive():
        poller.look()
        if not frame.segments and any(SHOWN_WORKFLOW in line for _, line in view.incidents):
            frame = Segments(list(canvas.render(view)))
        worker.join(LOOK_S)
    return frame, conclude(stack, scenario, truths, started_ns=started_ns)


def _save(canvas: Console) -> None:
    """Writes the picture, without the web font: a page must not load anything from elsewhere."""
    svg = canvas.export_svg(title="prunella demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    PICTURE.write_text(svg.replace("Fira Code", "ui-monospace, Menlo, Consolas"), encoding="utf-8")


if __name__ == "__main__":
    main()
