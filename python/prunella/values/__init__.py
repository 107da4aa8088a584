"""The ground: a clock protocol, fixed-point money and identifiers."""

from prunella.values.clock import Clock, ManualClock
from prunella.values.home import Home
from prunella.values.money import SCALE, format_fixed, parse_fixed

__all__ = ["SCALE", "Clock", "Home", "ManualClock", "format_fixed", "parse_fixed"]
