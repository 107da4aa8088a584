"""Recorded market data in; every rule of integrity applied and what was found, as a record, out.

The compiled core reads the recording with the decoders and books of live trading, so a recording
that passes is one that the engine would have traded on. Times are nanoseconds.
"""

from collections.abc import Sequence

import msgspec

from prunella._core import check_recording


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's own numbers: how many were seen, jumps over some, and such that came again."""

    seen: int
    gaps: int
    old: int


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Receive time less the venue's time, in nanoseconds: latency and the clocks' difference."""

    count: int
    min_ns: int
    p1_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int


class InstrumentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument of a recording.

    Attributes:
        symbol: The venue's name of it.
        frames: Frames about it.
        status: `Live` when its book is in step at the end, else `Buffering` or `Down`.
        counters: What happened to its book, by name; every one counts up from 0.
        ticker_equal: Book states that agree with the venue's own best bid and ask.
        ticker_differs: Book states that differ from it.
        orders: What happened to single orders, where the venue tells them.
        update_id: The number of the last change in the book; 0 where there are none.
        levels: How many bid and ask levels the book has.
        top: Best bid and ask, each price and quantity as decimal text.
        digest: SHA-256 of the whole book.
        burst_frames_max: Most frames in any 100 ms.
        clock: The recorder's clock against the venue's.
        tops: Sampled time, best bid, best ask.
    """

    symbol: str
    frames: int
    status: str
    counters: dict[str, int]
    ticker_equal: int
    ticker_differs: int
    orders: dict[str, int] | None
    update_id: int
    levels: tuple[int, int]
    top: tuple[tuple[str, str], tuple[str, str]] | None
    digest: str
    burst_frames_max: int
    clock: Clock | None
    tops: list[tuple[int, float, float]]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went wrong, when, and with which instrument (empty: the connection)."""

    ts_ns: int
    symbol: str
    what: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Frames in each step of time, and marks; for a plot."""

    start_ns: int
    step_ns: int
    frames: list[int]
    marks: list[Mark]


class MarketReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a check found.

    Attributes:
        findings: What is wrong; empty when nothing is.
        notes: What is worth knowing and not wrong.
        connections: Connections that the recording tells of; 0 when it does not.
        silences: Pauses longer than the venue's limit; begin and length in `silence_list`.
    """

    protocol: str
    frames: int
    first_ns: int
    last_ns: int
    connections: int
    malformed: int
    malformed_first: str | None
    refused: int
    sequence: Counted
    heartbeats: Counted
    burst_frames_max: int
    silences: int
    silence_ns_max: int
    silence_list: list[tuple[int, int]]
    instruments: list[InstrumentReport]
    findings: list[str]
    notes: list[str]
    series: Series


def check_market(
    paths: Sequence[str], *, protocol: str | None = None, silence_ns: int | None = None
) -> MarketReport:
    r"""Checks recordings that follow each other.

    Args:
        paths: The files, in the order of time.
        protocol: Whose frames they are, such as `kraken`; told by the frames themselves when None.
        silence_ns: Longest pause that is no finding; a limit of the venue's when None.

    Raises:
        RecordingError: A file is unreadable or of no known venue; the message names file, line,
            what was found and what was expected. Trying again cannot help.

    Example:
        >>> import pathlib, tempfile
        >>> levels = '"b":[["1","1"]],"a":[["2","1"]]'
        >>> change = '{"e":"depthUpdate","E":1,"s":"X","U":%d,"u":%d,' + levels + "}"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "session")
        ...     _ = path.write_text(f"1 {change % (1, 2)}\n2 {change % (3, 4)}\n")
        ...     check_market([str(path)]).findings[0]
        'X: the book is not in step at the end'
    """
    report = check_recording(list(paths), protocol=protocol, silence_ns=silence_ns)
    return msgspec.json.decode(report, type=MarketReport)


__all__ = [
    "Clock",
    "Counted",
    "InstrumentReport",
    "Mark",
    "MarketReport",
    "Series",
    "check_market",
]
