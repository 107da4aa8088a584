"""The clock's state, from the kernel and from whoever disciplines it, in; offset and bound out.

Three voices: the kernel (`adjtimex`), which knows whether it is kept in step and how wrong it may
be; chrony (`chronyc tracking`); and a PTP clock of linuxptp (`pmc`). The last two are programs of
others and are asked every few seconds without waiting for them. Besides, the wall clock is held
against the monotonic one, which shows a step however it came about.

Source: adjtimex(2); chronyc(1), tracking in CSV; IEEE 1588-2019, 15.5.3.4 and 15.5.3.7.
"""

import contextlib
import ctypes
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from prunella.telemetry.processes import Emit
from prunella.telemetry.reading import Reading

STEP_WINDOW_NS = 10_000_000_000
"""Ten seconds of slewing at the kernel's limit of 500 ppm are 5 ms; whatever is more is a step."""
ASK_EVERY = 5
"""Slow rounds, about seconds; chrony itself measures every 16 s or more rarely."""
PATIENCE = 3
"""Slow rounds after which a program that does not answer is ended."""
_UNSYNCHRONISED = 0x40
_CLOCK_ERROR = 5
_NO_REFERENCE = {"00000000", "7F7F0101"}
"""chrony's reference while it has none, and when it trusts its own clock."""


class ClockState(NamedTuple):
    """What one source says; None where it does not know.

    Attributes:
        synchronised: Whether it has a reference and follows it.
        offset_s: Our clock minus the reference.
        error_s: How far from UTC our clock is at most, as the source reckons.
        frequency_ppm: By how much the clock's own pace is corrected.
    """

    synchronised: bool
    offset_s: float | None = None
    error_s: float | None = None
    frequency_ppm: float | None = None


_Parse = Callable[[str], ClockState | None]


class ClockCollector:
    """Readings about the clock, by source.

    Args:
        chronyc: How chrony is asked; beginning with the program.
        pmc: How a PTP clock is asked; the questions are added.
    """

    def __init__(
        self, chronyc: Sequence[str] = ("chronyc",), pmc: Sequence[str] = ("pmc", "-u", "-b", "0")
    ) -> None:
        self._programs = [
            _Program("chrony", (*chronyc, "-c", "-n", "tracking"), chrony_state),
            _Program("ptp", (*pmc, "GET CURRENT_DATA_SET", "GET PORT_DATA_SET"), ptp_state),
        ]
        self._seen: deque[tuple[int, int]] = deque()

    def collect(self, emit: Emit, now_ns: int, monotonic_ns: int) -> Iterator[Reading]:
        """Whether the wall clock was set in the last ten seconds, and by how much."""
        self._seen.append((monotonic_ns, now_ns - monotonic_ns))
        while monotonic_ns - self._seen[0][0] > STEP_WINDOW_NS:
            self._seen.popleft()
        stepped_ns = self._seen[-1][1] - self._seen[0][1]
        yield emit("host_clock_step_seconds", "host", stepped_ns / 1e9)

    def collect_slow(self, emit: Emit) -> Iterator[Reading]:
        """What the kernel says now, and the programs when they were last asked."""
        states = {"kernel": kernel_state(), **{each.name: each.state() for each in self._programs}}
        for source, state in states.items():
            if state is None:
                continue
            for metric, value in (
                ("host_clock_synchronised", float(state.synchronised)),
                ("host_clock_offset_seconds", state.offset_s),
                ("host_clock_error_bound_seconds", state.error_s),
                ("host_clock_frequency_ppm", state.frequency_ppm),
            ):
                if value is not None:
                    yield emit(metric, "host", value, source=source)

    def close(self) -> None:
        """Ends programs that are still asked."""
        for each in self._programs:
            each.close()


class _Program:
    """A program that is asked now and then; nobody waits for it."""

    def __init__(self, name: str, command: Sequence[str], parse: _Parse) -> None:
        self.name = name
        self._command = command
        self._parse = parse
        self._child: subprocess.Popen[str] | None = None
        self._state: ClockState | None = None
        self._turn = 0

    def state(self) -> ClockState | None:
        """What it last said; None when it is not installed, gave no answer, or a foolish one."""
        if self._child is not None and self._child.poll() is not None:
            said, _ = self._child.communicate()
            self._state = self._parse(said) if self._child.returncode == 0 else None
            self._child = None
        if self._turn % ASK_EVERY == 0 and shutil.which(self._command[0]):
            self.close()
            with contextlib.suppress(OSError):
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    errors="replace",
                )
        elif self._child is not None and self._turn % ASK_EVERY >= PATIENCE:
            self.close()
            self._state = None
        self._turn += 1
        return self._state

    def close(self) -> None:
        """Ends it if it still runs."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


class _Timex(ctypes.Structure):
    """`struct timex` as far as it is read, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("_rest", ctypes.c_byte * 256),
    )


def kernel_state() -> ClockState | None:
    """What adjtimex(2) says; asks only, changes nothing.

    The kernel's own `offset` is what is left to slew, not how far from UTC it is, and is left out.

    Example:
        >>> kernel_state().error_s >= 0
        True
    """
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()
    answer = ask(ctypes.byref(timex))
    if answer < 0:
        return None
    return ClockState(
        synchronised=answer != _CLOCK_ERROR and not timex.status & _UNSYNCHRONISED,
        error_s=timex.maxerror / 1e6,
        frequency_ppm=timex.freq / 65536,
    )


def chrony_state(said: str) -> ClockState | None:
    """What one line of `chronyc -c -n tracking` says; None when it is no such line.

    Example:
        >>> state = chrony_state("C0A80001,192.168.0.1,3,1790000000.1,-0.000012,0.00001,0.00002,"
        ...     "-5.5,0.001,0.02,0.0004,0.0001,64.2,Normal")
        >>> state.synchronised, state.offset_s, round(state.error_s, 6), state.frequency_ppm
        (True, 1.2e-05, 0.000312, -5.5)
    """
    fields = said.strip().split(",")
    if len(fields) < 14:
        return None
    try:
        correction, frequency, delay, dispersion = (float(fields[i]) for i in (4, 7, 10, 11))
    except ValueError:
        return None
    return ClockState(
        synchronised=fields[0] not in _NO_REFERENCE and fields[13] != "Not synchronised",
        offset_s=-correction,  # chrony says by how much the clock is to be corrected
        error_s=abs(correction) + dispersion + delay / 2,
        frequency_ppm=frequency,
    )


def ptp_state(said: str) -> ClockState | None:
    r"""What `pmc` answers to the two questions; None when no clock answered.

    Example:
        >>> state = ptp_state("\tsending: GET CURRENT_DATA_SET\n\t\toffsetFromMaster -420.0\n"
        ...     "\t\tmeanPathDelay 1200.0\n\t\tportState SLAVE\n")
        >>> state.synchronised, state.offset_s, round(state.error_s, 9)
        (True, -4.2e-07, 1.62e-06)
    """
    offset = re.search(r"^\s*offsetFromMaster\s+(-?[\d.]+)\s*$", said, re.MULTILINE)
    delay = re.search(r"^\s*meanPathDelay\s+(-?[\d.]+)\s*$", said, re.MULTILINE)
    ports = re.findall(r"^\s*portState\s+(\w+)\s*$", said, re.MULTILINE)
    if offset is None or delay is None:
        return None
    offset_s, delay_s = float(offset[1]) / 1e9, float(delay[1]) / 1e9
    if "SLAVE" not in ports:
        return ClockState(synchronised=False)  # whose offset says 0, as if all were well
    return ClockState(synchronised=True, offset_s=offset_s, error_s=abs(offset_s) + abs(delay_s))
