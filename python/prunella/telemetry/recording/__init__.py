"""Readings in, columnar segments on disk within a bound; the same readings in the same order out.

A segment is a file of frames, each with its length and checksum. What a crash tears off is the end
of the last frame: the reader stops there and goes on with the next segment. Telemetry is evidence
to look at and to replay, not the record of money: it is not forced to the disk.
"""

from prunella.telemetry.recording.reader import Damage, Series, TelemetryReader
from prunella.telemetry.recording.recorder import Recorder
from prunella.telemetry.recording.writer import TelemetryWriter

__all__ = ["Damage", "Recorder", "Series", "TelemetryReader", "TelemetryWriter"]
