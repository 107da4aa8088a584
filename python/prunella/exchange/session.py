"""A seed and a duration in; a recorded session of the synthetic market, as a file, out.

The file has the format of any recording (`prunella.values.recording`), mid-stream snapshot
included: benchmarks and tests have a session to play where nobody has recorded one.
"""

from collections.abc import Iterator
from pathlib import Path

from prunella.exchange.market import FAST
from prunella.exchange.player import DEPTH_NS
from prunella.exchange.settings import ExchangeSettings
from prunella.exchange.streams import Hub, Subscriber
from prunella.exchange.synthetic import SyntheticMarket
from prunella.exchange.venue import Venue
from prunella.values import ManualClock

START_NS = 1_700_000_000_000_000_000
"""A fixed time, so that the same seed gives the same bytes."""
SNAPSHOT_NS = 250_000_000
"""The stream begins first, as with a real recorder, so that the buffering rule is needed."""
SNAPSHOT_LEVELS = 1_000
_QUEUE_MAX = 100_000


def write_session(path: Path, *, seed: int, seconds: float) -> int:
    """Writes a session; how many lines it has.

    Example:
        >>> import tempfile
        >>> from prunella.values.recording import Recording
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "session")
        ...     lines = write_session(file, seed=7, seconds=1.0)
        ...     len(list(Recording([str(file)]))) == lines
        True
    """
    lines = 0
    with path.open("w", encoding="ascii") as file:
        for ts_ns, text in _session(seed, int(seconds * 1e9)):
            file.write(f"{ts_ns} {text}\n")
            lines += 1
    return lines


def _session(seed: int, duration_ns: int) -> Iterator[tuple[int, str]]:
    """Time and text of each message that a subscriber of all streams would get."""
    settings = ExchangeSettings(port=1, admin_token="none", read_token="none")  # noqa: S106
    symbol = settings.markets[0].symbol
    name = symbol.name.lower()
    hub, recorder = Hub(), Subscriber(combined=True, queue_max=_QUEUE_MAX)
    for stream in (f"{name}@depth@100ms", f"{name}@trade", f"{name}@bookTicker"):
        hub.subscribe(recorder, stream)
    clock = ManualClock(start_ns=START_NS)
    market = Venue(settings, clock, hub).market(symbol.name)
    depth_ns, snapshot_ns = DEPTH_NS, SNAPSHOT_NS
    for now_ns, frame in SyntheticMarket(symbol, seed=seed).frames():
        if now_ns > duration_ns:
            return
        clock.advance(now_ns - clock.monotonic_ns())
        market.play(frame)
        if now_ns >= depth_ns:
            market.publish_depth(FAST)
            depth_ns += DEPTH_NS
        for text in recorder.drain():
            yield clock.now_ns(), text
        if snapshot_ns and now_ns >= snapshot_ns:
            yield clock.now_ns(), market.depth(SNAPSHOT_LEVELS)
            snapshot_ns = 0
