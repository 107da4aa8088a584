"""The hot loop's raw status in; what people, Prometheus and the healing plane read out."""

from collections.abc import Iterator, Mapping
from typing import Any

from prunella.values import SCALE

Status = dict[str, Any]

_TRADING_STATES = {"active": 0, "reducing": 1, "halted": 2}
_VENUE_STATES = {"down": 0, "syncing": 1, "live": 2, "stale": 3}
_HEALTH = {"healthy": 0, "degraded": 1, "down": 2}
_BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2}
_LATENCIES = {
    "market_data_processing": "market_data_processing_latency_microseconds",
    "risk_check": "risk_check_duration_microseconds",
    "signal_inference": "signal_inference_duration_microseconds",
    "tick_to_order": "tick_to_order_microseconds",
}
_SCOPE_METRICS = {
    "exposure_gross_usd": "gross",
    "exposure_net_usd": "net",
    "scope_profit_usd": "profit",
    "drawdown_usd": "drawdown",
}
_STATUS_AGE_NS_MAX = 1_000_000_000
"""The hot thread publishes ten times a second; silent for this long, it hangs or is starved."""


def why_not_ready(raw: Status, *, is_running: bool, now_ns: int) -> str:
    """Why the engine cannot send an order somewhere; empty when it can."""
    if not is_running:
        return "the hot loop has ended"
    if not raw:
        return "the hot loop has not begun"
    if now_ns - raw["at_ns"] > _STATUS_AGE_NS_MAX:
        return "the hot loop does not turn"
    if not raw["is_ready"]:
        return f"{raw['active_venue']} is not reconciled or its market data is not fresh"
    return ""


def status_page(raw: Status, *, frame_rates: Mapping[str, float]) -> Status:
    """The status for people: venues by name, money as text, latencies in microseconds.

    Args:
        raw: What the hot loop published.
        frame_rates: Frames a second by venue, as the caller measured them.
    """
    if not raw:
        return {"trading_state": "not_running", "venues": {}}
    markets = [_market(market) for market in raw["markets"]]
    return {
        "at_ns": raw["at_ns"],
        "run": raw["run"],
        "trading_state": raw["trading_state"],
        "ready": raw["is_ready"],
        "active_venue": raw["active_venue"],
        "venues": {
            venue["name"]: _venue(
                venue,
                [market for market in markets if market["venue"] == venue["name"]],
                active=venue["name"] == raw["active_venue"],
                frames_per_second=frame_rates.get(venue["name"], 0.0),
            )
            for venue in raw["venues"]
        },
        "markets": markets,
        "orders": raw["orders"],
        "strategies": {each["name"]: each for each in raw["strategies"]},
        "profit": {
            "realized": f"{raw['realised_usd']:.2f}",
            "unrealized": f"{raw['unrealised_usd']:.2f}",
            "net": f"{raw['profit_usd']:.2f}",
        },
        "position_value": f"{raw['position_value_usd']:.2f}",
        "denied": raw["denied"],
        "models": {each["strategy"]: each for each in raw["models"]},
        "observed": raw["observed"],
        "observe_only": raw["observe_only"],
        "limits": raw["limits"],
        "positions": raw["positions"],
        "breaks": raw["breaks"],
        "break_counts": {each["class"]: each for each in raw["break_counts"]},
        "scopes": {scope["name"]: scope for scope in raw["scopes"]},
        "guardians": {guard["name"]: guard for guard in raw["guardians"]},
        "kills": raw["kills"],
        "stage": _stage(raw["stage"]),
        "latency_us": {name: _percentiles(raw[name]) for name in _LATENCIES},
        "journal": {
            "seq": raw["journal_seq"],
            "chain": raw["journal_chain"],
            "durable_seq": raw["journal_durable_seq"],
            "waits": raw["durable_wait"]["count"],
            "wait_us_p99": raw["durable_wait"]["p99_ns"] / 1_000,
        },
        "hot_thread_cpu": raw["hot_thread_cpu"],
        "hot_thread_id": raw["hot_thread_id"],
        "core_clock_ahead_ms": _milliseconds(raw["clock_ahead_ns"]),
        "started_ns": raw["started_ns"],
        "trading_since_ns": raw["trading_since_ns"],
        "replayed_entries": raw["replayed_entries"],
        "replay_checks": raw["replay_checks"],
        "snapshots": raw["snapshots"],
        "snapshot_us_max": raw["snapshot_encode_ns_max"] / 1_000,
    }


def _stage(stage: Status | None) -> Status | None:
    """The part of one stage among five; None when one process is all of them."""
    if stage is None:
        return None
    hops = {name: _percentiles(hop) | {"count": hop["count"]} for name, hop in stage["hops"]}
    return stage | {"hops": hops}


def _market(market: Status) -> Status:
    shown = ("venue", "symbol", "instrument", "position", "best_bid", "best_ask")
    return {name: market[name] for name in shown}


def _venue(
    venue: Status, markets: list[Status], *, active: bool, frames_per_second: float
) -> dict[str, object]:
    """A venue's facts; symbol, position and best prices are its first market's."""
    market = markets[0]
    return {
        "active": active,
        "state": venue["state"],
        "health": venue["health"],
        "reasons": venue["reasons"],
        "trouble": venue["trouble"],
        "clock": {
            "offset_ms": _milliseconds(venue["clock_offset_ns"]),
            "drift_ppm": venue["clock_drift_ppm"],
            "correction_ms": _milliseconds(venue["clock_correction_ns"]),
            "timestamps_refused": venue["timestamps_refused"],
        },
        "used_weight": venue["used_weight"],
        "connections_renewed": venue["channel_renewals"],
        "symbol": market["symbol"],
        "reconciled": venue["is_reconciled"],
        "user_stream": venue["is_user_up"],
        "halted": venue["is_halted"],
        "data_only": venue["is_data_only"],
        "breaker": venue["breaker"],
        "breaker_trips": venue["breaker_trips"],
        "order_rate_per_second": venue["order_rate_per_second"],
        "frames": venue["frames"],
        "frames_per_second": frames_per_second,
        "gaps": venue["gaps"],
        "resyncs": venue["resyncs"],
        "malformed": venue["malformed"],
        "orders_submitted": venue["submitted"],
        "orders_acknowledged": venue["acknowledged"],
        "orders_filled": venue["filled"],
        "orders_rejected": venue["rejected"],
        "orders_not_received": venue["not_received"],
        "orders_became_unknown": venue["became_unknown"],
        "orders_open": venue["orders_open"],
        "orders_unknown": venue["orders_unknown"],
        "fills": venue["fills"],
        "fills_repeated": venue["fills_repeated"],
        "breaks": venue["breaks"],
        "reflexes": venue["reflexes"],
        "requests": venue["requests"],
        "placement_ms": {
            name: value / 1_000 for name, value in _percentiles(venue["placement"]).items()
        },
        "position": market["position"],
        "best_bid": market["best_bid"],
        "best_ask": market["best_ask"],
    }


def _milliseconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / 1_000_000


def _percentiles(latency: Status) -> dict[str, float]:
    names = {"p50": "p50_ns", "p99": "p99_ns", "p999": "p999_ns", "max": "max_ns"}
    return {name: latency[key] / 1_000 for name, key in names.items()}


def metrics_page(raw: Status, *, now_ns: int, ready: bool) -> bytes:
    """Prometheus text of the hot loop's status."""
    if not raw:
        return b"engine_ready 0\n"
    lines = [
        f"trading_state {_TRADING_STATES[raw['trading_state']]}",
        f"engine_ready {int(ready)}",
        f"position_value_usd {raw['position_value_usd']}",
        f"realized_pnl_usd {raw['realised_usd']}",
        f"unrealized_pnl_usd {raw['unrealised_usd']}",
        f"journal_entries_total {raw['journal_entries']}",
        f"journal_bytes_total {raw['journal_bytes']}",
        f"hot_loop_iterations_total {raw['iterations']}",
        f"hot_loop_lag_seconds {raw['lag_ns'] / 1e9}",
        f"core_clock_ahead_seconds {raw['clock_ahead_ns'] / 1e9}",
        f'reflex_total{{venue="all",reflex="killed"}} {raw["kills"]}',
    ]
    lines.extend(_count_metrics(raw))
    for scope in raw["scopes"]:
        lines.extend(_scope_metrics(scope))
    for strategy in raw["guardians"]:
        label = f'strategy="{strategy["name"]}"'
        lines.append(f"strategy_breaker_state{{{label}}} {_BREAKER_STATES[strategy['breaker']]}")
        lines.append(f"strategy_stopped{{{label}}} {int(strategy['is_stopped'])}")
    since_ns = max(0, now_ns - raw["at_ns"])
    for venue in raw["venues"]:
        active = venue["name"] == raw["active_venue"]
        lines.extend(_venue_metrics(venue, is_active=active, since_ns=since_ns))
    for market in raw["markets"]:
        quantity = int(market["position_raw"]) / SCALE
        label = f'venue="{market["venue"]}",symbol="{market["symbol"]}"'
        lines.append(f"position_quantity{{{label}}} {quantity}")
    for name, metric in _LATENCIES.items():
        lines.extend(_histogram(metric, "", raw[name], unit_ns=1_000))
    if raw["stage"]:
        lines.extend(_hop_metrics(raw["stage"]))
    return ("\n".join(lines) + "\n").encode()


def _count_metrics(raw: Status) -> Iterator[str]:
    for reason, count in raw["denied"].items():
        yield f'orders_denied_total{{reason="{reason}"}} {count}'
    for reason, count in raw["observed"].items():
        yield f'orders_observed_total{{reason="{reason}"}} {count}'
    for each in raw["break_counts"]:
        label = f'class="{each["class"]}"'
        yield f"reconciliation_breaks_open{{{label}}} {each['lasting']}"
        yield f"reconciliation_breaks_total{{{label}}} {each['opened']}"


def _scope_metrics(scope: Status) -> Iterator[str]:
    label = f'scope="{scope["name"]}"'
    for metric, field in _SCOPE_METRICS.items():
        yield f"{metric}{{{label}}} {scope[field]}"


def stage_metrics(raw: Status) -> bytes:
    """Prometheus text of a stage that follows the journal."""
    if not raw:
        return b""
    label = f'{{stage="{raw["name"]}"}}'
    counts = ("entries", "orders_sent", "orders_unsent", "orders_differing", "orders_expired")
    lines = [f"stage_{name}_total{label} {raw[name]}" for name in counts]
    if raw["heard_age_ns"] is not None:
        lines.append(f"stage_silence_seconds{label} {raw['heard_age_ns'] / 1e9}")
    name = "stage_step_microseconds"
    lines.extend(_histogram(name, label.strip("{}"), raw["step"], unit_ns=1_000))
    return ("\n".join(lines) + "\n").encode()


def _hop_metrics(stage: Status) -> Iterator[str]:
    """What the execution process knows of the way of an order through the stages."""
    label = f'{{stage="{stage["name"]}"}}'
    for name in ("orders_differing", "orders_expired"):
        yield f"stage_{name}_total{label} {stage[name]}"
    for name, hop in stage["hops"]:
        yield from _histogram("stage_hop_microseconds", f'hop="{name}"', hop, unit_ns=1_000)


def _venue_metrics(venue: Status, *, is_active: bool, since_ns: int) -> Iterator[str]:
    label = f'venue="{venue["name"]}"'
    yield from _feed_metrics(venue, label, since_ns=since_ns)
    if venue["is_data_only"]:
        return
    values: dict[str, float] = {
        "engine_active_venue": int(is_active),
        "venue_reconciled": int(venue["is_reconciled"]),
        "venue_request_weight": venue["used_weight"],
        "venue_timestamps_refused_total": venue["timestamps_refused"],
        "orders_submitted_total": venue["submitted"],
        "orders_acknowledged_total": venue["acknowledged"],
        "orders_filled_total": venue["filled"],
        "orders_rejected_total": venue["rejected"],
        "orders_open": venue["orders_open"],
        "orders_unknown": venue["orders_unknown"],
        "circuit_breaker_state": _BREAKER_STATES[venue["breaker"]],
        "circuit_breaker_trips_total": venue["breaker_trips"],
    }
    for name, value in values.items():
        yield f"{name}{{{label}}} {value}"
    for outcome, count in venue["requests"].items():
        yield f'order_requests_total{{{label},outcome="{outcome}"}} {count}'
    for reflex, count in venue["reflexes"].items():
        yield f'reflex_total{{{label},reflex="{reflex}"}} {count}'
    name = "order_placement_latency_milliseconds"
    yield from _histogram(name, label, venue["placement"], unit_ns=1_000_000)


def _feed_metrics(venue: Status, label: str, *, since_ns: int) -> Iterator[str]:
    """What is known of the market data.

    A venue that is only looked at has other names for what the healing plane acts upon: nothing is
    at stake there, and it may be quiet for seconds.
    """
    frames, age = ("venue_frames_total", "venue_feed_age_seconds")
    if venue["is_data_only"]:
        frames, age = ("data_venue_frames_total", "data_venue_feed_age_seconds")
    values: dict[str, float] = {
        "venue_state": _VENUE_STATES[venue["state"]],
        "venue_health": _HEALTH[venue["health"]],
        "venue_gaps_total": venue["gaps"],
        "venue_resyncs_total": venue["resyncs"],
        "venue_malformed_total": venue["malformed"],
        frames: venue["frames"],
    }
    if venue["feed_age_ns"] is not None:
        # The status may be a tenth of a second old; the feed has aged since.
        values[age] = (venue["feed_age_ns"] + since_ns) / 1e9
    if venue["clock_offset_ns"] is not None:
        values["venue_clock_offset_seconds"] = venue["clock_offset_ns"] / 1e9
    for name, value in values.items():
        yield f"{name}{{{label}}} {value}"
    for reason in venue["reasons"]:
        yield f'venue_health_reason{{{label},reason="{reason}"}} 1'


def _histogram(name: str, label: str, latency: Status, *, unit_ns: int) -> Iterator[str]:
    comma = f"{label}," if label else ""
    for bound_ns, count in latency["up_to"]:
        yield f'{name}_bucket{{{comma}le="{bound_ns / unit_ns:g}"}} {count}'
    yield f'{name}_bucket{{{comma}le="+Inf"}} {latency["count"]}'
    braces = f"{{{label}}}" if label else ""
    yield f"{name}_sum{braces} {latency['sum_ns'] / unit_ns}"
    yield f"{name}_count{braces} {latency['count']}"
