"""`prunella watch` and `prunella flow`: a running engine's monitor in, a picture or JSON out."""

import contextlib
from collections.abc import Iterator

from google.protobuf import json_format
from rich.console import Console
from rich.live import Live
from rich.table import Table

from prunella.cli.dashboard import Dashboard
from prunella.cli.flow import OrderFlow
from prunella.cli.output import print_json
from prunella.control.curve import load_curve_pair
from prunella.trading.runtime.monitor_pb2 import Event
from prunella.trading.runtime.subscriber import Subscriber
from prunella.values import Home

FRAMES_PER_SECOND = 5


def subscribe(home: Home, *topics: str) -> Subscriber:
    """A subscription to the stack's monitor.

    Raises:
        AuthenticationError: The operator's key is missing.
    """
    return Subscriber(
        home.socket("monitor"),
        client=load_curve_pair(home.key("operator.curve")),
        server=load_curve_pair(home.key("engine.curve")).public,
        topics=topics,
    )


def watch_stack(home: Home, console: Console, *, json_output: bool, seconds: float) -> None:
    """Shows the dashboard (or every event as a line of JSON) until interrupted, or for a while."""
    with subscribe(home) as subscriber, contextlib.suppress(KeyboardInterrupt):
        if json_output:
            for event in _for(subscriber, seconds):
                print_json(json_format.MessageToDict(event, preserving_proto_field_name=True))
            return
        dashboard = Dashboard()
        with Live(dashboard, console=console, refresh_per_second=FRAMES_PER_SECOND, screen=True):
            for event in _for(subscriber, seconds):
                dashboard.take(event)
                dashboard.lost = subscriber.lost


def track_flow(home: Home, console: Console, *, json_output: bool, seconds: float) -> None:
    """Follows our orders until interrupted, or for a while; then tells what became of them."""
    flow = OrderFlow()
    with subscribe(home) as subscriber, contextlib.suppress(KeyboardInterrupt):
        if json_output:
            for event in _for(subscriber, seconds):
                flow.take(event)
        else:
            with Live(console=console, refresh_per_second=FRAMES_PER_SECOND) as live:
                for event in _for(subscriber, seconds):
                    flow.take(event)
                    live.update(flow_table(flow))
    if json_output:
        print_json(flow.figures())


def flow_table(flow: OrderFlow) -> Table:
    """The flow by venue, and the latest of it."""
    table = Table(title="order flow", caption="\n".join(flow.latest), caption_justify="left")
    names = {
        "sent": "sent",
        "sent_per_second": "a second",
        "accepted": "accepted",
        "filled": "filled",
        "canceled": "cancelled",
        "rejected": "rejected",
        "unknown": "unknown",
        "fill_ratio": "fill ratio",
        "bought": "bought",
        "sold": "sold",
        "acknowledged_ms_p50": "ack p50 ms",
        "acknowledged_ms_p99": "ack p99 ms",
    }
    table.add_column("venue")
    for title in (*names.values(), "denied by us"):
        table.add_column(title, justify="right")
    for venue, figures in flow.figures().items():
        denied = ", ".join(f"{reason} {count}" for reason, count in figures["denied"].items())
        cells = ["–" if figures[name] is None else f"{figures[name]:g}" for name in names]
        table.add_row(venue, *cells, denied or "–")
    return table


def _for(subscriber: Subscriber, seconds: float) -> Iterator[Event]:
    """The events of so many seconds of the engine's time; all for zero."""
    first_ns = 0
    for event in subscriber.events():
        first_ns = first_ns or event.ts_ns
        if seconds and event.ts_ns - first_ns > seconds * 1e9:
            return
        yield event
