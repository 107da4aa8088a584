"""The shelf of detectors: name in, class and options out; a plain table."""

from collections.abc import Callable
from typing import Any

import msgspec

from prunella.errors import ConfigError
from prunella.healing.detect.absence import Absence, AbsenceOptions
from prunella.healing.detect.base import Detector, Options, Series
from prunella.healing.detect.error_burst import ErrorBurst, ErrorBurstOptions
from prunella.healing.detect.overdue import Overdue, OverdueOptions
from prunella.healing.detect.saturation import Saturation, SaturationOptions
from prunella.healing.detect.shift import Shift, ShiftOptions
from prunella.healing.detect.spike import Spike, SpikeOptions
from prunella.healing.detect.stall import Stall, StallOptions
from prunella.healing.incident import Watch

DETECTORS: dict[str, tuple[type[Options], Callable[[Any, Series], Detector]]] = {
    "absence": (AbsenceOptions, Absence),
    "error_burst": (ErrorBurstOptions, ErrorBurst),
    "overdue": (OverdueOptions, Overdue),
    "saturation": (SaturationOptions, Saturation),
    "shift": (ShiftOptions, Shift),
    "spike": (SpikeOptions, Spike),
    "stall": (StallOptions, Stall),
}


def builder(watch: Watch) -> Callable[[Series], Detector]:
    """A maker of detectors for one line of a watch list.

    Raises:
        ConfigError: The detector or one of its options is unknown or of a wrong type; the message
            names the metric and the option.

    Example:
        >>> builder(Watch(detector="overdue", metric="age", options={"limit": 1.0}))
        Traceback (most recent call last):
        ...
        prunella.errors.ConfigError: watch on age: overdue: Object contains unknown field `limit`
    """
    entry = DETECTORS.get(watch.detector)
    if entry is None:
        raise ConfigError(
            f"watch on {watch.metric}: no detector {watch.detector!r}; there are: "
            + ", ".join(DETECTORS)
        )
    options_type, detector_type = entry
    try:
        options = msgspec.convert(watch.options, options_type, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"watch on {watch.metric}: {watch.detector}: {error}") from None
    return lambda series: detector_type(options, series)
