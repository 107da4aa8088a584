"""A log file, also one that is rotated, in; lines by severity and templates never seen before out.

What a line says is data: of its text only the template goes further, with numbers, quotes and
whatever is not plain taken out.
"""

import contextlib
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from prunella.telemetry.reading import Domain, Reading, Readings
from prunella.values import Clock

ROUND_S = 0.5
BYTES_MAX = 4 << 20
"""Read in one round; of a log that grows faster, the middle is skipped and counted."""
LINE_BYTES_MAX = 8192
"""A longer line is cut: it is counted, and its template is that of its beginning."""
TEMPLATES_MAX = 64
"""New templates that are told by their text; further ones are told as a number."""
_SEVERITY = re.compile(
    rb"\b(?:(fatal|critical|panic|emerg)|(err|error)|(warn|warning)|(debug|trace)|(info|notice))\b",
    re.IGNORECASE,
)
_SEVERITIES = ("fatal", "error", "warn", "debug", "info")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:@%+\-/<*> ]")


class LogTail:
    """Follows one log and publishes counts, from a thread of its own.

    Args:
        name: The entity of its readings.
        path: The file; it may come later, be renamed, cut short or made anew.
        domain: Whose agent sees the counts.
        templates: A line in; its template and whether it is new out.
        publish: Called with each batch.
        clock: The time.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        domain: Domain,
        *,
        templates: Callable[[str], tuple[str, bool]],
        publish: Callable[[Readings], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self._path = path
        self._domain: Domain = domain
        self._templates = templates
        self._publish = publish
        self._clock = clock
        self._file: BinaryIO | None = None
        self._rest = b""
        self._lines: Counter[str] = Counter()
        self._novel: Counter[str] = Counter()
        self._skipped = 0
        self._first = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)

    def start(self) -> None:
        """Follows from now on, from the end of what is there."""
        self._thread.start()

    def close(self) -> None:
        """Follows no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2.0)
        if self._file is not None:
            self._file.close()

    def look(self) -> None:
        """One round: what was written since the last one."""
        self._open()
        if self._file is not None:
            self._read(self._file)
            if self._replaced(self._file):
                self._file.close()
                self._file = None  # its last lines are read; the next round opens the new one
                self._line(self._rest)
                self._rest = b""
        self._tell()

    def _run(self) -> None:
        while not self._stop.wait(ROUND_S):
            self.look()

    def _open(self) -> None:
        if self._file is None:
            with contextlib.suppress(OSError):
                self._file = self._path.open("rb", buffering=0)
                if self._first:  # what was there before us is old
                    self._file.seek(0, os.SEEK_END)
        self._first = False

    def _read(self, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        if size < file.tell():  # cut short: it begins anew
            file.seek(0)
            self._rest = b""
        if size - file.tell() > BYTES_MAX:
            self._skipped += size - BYTES_MAX - file.tell()
            file.seek(size - BYTES_MAX)
            self._rest = b""
            file.readline(LINE_BYTES_MAX)  # the rest of a line
        data = self._rest + (file.read(BYTES_MAX) or b"")
        *lines, self._rest = data.split(b"\n")
        self._rest = self._rest[-BYTES_MAX:]
        for line in lines:
            self._line(line)

    def _replaced(self, file: BinaryIO) -> bool:
        """Whether another file, or none, has the name by now."""
        try:
            now = self._path.stat()
        except OSError:
            return True
        mine = os.fstat(file.fileno())
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        line = line[:LINE_BYTES_MAX]
        found = _SEVERITY.search(line)
        place = next((i for i, group in enumerate(found.groups()) if group), 4) if found else None
        self._lines["unset" if place is None else _SEVERITIES[place]] += 1
        template, is_new = self._templates(line.decode("utf-8", "replace"))
        if is_new:
            text = _UNSAFE.sub("_", template[:128])
            self._novel[text if len(self._novel) < TEMPLATES_MAX else "<*>"] += 1

    def _tell(self) -> None:
        now_ns = self._clock.now_ns()

        def reading(metric: str, value: float, **labels: str) -> Reading:
            return Reading(
                metric=metric,
                entity=self.name,
                value=value,
                labels=labels,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )

        items = [
            reading("log_up", float(self._file is not None)),
            reading("log_skipped_bytes_total", float(self._skipped)),
            *(reading("log_lines_total", n, severity=each) for each, n in self._lines.items()),
            *(reading("log_novel_templates_total", n, template=t) for t, n in self._novel.items()),
        ]
        self._publish(Readings(domain=self._domain, source=f"log:{self.name}", items=tuple(items)))
