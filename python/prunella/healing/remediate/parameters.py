"""What a workflow needs to know in; values out, from telemetry first and advice last.

Advice (a model's above all) may choose among listed values; whatever decides *whom* or *how much*
is taken from our own readings and topology. So a wrong or hostile answer cannot name another
process, another venue or a number of its own.
"""

from typing import Literal

import msgspec

from prunella.healing.remediate.table import Table

Source = Literal[
    "advice",
    "venue",
    "backup_venue",
    "pid",
    "label",
    "rate",
    "cpus_away_from",
    "busiest",
    "fullest",
]
"""`advice`: the proposal, among `choices`. `venue`: the failing venue. `backup_venue`: the first
other one. `pid`: the number in a target such as `pid:1234`. `label`: a label of the target's newest
reading. `rate`: a share of how many of a counter's events went well per second. `cpus_away_from`:
all processors but the one that `entity` uses. `busiest`: a label of the series of a counter that
grew most. `fullest`: a label of the series with the highest value."""

_FROM_LABEL = frozenset({"label", "busiest", "fullest"})
_FROM_METRIC = _FROM_LABEL | {"rate", "cpus_away_from"}


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value to fill in.

    Attributes:
        source: Where it comes from.
        choices: For `advice`: all that it may be.
        default: For `advice`: when nothing is said.
        metric: For `label`, `rate` and `cpus_away_from`: which metric.
        entity: For `cpus_away_from`: whose processor is kept free. Empty: the target.
        label: For `label`, `busiest` and `fullest`: which label.
        labels: For `rate`: wanted labels, may hold `${placeholders}` of earlier parameters.
        percent: For `rate`: how much of the rate seen.
        minimum: For `rate`: not below.
        maximum: For `rate`: not above.
        window_ns: For `rate`: over how long.
    """

    source: Source
    choices: tuple[str, ...] = ()
    default: str = ""
    metric: str = ""
    entity: str = ""
    label: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    percent: int = 100
    minimum: int = 1
    maximum: int = 1_000_000
    window_ns: int = 3_000_000_000

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it is taken from."""
        if self.source == "cpus_away_from":
            return (self.metric, "host_cpu_ratio")
        return (self.metric,) if self.metric else ()

    def complaint(self) -> str:
        """What is wrong with it; empty when nothing is."""
        if self.source == "advice" and self.default not in self.choices:
            return f"default {self.default!r} should be one of choices {list(self.choices)}"
        if self.source in _FROM_METRIC and not self.metric:
            return f"source {self.source!r} needs a metric"
        if self.source in _FROM_LABEL and not self.label:
            return f"source {self.source!r} needs a label"
        if self.source == "rate" and not (1 <= self.percent <= 100):
            return f"percent {self.percent} should be 1 to 100"
        return ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the incident beside the readings.

    Attributes:
        target: The proposal's target.
        advice: The proposal's parameters; not trusted.
        venue: The failing venue, or empty when none is to blame.
        venues: All venues, the preferred one first.
    """

    target: str
    advice: dict[str, str]
    venue: str
    venues: tuple[str, ...]


class Missing(Exception):  # noqa: N818 - it is an answer, caught by the only caller
    """A parameter cannot be filled in; the message says which and why."""


def fill_parameters(
    parameters: dict[str, Parameter], around: Surroundings, table: Table, now_ns: int
) -> dict[str, str]:
    """A value for every parameter.

    Raises:
        Missing: Advice names a value that is not among the choices, or a reading is not there.
    """
    values: dict[str, str] = {}
    for name, parameter in parameters.items():
        if parameter.source == "busiest":
            value = _busiest(parameter, table, now_ns)
        elif parameter.source == "rate":
            value = _rate(parameter, table, values, now_ns)
        elif parameter.source == "advice":
            value = around.advice.get(name, parameter.default)
            if value not in parameter.choices:
                raise Missing(f"{name}: {value!r} is not one of {list(parameter.choices)}")
        else:
            value = _known(parameter, around, table)
        if not value:
            raise Missing(f"{name}: nothing to take it from ({parameter.source})")
        values[name] = value
    return values


def _known(parameter: Parameter, around: Surroundings, table: Table) -> str:
    """What topology and the newest readings say; empty when they say nothing."""
    value = ""
    match parameter.source:
        case "venue":
            value = around.venue
        case "backup_venue":
            value = next((each for each in around.venues if each != around.venue), "")
        case "pid":
            number = around.target.removeprefix("pid:")
            value = number if number.isdecimal() and int(number) > 1 else ""
        case "label":
            series = table.newest(parameter.metric, parameter.entity or around.target, {})
            value = "" if series is None else series.labels.get(parameter.label, "")
        case "fullest":
            series = max(
                table.find(parameter.metric, "", {}), key=lambda each: each.last, default=None
            )
            value = "" if series is None else series.labels.get(parameter.label, "")
        case "cpus_away_from":
            value = _cpus(parameter, around, table)
    return value


def _rate(parameter: Parameter, table: Table, values: dict[str, str], now_ns: int) -> str:
    labels = {key: _substitute(each, values) for key, each in parameter.labels.items()}
    start_ns = now_ns - parameter.window_ns
    series = list(table.find(parameter.metric, "", labels))
    # Just after our own start there is no past to take a rate from: better none than a wrong one.
    known_ns = min((each.samples[0][0] for each in series), default=now_ns)
    if known_ns > start_ns + parameter.window_ns // 5:
        return ""
    per_second = sum(each.increase(start_ns) for each in series) * 1e9 / parameter.window_ns
    wanted = int(per_second * parameter.percent / 100)
    return str(max(parameter.minimum, min(parameter.maximum, wanted)))


def _busiest(parameter: Parameter, table: Table, now_ns: int) -> str:
    start_ns = now_ns - parameter.window_ns
    series = list(table.find(parameter.metric, "", {}))
    if not series:
        return ""
    most = max(series, key=lambda each: each.increase(start_ns))
    return most.labels.get(parameter.label, "") if most.increase(start_ns) > 0 else ""


def _cpus(parameter: Parameter, around: Surroundings, table: Table) -> str:
    kept = table.newest(parameter.metric, parameter.entity or around.target, {})
    cpus = sorted(
        {
            int(each.labels["cpu"])
            for each in table.find("host_cpu_ratio", "", {})
            if each.labels.get("cpu", "").isdecimal()
        }
    )
    if kept is None or len(cpus) < 2:
        return ""
    return ",".join(str(each) for each in cpus if each != int(kept.last))


def _substitute(value: str, values: dict[str, str]) -> str:
    for name, filled in values.items():
        value = value.replace(f"${{{name}}}", filled)
    return value
