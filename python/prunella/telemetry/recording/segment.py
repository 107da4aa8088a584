"""One block of readings in, a compressed frame of columns out, and back; the format of a segment.

A file begins with `MAGIC`. Then frames: length and CRC-32 of the body, then the body, whose first
byte tells its kind. `NAMES` (MessagePack) adds series and sources, which later frames name by their
number in the file. `ROWS` holds readings: the times of the first and the last, how many rows and
batches, and columns behind one another, compressed: of each batch its source and length, of each
row its series, when it was made and when it was so, and its value. Columns hold differences to the
row before, values the exclusive-or with the last value of their series, and each column's bytes
stand by significance: what does not change becomes zeros, which compress to nothing.

Rejected: Parquet, whose footer comes last, so that a torn file cannot be read, and whose library
weighs tens of megabytes; `prunella telemetry export` writes it for who wants it.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from prunella.telemetry.reading import Domain, Reading, Readings

MAGIC = b"PRTELE01"
ROWS, NAMES = 0, 1
BODY_BYTES_MAX = 64 << 20
"""A length beyond this is damage: no block of ours is a thousandth of it."""
_LEVEL = 6
_FRAME = struct.Struct("<II")
_HEAD = struct.Struct("<qqII")

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
SeriesName = tuple[str, str, tuple[tuple[str, str], ...]]
"""Metric, entity, labels."""


class Names(msgspec.Struct, array_like=True):
    """Names that are new since the last such frame; their numbers follow those before."""

    series: list[SeriesName]
    sources: list[tuple[Domain, str]]


class Block(NamedTuple):
    """Readings of a moment as columns; each array is int64 but the values."""

    batch_source: Ints
    batch_length: Ints
    series: Ints
    init_ns: Ints
    event_ns: Ints
    values: npt.NDArray[np.float64]


class FrameHead(NamedTuple):
    """What can be known of `ROWS` without decompressing them."""

    first_ns: int
    last_ns: int
    rows: int
    batches: int


def frame(body: bytes) -> bytes:
    """The body with its length and checksum before it."""
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def frames(data: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Offset and body of each frame; the last body is None where the file is torn or damaged."""
    at = len(MAGIC)
    while at < len(data):
        if at + _FRAME.size > len(data):
            yield at, None
            return
        length, checksum = _FRAME.unpack_from(data, at)
        body = data[at + _FRAME.size : at + _FRAME.size + length]
        broken = not 0 < length <= BODY_BYTES_MAX or len(body) < length
        if broken or zlib.crc32(body) != checksum:
            yield at, None
            return
        yield at, body
        at += _FRAME.size + length


def pack_names(names: Names) -> bytes:
    """The body of a frame of names."""
    return bytes((NAMES,)) + zlib.compress(msgspec.msgpack.encode(names), _LEVEL)


def unpack_names(body: memoryview) -> Names:
    """The names of such a body."""
    return msgspec.msgpack.decode(zlib.decompress(body[1:]), type=Names)


def pack_rows(block: Block) -> bytes:
    """The body of a frame of rows.

    Example:
        >>> block = Block(*(np.array(c) for c in ([0], [2], [4, 5], [7, 7], [7, 6], [1.5, 2.5])))
        >>> [column.tolist() for column in unpack_rows(memoryview(pack_rows(block)))]
        [[0], [2], [4, 5], [7, 7], [7, 6], [1.5, 2.5]]
    """
    rows, batches = len(block.series), len(block.batch_length)
    packed = b"".join(
        _by_significance(column.view(np.uint64))
        for column in (
            block.batch_source,
            block.batch_length,
            _differences(block.series),
            _differences(block.init_ns),
            block.event_ns - block.init_ns,
            _chained(block.values, block.series),
        )
    )
    head = _HEAD.pack(int(block.init_ns.min()), int(block.init_ns.max()), rows, batches)
    return bytes((ROWS,)) + head + zlib.compress(packed, _LEVEL)


def head_of(body: memoryview) -> FrameHead:
    """What such a body's head says."""
    return FrameHead(*_HEAD.unpack_from(body, 1))


def unpack_rows(body: memoryview) -> Block:
    """The columns of such a body.

    Raises:
        ValueError: It holds something else than its head says.
    """
    head = head_of(body)
    counts = (head.batches, head.batches, head.rows, head.rows, head.rows, head.rows)
    packed = zlib.decompress(body[1 + _HEAD.size :])
    if len(packed) != 8 * sum(counts):
        raise ValueError(f"expected {8 * sum(counts)} bytes of columns, found {len(packed)}")
    columns, at = [], 0
    for count in counts:
        planes = np.frombuffer(packed, np.uint8, 8 * count, at).reshape(8, count)
        columns.append(np.ascontiguousarray(planes.T).view(np.uint64).reshape(count))
        at += 8 * count
    ints = [column.view(np.int64) for column in columns[:5]]
    series, init_ns = np.cumsum(ints[2]), np.cumsum(ints[3])
    values = _unchained(columns[5], series)
    return Block(ints[0], ints[1], series, init_ns, ints[4] + init_ns, values)


def batches(
    block: Block, series: Sequence[SeriesName], sources: Sequence[tuple[Domain, str]]
) -> Iterator[Readings]:
    """The block's readings as they were published."""
    columns = (block.series, block.values, block.event_ns, block.init_ns)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for source, length in zip(
        block.batch_source.tolist(), block.batch_length.tolist(), strict=True
    ):
        items = []
        for _ in range(length):
            number, value, event_ns, init_ns = next(rows)
            metric, entity, labels = series[number]
            items.append(
                Reading(
                    metric=metric,
                    entity=entity,
                    value=value,
                    labels=dict(labels),
                    ts_event_ns=event_ns,
                    ts_init_ns=init_ns,
                )
            )
        domain, name = sources[source]
        yield Readings(domain=domain, source=name, items=tuple(items))


def _differences(column: Ints) -> Ints:
    return np.diff(column, prepend=np.int64(0))


def _by_significance(column: Bits) -> bytes:
    """The bytes of the column: all lowest ones first, all highest ones last."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, 8).T.tobytes()


def _chained(values: npt.NDArray[np.float64], series: Ints) -> Bits:
    """Each value's bits, exclusive-or those of the value before in its series."""
    order, begins = _chains(series)
    bits = values.view(np.uint64)[order]
    changed = bits.copy()
    changed[1:] ^= bits[:-1]
    changed[begins] = bits[begins]
    return changed


def _unchained(changed: Bits, series: Ints) -> npt.NDArray[np.float64]:
    """What `_chained` was made from."""
    order, begins = _chains(series)
    # An exclusive-or over everything so far; of what came before a series began, it is taken back.
    running = np.bitwise_xor.accumulate(changed) if len(changed) else changed
    places = np.flatnonzero(begins)
    before = np.zeros(len(places), np.uint64)
    before[1:] = running[places[1:] - 1]
    lengths = np.diff(np.append(places, len(changed)))
    values = np.empty(len(changed), np.uint64)
    values[order] = running ^ np.repeat(before, lengths)
    return values.view(np.float64)


def _chains(series: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The order in which each series' rows stand together, and where each series begins."""
    order = np.argsort(series, kind="stable")
    sorted_series = series[order]
    begins = np.ones(len(series), np.bool_)
    begins[1:] = sorted_series[1:] != sorted_series[:-1]
    return order, begins
