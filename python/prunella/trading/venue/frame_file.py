"""Frames with their receive times in; files of whole lines, rotated and packed, out.

A line is `RECEIVE_TIME_NS JSON`. A file is written as `NAME.gz.part` and gets its name when it is
whole, so a file without `.part` never ends in half a line.
"""

import gzip
from pathlib import Path

NS_PER_S = 1_000_000_000


class FrameFile:
    """Writes a session into files that follow each other.

    Args:
        folder: Where; made when missing.
        name: Beginning of each file's name.
        bytes_max: Unpacked size after which a new file begins; 0 for never.
        age_ns_max: Age after which a new file begins; 0 for never.
    """

    def __init__(self, folder: Path, name: str, *, bytes_max: int, age_ns_max: int) -> None:
        self._folder = folder
        self._name = name
        self._bytes_max = bytes_max
        self._age_ns_max = age_ns_max
        self._file: gzip.GzipFile | None = None
        self._path = folder
        self._bytes = 0
        self._begun_ns = 0
        self.paths: list[Path] = []
        self.bytes_total = 0

    def write(self, ts_ns: int, frame: str) -> None:
        """Appends one line, in a new file when the current one is full or old.

        Raises:
            OSError: The disk is full or the folder cannot be written; the file so far is kept.
        """
        line = f"{ts_ns} {frame}\n".encode()
        if self._file is not None and self._is_due(ts_ns, len(line)):
            self.close()
        if self._file is None:
            self._open(ts_ns)
        assert self._file is not None  # noqa: S101  opened above
        self._file.write(line)
        self._bytes += len(line)
        self.bytes_total += len(line)

    def close(self) -> None:
        """Ends the current file and gives it its name."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        whole = self._path.with_suffix("")
        self._path.rename(whole)
        self.paths.append(whole)

    def _is_due(self, ts_ns: int, size: int) -> bool:
        is_full = 0 < self._bytes_max < self._bytes + size
        return is_full or 0 < self._age_ns_max <= ts_ns - self._begun_ns

    def _open(self, ts_ns: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = len(self.paths) + 1
        self._path = self._folder / f"{self._name}-{ts_ns // NS_PER_S}-{number:04}.gz.part"
        self._file = gzip.GzipFile(self._path, "wb", compresslevel=6)
        self._bytes = 0
        self._begun_ns = ts_ns


__all__ = ["FrameFile"]
