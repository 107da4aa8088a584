"""A metric's name in; its domain, unit, meaning and labels out: one plain table.

A metric belongs to one domain, so that exactly one agent sees it. What is not in the table is not
passed on: nobody asked for it. The one exception to "by name" is pressure, which the kernel gives
for three resources under one name.
"""

from collections.abc import Mapping
from typing import NamedTuple

from prunella.telemetry.host_metrics import HOST_METRICS
from prunella.telemetry.reading import Domain

_PRESSURE = {"host_pressure_some_ratio", "host_pressure_full_ratio"}
_SUFFIXES = ("_sum", "_count", "_bucket")


class Metric(NamedTuple):
    """What a metric is; `labels` are the names that it may carry, with spaces between."""

    name: str
    domain: Domain
    unit: str
    help: str
    labels: str = ""


METRICS: dict[str, Metric] = {row[0]: Metric(*row) for row in HOST_METRICS} | {
    row[0]: Metric(*row)
    for row in (
        (
            "process_up",
            "cpu",
            "bool",
            "1 while the component has a process that is no zombie",
            "process",
        ),
        ("process_state_stopped", "cpu", "bool", "1 while the process is stopped (state T)"),
        (
            "process_cpu_ratio",
            "cpu",
            "cores",
            "CPU time used, averaged over half a second",
            "start_ticks last_cpu command",
        ),
        (
            "process_run_delay_ratio",
            "cpu",
            "ratio",
            "share of time spent waiting for a core",
            "thread",
        ),
        ("process_rss_bytes", "cpu", "bytes", "resident memory"),
        ("process_threads", "cpu", "count", "threads"),
        ("process_open_files", "io", "count", "files, sockets and pipes that it holds open"),
        ("process_open_files_ratio", "io", "ratio", "the same as a share of its limit"),
        (
            "process_disk_read_bytes_per_second",
            "io",
            "bytes/s",
            "read from disks, over two seconds",
            "command start_ticks",
        ),
        (
            "process_disk_written_bytes_per_second",
            "io",
            "bytes/s",
            "written to disks, over two seconds",
            "command start_ticks",
        ),
        ("process_start_ticks", "cpu", "ticks", "start time, ticks since boot"),
        ("process_last_cpu", "cpu", "core", "core that it last ran on", "thread"),
        ("journal_entries_total", "io", "count", "entries written to the journal"),
        ("journal_bytes_total", "io", "bytes", "bytes written to the journal"),
        ("scrape_up", "network", "bool", "1 when the target's metrics page came in time", "target"),
        (
            "scrape_timeout",
            "network",
            "bool",
            "1 when it was the time limit that ended the wait",
            "target",
        ),
        ("scrape_duration_seconds", "network", "seconds", "how long the page took", "target"),
        (
            "venue_feed_age_seconds",
            "network",
            "seconds",
            "since the last frame or heartbeat",
            "venue",
        ),
        (
            "data_venue_feed_age_seconds",
            "network",
            "seconds",
            "the same of a venue whose market data alone is used",
            "venue",
        ),
        (
            "data_venue_frames_total",
            "network",
            "count",
            "market data frames received from a venue whose market data alone is used",
            "venue",
        ),
        ("venue_state", "network", "enum", "0 down, 1 syncing, 2 live, 3 stale", "venue"),
        ("venue_health", "network", "enum", "0 healthy, 1 degraded, 2 down", "venue"),
        (
            "venue_health_reason",
            "network",
            "bool",
            "1 for each reason why the venue is not healthy",
            "venue reason",
        ),
        (
            "venue_clock_offset_seconds",
            "network",
            "seconds",
            "the venue's clock minus ours, less the shortest way",
            "venue",
        ),
        (
            "core_clock_ahead_seconds",
            "network",
            "seconds",
            "core time minus the wall clock; not zero after the clock was set",
        ),
        ("venue_request_weight", "http", "count", "request weight used in this minute", "venue"),
        (
            "venue_timestamps_refused_total",
            "http",
            "count",
            "requests that the venue refused for their timestamp",
            "venue",
        ),
        ("venue_reconciled", "network", "bool", "1 when orders and positions agree", "venue"),
        ("venue_frames_total", "network", "count", "market data frames received", "venue"),
        ("venue_gaps_total", "network", "count", "gaps in the update ids", "venue"),
        ("venue_resyncs_total", "network", "count", "books built anew from a snapshot", "venue"),
        ("venue_malformed_total", "network", "count", "frames that could not be read", "venue"),
        ("exchange_frames_total", "network", "count", "frames that the exchange has sent"),
        ("exchange_clients", "network", "count", "connections open at the exchange"),
        ("exchange_clients_dropped_total", "network", "count", "clients cut off for not reading"),
        ("exchange_market_speed", "network", "ratio", "speed of the played market, 1 as recorded"),
        (
            "exchange_requests_total",
            "http",
            "count",
            "requests answered, by path and status",
            "path status",
        ),
        ("exchange_orders_open", "http", "count", "our orders resting at the exchange"),
        ("order_requests_total", "http", "count", "order requests, by outcome", "venue outcome"),
        (
            "order_placement_latency_milliseconds",
            "http",
            "ms",
            "from sending to the reply",
            "venue",
        ),
        ("circuit_breaker_state", "http", "enum", "0 closed, 1 half-open, 2 open", "venue"),
        ("circuit_breaker_trips_total", "http", "count", "times the breaker has opened", "venue"),
        ("trading_state", "execution", "enum", "0 active, 1 reducing, 2 halted"),
        ("engine_ready", "execution", "bool", "1 when an order could be sent somewhere"),
        ("engine_active_venue", "execution", "bool", "1 for the venue that orders go to", "venue"),
        ("orders_submitted_total", "execution", "count", "orders sent", "venue"),
        (
            "orders_acknowledged_total",
            "execution",
            "count",
            "orders accepted by the venue",
            "venue",
        ),
        ("orders_filled_total", "execution", "count", "orders filled whole", "venue"),
        ("orders_rejected_total", "execution", "count", "orders refused by the venue", "venue"),
        ("orders_denied_total", "execution", "count", "orders refused by us, by reason", "reason"),
        (
            "orders_observed_total",
            "execution",
            "count",
            "orders that a check in observe-only would have denied",
            "reason",
        ),
        (
            "reconciliation_breaks_open",
            "execution",
            "count",
            "differences between our books and a venue's that last",
            "class",
        ),
        (
            "reconciliation_breaks_total",
            "execution",
            "count",
            "such differences since the run began",
            "class",
        ),
        ("exposure_gross_usd", "execution", "usd", "worst sum of positions", "scope"),
        ("exposure_net_usd", "execution", "usd", "worst netted position", "scope"),
        ("scope_profit_usd", "execution", "usd", "profit since the start, fees off", "scope"),
        ("drawdown_usd", "execution", "usd", "distance from the highest profit", "scope"),
        (
            "strategy_breaker_state",
            "execution",
            "enum",
            "0 closed, 1 half-open, 2 open",
            "strategy",
        ),
        ("strategy_stopped", "execution", "bool", "1 until a person re-arms it", "strategy"),
        ("orders_open", "execution", "count", "working orders", "venue"),
        ("orders_unknown", "execution", "count", "orders of unknown fate", "venue"),
        ("position_quantity", "execution", "base", "position", "venue symbol"),
        ("position_value_usd", "execution", "usd", "value of all positions"),
        ("realized_pnl_usd", "execution", "usd", "profit of closed positions"),
        ("unrealized_pnl_usd", "execution", "usd", "profit of open positions at the market"),
        ("reflex_total", "execution", "count", "reflexes fired, by kind", "venue reflex"),
        ("hot_loop_iterations_total", "execution", "count", "turns of the hot loop"),
        ("hot_loop_lag_seconds", "execution", "seconds", "longest pause between two turns"),
        ("tick_to_order_microseconds", "execution", "us", "from a frame's bytes to the order's"),
        (
            "signal_inference_duration_microseconds",
            "strategy",
            "us",
            "one step with a model's answer",
        ),
        ("risk_check_duration_microseconds", "execution", "us", "one order's risk checks"),
        ("market_data_processing_latency_microseconds", "execution", "us", "one frame's step"),
        ("stage_entries_total", "execution", "count", "entries a stage has followed", "stage"),
        ("stage_orders_sent_total", "execution", "count", "orders passed on by a stage", "stage"),
        ("stage_orders_unsent_total", "execution", "count", "orders nobody took", "stage"),
        ("stage_orders_differing_total", "execution", "count", "orders told falsely", "stage"),
        ("stage_orders_expired_total", "execution", "count", "orders not told in time", "stage"),
        ("stage_silence_seconds", "execution", "seconds", "since the sequencer spoke", "stage"),
        ("stage_step_microseconds", "execution", "us", "a stage's step", "stage"),
        ("stage_hop_microseconds", "execution", "us", "one hop from frame to order", "hop"),
    )
}


def domain_of(metric: str, labels: Mapping[str, str] | None = None) -> Domain | None:
    """The one domain that sees the metric, or None when nobody asked for it.

    Example:
        >>> domain_of("process_cpu_ratio"), domain_of("exchange_frames_total"), domain_of("up")
        ('cpu', 'network', None)
        >>> domain_of("host_pressure_some_ratio", {"resource": "cpu"})
        'cpu'
        >>> domain_of("tick_to_order_microseconds_sum")
        'execution'
    """
    if metric in _PRESSURE and labels is not None and labels.get("resource") == "cpu":
        return "cpu"
    row = METRICS.get(metric)
    if row is None:
        for suffix in _SUFFIXES:
            if metric.endswith(suffix):
                row = METRICS.get(metric.removesuffix(suffix))
    return None if row is None else row.domain
