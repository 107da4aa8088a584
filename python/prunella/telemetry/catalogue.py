"""Which domain a metric belongs to: a plain table by name or by the longest matching beginning."""

from prunella.telemetry.reading import Domain

_DOMAINS: dict[str, Domain] = {
    "process_": "cpu",
    "host_cpu_": "cpu",
    "host_load_": "cpu",
    "host_pressure_some_ratio": "io",
    "host_disk_": "io",
    "host_memory_": "io",
    "journal_": "io",
    "host_net_": "network",
    "host_tcp_": "network",
    "venue_": "network",
    "scrape_": "network",
    "exchange_": "http",
    "exchange_frames_total": "network",
    "order_requests_total": "http",
    "order_placement_latency_milliseconds": "http",
    "circuit_breaker_": "http",
    "orders_": "execution",
    "trading_state": "execution",
    "engine_": "execution",
    "position_": "execution",
    "realized_pnl_usd": "execution",
    "unrealized_pnl_usd": "execution",
    "reflex_total": "execution",
    "hot_loop_": "execution",
    "tick_to_order_microseconds": "execution",
    "risk_check_duration_microseconds": "execution",
    "market_data_processing_latency_microseconds": "execution",
}


def domain_of(metric: str) -> Domain | None:
    """The one domain that sees the metric, or None when nobody asked for it.

    Example:
        >>> domain_of("process_cpu_ratio"), domain_of("exchange_frames_total"), domain_of("up")
        ('cpu', 'network', None)
    """
    best = max((key for key in _DOMAINS if metric.startswith(key)), key=len, default=None)
    return None if best is None else _DOMAINS[best]
