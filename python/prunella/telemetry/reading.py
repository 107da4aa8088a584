"""`Reading`: one telemetry value; `Readings`: what one collector saw in one round."""

from typing import Literal, get_args

import msgspec

Domain = Literal["cpu", "network", "io", "execution", "http"]
"""The five domains; each has one agent that sees nothing else."""

DOMAINS: tuple[Domain, ...] = get_args(Domain)

BATCH_MAX = 1000
"""Readings of one message on the bus, which has a limit of bytes."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of one metric.

    Attributes:
        metric: The metric's name, unit last, such as `venue_feed_age_seconds`.
        entity: Whom it is about: a component of the topology (`engine`, `exchange-primary`,
            `host`), or `pid:1234` for a process that no component owns.
        value: The value in the metric's unit. Counters are the running total.
        labels: What else tells it apart, such as `{"venue": "primary"}`.
        ts_event_ns: When it was so, nanoseconds UTC.
        ts_init_ns: When the record was made, nanoseconds UTC.
    """

    metric: str
    entity: str
    value: float
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    ts_event_ns: int
    ts_init_ns: int


class Readings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="readings"
):
    """All readings of one domain that one source gave in one round.

    Attributes:
        domain: Which agent should see them.
        source: Who collected: `host`, `scrape:engine` …
        items: The readings, in no order that matters.
    """

    domain: Domain
    source: str
    items: tuple[Reading, ...]
