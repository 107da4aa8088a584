"""Recorded Binance frames in, the frames of a market out: with the buffering rule and gap checks.

The files are `prunella.values.recording`'s. One line is the depth snapshot, taken after the stream
had begun, so earlier depth frames are kept back until it comes and those that it contains are
dropped.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from prunella.errors import RecordingError
from prunella.exchange.frames import (
    BookFrame,
    DiffFrame,
    Frame,
    Levels,
    TickerFrame,
    TradeFrame,
)
from prunella.values import recording

# How far a recording is read before anything starts: ten minutes of a busy market, half a second.
CHECKED_MAX = 150_000
# Depth frames kept back while waiting for a snapshot: a minute of the fastest stream.
BUFFERED_MAX = 60_000


class _Data(msgspec.Struct, frozen=True):
    """The union of the payloads' fields; which are present says which payload it is."""

    e: str | None = None
    first: int | None = msgspec.field(default=None, name="U")
    u: int | None = None
    previous: int | None = msgspec.field(default=None, name="pu")
    b: Levels | str | int | None = None
    a: Levels | str | int | None = None
    bid_quantity: str | None = msgspec.field(default=None, name="B")
    ask_quantity: str | None = msgspec.field(default=None, name="A")
    p: str | None = None
    q: str | None = None
    m: bool | None = None


class _Line(msgspec.Struct, frozen=True):
    """A combined-stream frame, or a snapshot."""

    stream: str | None = None
    data: _Data | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")
    bids: Levels | None = None
    asks: Levels | None = None


_DECODE = msgspec.json.Decoder(_Line).decode


class _Diff(msgspec.Struct, frozen=True):
    """A depth frame with its numbers."""

    first: int
    last: int
    previous: int | None
    frame: DiffFrame


class Recording:
    """Binance spot or futures frames from files that follow each other.

    Raises:
        RecordingError: While iterating: file, line, what was found and what was expected.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [str(path) for path in paths]

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Frames from the snapshot on."""
        book = _Sequence()
        source = recording.Recording(self._paths)
        for ts_ns, raw in source:
            try:
                for frame in book.take(_DECODE(raw)):
                    yield ts_ns, frame
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise RecordingError(f"{source.place}: expected a Binance frame: {error}") from None
            except _UnfitError as error:
                raise RecordingError(f"{source.place}: {error}") from None
        if not book.started:
            raise RecordingError(
                f"{source.place}: expected a depth snapshot (a line with lastUpdateId), found "
                "none; put the file that holds it first"
            )


def check_recordings(paths: Sequence[str]) -> None:
    """Reads the first minutes, so that a wrong recording is told before anything starts.

    Raises:
        RecordingError: A file is missing, damaged, or not what an exchange can play.
    """
    if paths:
        for _ in islice(Recording([Path(path) for path in paths]).frames(), CHECKED_MAX):
            pass


class _UnfitError(Exception):
    """A frame that does not fit; says what was expected and found."""


class _Sequence:
    """Applies the venue's rule for joining a snapshot with a stream."""

    def __init__(self) -> None:
        self._buffer: list[_Diff] = []
        self._last: int | None = None
        self._joined = False

    @property
    def started(self) -> bool:
        return self._last is not None

    def take(self, line: _Line) -> Iterator[Frame]:
        """The frames that this line makes, in order."""
        if line.last_update_id is not None:
            yield from self._snapshot(line)
        elif line.data is None:
            raise _UnfitError("expected a stream frame or a snapshot, found neither")
        elif line.data.e == "depthUpdate":
            diff = _diff(line.data)
            if self._last is None:
                self._buffer.append(diff)
                if len(self._buffer) > BUFFERED_MAX:
                    raise _UnfitError(f"no depth snapshot in {BUFFERED_MAX} frames")
            else:
                yield from self._apply(diff)
        elif self._last is not None:
            frame = _other(line.data, self._last)
            if frame is not None:
                yield frame

    def _snapshot(self, line: _Line) -> Iterator[Frame]:
        if line.bids is None or line.asks is None or line.last_update_id is None:
            raise _UnfitError("expected a snapshot with bids and asks")
        self._last = line.last_update_id
        self._joined = False
        yield BookFrame(bids=line.bids, asks=line.asks)
        buffered, self._buffer = self._buffer, []
        for diff in buffered:
            yield from self._apply(diff)

    def _apply(self, diff: _Diff) -> Iterator[Frame]:
        last = self._last
        if last is None or diff.last <= last:
            return
        if not self._joined:
            fits = diff.first <= last + 1
        elif diff.previous is not None:
            fits = diff.previous == last
        else:
            fits = diff.first == last + 1
        if not fits:
            raise _UnfitError(
                f"expected the depth frame after update {last}, found {diff.first} to "
                f"{diff.last}: frames are missing"
            )
        self._joined = True
        self._last = diff.last
        yield diff.frame


def _diff(data: _Data) -> _Diff:
    if (
        data.first is None
        or data.u is None
        or not isinstance(data.b, list)
        or not isinstance(data.a, list)
    ):
        raise _UnfitError("expected a depth frame with U, u, b and a")
    frame = DiffFrame(bids=data.b, asks=data.a)
    return _Diff(first=data.first, last=data.u, previous=data.previous, frame=frame)


def _other(data: _Data, last: int) -> Frame | None:
    """A trade or a best price; `None` for a best price that the book already contains."""
    if data.e == "trade":
        if data.p is None or data.q is None or data.m is None:
            raise _UnfitError("expected a trade with p, q and m")
        return TradeFrame(price=data.p, quantity=data.q, buyer_is_maker=data.m)
    if data.e in {None, "bookTicker"} and data.u is not None:
        b, a, bid_quantity, ask_quantity = data.b, data.a, data.bid_quantity, data.ask_quantity
        if (
            not isinstance(b, str)
            or not isinstance(a, str)
            or bid_quantity is None
            or ask_quantity is None
        ):
            raise _UnfitError("expected a best price with b, B, a and A")
        if data.u <= last:
            return None
        return TickerFrame(bid=b, bid_quantity=bid_quantity, ask=a, ask_quantity=ask_quantity)
    raise _UnfitError(f"expected depthUpdate, trade or bookTicker, found event {data.e!r}")
