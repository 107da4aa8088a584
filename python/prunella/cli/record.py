"""`prunella record`: a venue's raw frames in, files for check, replay and backtest out."""

import asyncio
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from prunella.cli.clock import SystemClock
from prunella.errors import UsageError
from prunella.trading.venue.catalogue import VENUES, venue_named
from prunella.trading.venue.frame_file import FrameFile
from prunella.trading.venue.library import PREFIX, LibraryRecorder, library_client
from prunella.trading.venue.recorder import Recorder, addresses

BYTES_PER_MB = 1_000_000
NS_PER_MINUTE = 60_000_000_000


def record(  # noqa: PLR0917  typer reads them by name
    venue: Annotated[
        str, typer.Argument(help=f"One of {', '.join(VENUES)}; or ccxt:NAME, see the guide.")
    ],
    symbols: Annotated[list[str], typer.Argument(help="As the venue writes them, e.g. BTCUSDT.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("recordings"),
    duration: Annotated[
        float, typer.Option(min=0, help="Seconds to record; 0 until Ctrl-C.")
    ] = 0.0,
    rotate_mb: Annotated[
        int, typer.Option(min=0, help="New file after so many MB, unpacked; 0 never.")
    ] = 256,
    rotate_minutes: Annotated[
        int, typer.Option(min=0, help="New file after so many minutes; 0 never.")
    ] = 60,
    url: Annotated[
        str | None, typer.Option(help="Another server that speaks the venue's protocol.")
    ] = None,
) -> None:
    """Record a venue's market data exactly as it sends it, with the time of receipt.

    Connects with TLS unless `--url ws://…` says otherwise, reconnects by itself, and stops cleanly
    at Ctrl-C. Check the files with `prunella market check`.
    """
    make = _recorder_of(venue, symbols, url)
    symbol = symbols[0].lower().replace("/", "").replace("-", "").replace(":", "")
    name = f"{venue.replace(':', '-')}-{symbol}"
    output = FrameFile(
        out,
        name,
        bytes_max=rotate_mb * BYTES_PER_MB,
        age_ns_max=rotate_minutes * NS_PER_MINUTE,
    )

    async def run() -> None:
        recorder = make(output)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, recorder.stop)
        if duration:
            loop.call_later(duration, recorder.stop)
        with Console(stderr=True).status("connecting") as status:
            shown = asyncio.create_task(_show(recorder, output, status))
            try:
                await recorder.run()
            finally:
                shown.cancel()
        done = recorder.progress
        typer.echo(
            f"{done.frames:,} frames, {done.snapshots} snapshots, {done.connections} connections"
        )

    asyncio.run(run())
    for path in output.paths:
        typer.echo(str(path))


def _recorder_of(
    venue: str, symbols: list[str], url: str | None
) -> Callable[[FrameFile], Recorder | LibraryRecorder]:
    """What records this venue, made once its loop runs."""
    if venue.startswith(PREFIX):
        if url is not None:
            raise UsageError("--url is for the venues that are decoded here, not for ccxt")
        client = library_client(venue.removeprefix(PREFIX))
        return lambda output: LibraryRecorder(client, symbols, output, clock=SystemClock())
    found = venue_named(venue)
    at = addresses(found, url)
    return lambda output: Recorder(
        found,
        symbols,
        output,
        clock=SystemClock(),
        at=at,
        chance=random.Random(),  # noqa: S311  jitter, not a secret
    )


async def _show(recorder: Recorder | LibraryRecorder, output: FrameFile, status: Status) -> None:
    while True:
        done = recorder.progress
        problem = f" · {done.last_problem}" if done.last_problem else ""
        status.update(
            f"{done.frames:,} frames · {output.bytes_total / BYTES_PER_MB:,.1f} MB · "
            f"{done.reconnects} reconnects{problem}"
        )
        await asyncio.sleep(0.5)
