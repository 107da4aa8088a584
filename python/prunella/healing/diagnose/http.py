"""The HTTP agent: how requests are answered, above all those that carry orders."""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.incident import Watch

AGENT = AgentSpec(
    domain="http",
    means=("order_placement_latency_milliseconds",),
    watches=(
        # `refused` is not a failure: a venue that refuses a bad order does its work.
        Watch(
            detector="error_burst",
            metric="order_requests_total",
            by=("venue",),
            options={
                "name": "overload",
                "failures": ("throttled", "server_error"),
                "share": 0.25,
                "failures_min": 4,
            },
        ),
        # The engine stops sending to a silent venue by itself, so there are few to count.
        Watch(
            detector="error_burst",
            metric="order_requests_total",
            by=("venue",),
            options={
                "name": "timeout",
                "failures": ("timeout",),
                "share": 0.3,
                "failures_min": 2,
            },
        ),
        # One refused order is a venue at work; half of a dozen is a venue that takes none.
        Watch(
            detector="error_burst",
            metric="order_requests_total",
            by=("venue",),
            options={"name": "refused", "failures": ("refused",), "share": 0.5, "failures_min": 6},
        ),
        # An order takes a few milliseconds here; what is worth a sentence is what moves a market.
        Watch(
            detector="shift",
            metric="order_placement_latency_milliseconds_mean",
            by=("venue",),
            options={"rise_min": 60.0, "certain": 1000.0, "scale_min": 5.0, "tau_s": 0.1},
        ),
        Watch(
            detector="overdue",
            metric="telemetry_age_seconds",
            options={"limit_s": 0.8, "count_min": 2, "clear_s": 0.2},
        ),
    ),
)
