"""The process `otlp`, wired: what other programs send in, readings on the bus out until stopped."""

import signal
import threading

from prunella.bus import Bus
from prunella.cli.context import Context
from prunella.cli.telemetry_service import publisher
from prunella.control.tokens import load_token
from prunella.telemetry.otlp import OtlpReceiver, RpcDoor, WebDoor
from prunella.telemetry.serve import Pages, StatusServer

_ROUND_S = 0.2
"""Senders report every second or less often; within a round the last value of a series counts."""


def otlp(context: Context, bus: Bus) -> None:
    """Receives what other programs send and publishes what has changed, until told to stop."""
    settings = context.settings.telemetry.otlp
    receiver = OtlpReceiver(
        settings,
        reserved=frozenset(context.settings.components()),
        token=load_token(context.home.key("otlp.token")),
        clock=context.clock,
    )
    doors: list[RpcDoor | WebDoor] = []
    if settings.grpc_port:
        doors.append(RpcDoor(receiver, settings.grpc_port))
    if settings.http_port:
        doors.append(WebDoor(receiver, settings.http_port))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pages = StatusServer(
        context.port,
        token=context.read_token,
        pages=Pages(ready=lambda: "", metrics=receiver.metrics, status=dict),
    )
    for each in (pages, *doors):
        each.start()
    publish = publisher(bus, context.clock)
    while not stop.wait(_ROUND_S):
        for readings in receiver.readings():
            publish(readings)
    for door in (*doors, pages):
        door.close()
    bus.close()
