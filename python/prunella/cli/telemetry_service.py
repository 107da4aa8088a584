"""The process `watch`, wired: settings and two ways to the bus in, readings out until stopped."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from prunella.bridge import Supervisor
from prunella.bus import Bus, Topic
from prunella.cli.context import Context
from prunella.config import FOLLOWERS
from prunella.detect import Templates
from prunella.errors import ConfigError
from prunella.healing.incident import replicated
from prunella.telemetry import DOMAINS, Readings
from prunella.telemetry.logs import LogTail
from prunella.telemetry.processes import Components, ProcessCollector
from prunella.telemetry.recording import Recorder, TelemetryWriter
from prunella.telemetry.resources import ResourceCollector
from prunella.telemetry.scrape import ForeignTarget, Target
from prunella.telemetry.serve import Pages, StatusServer
from prunella.telemetry.watch import Watch
from prunella.values import Clock

_MB = 1_000_000


def publisher(bus: Bus, clock: Clock) -> Callable[[Readings], None]:
    """What publishes readings under their own topic."""
    encoder = msgspec.msgpack.Encoder()

    def publish(readings: Readings) -> None:
        bus.publish(
            str(Topic(domain=readings.domain, source=readings.source)),
            encoder.encode(readings),
            kind="readings",
            now_ns=clock.now_ns(),
        )

    return publish


def replicas_of(supervisor: Supervisor) -> Callable[[], tuple[str, ...]]:
    """What gives the agents' further replicas; the configuration is read when it has changed."""
    known: dict[int, tuple[str, ...]] = {}

    def replicas() -> tuple[str, ...]:
        version = supervisor.version()
        if version not in known:
            known.clear()
            names = supervisor.programs()
            known[version] = tuple(each for each in names if replicated(each) != each)
        return known[version]

    return replicas


def watch(context: Context, bus: Bus, recorder_bus: Bus) -> None:
    """Collects from the host, our processes and their pages, and records what agents can see."""
    ports, publish = context.settings.ports(), publisher(bus, context.clock)
    components = (
        context.settings.components(),
        context.home.root / "supervisord.pid",
        replicas_of(Supervisor(context.home)),
    )
    collecting = Watch(
        processes=ProcessCollector(Components(*components), hot_threads={"engine": ("hot", "hot")}),
        resources=ResourceCollector(Components(*components)),
        folders=(Path("/"), context.home.root),
        targets=[
            Target(name, ports[name], context.read_token)
            for name in ("engine", "exchange-primary", "exchange-backup", *FOLLOWERS)
            if name in ports
        ]
        + foreign_targets(context),
        publish=publish,
        clock=context.clock,
    )
    logs = [
        LogTail(
            name,
            context.home.root / log.path,
            log.domain,
            templates=Templates().update,
            publish=publish,
            clock=context.clock,
        )
        for name, log in context.settings.telemetry.logs.items()
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: collecting.stop())
    with recording(context, recorder_bus) as figures:
        pages = StatusServer(
            context.port,
            token=context.read_token,
            pages=Pages(
                ready=lambda: "",
                metrics=lambda: collecting.metrics() + figures(),
                status=collecting.status,
            ),
        )
        serving: list[StatusServer | LogTail] = [pages, *logs]
        for each in serving:
            each.start()
        collecting.run()
        for each in serving:
            each.close()
    bus.close()


def foreign_targets(context: Context) -> list[Target]:
    """The pages of others that the settings name.

    Raises:
        ConfigError: A token file cannot be read.
    """
    targets: list[Target] = []
    for name, each in context.settings.telemetry.scrape.items():
        token = ""
        if each.token_file:
            path = context.home.root / each.token_file
            try:
                token = path.read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"[telemetry.scrape.{name}]: cannot read token_file {path}: {error}"
                ) from None
        targets.append(ForeignTarget(name, each, token))
    return targets


@contextmanager
def recording(context: Context, bus: Bus) -> Iterator[Callable[[], bytes]]:
    """Records meanwhile, if there is room for it; gives the figures of that as Prometheus text."""
    if not context.settings.telemetry.recording_mb:
        bus.close()
        yield lambda: b""
        return
    writer = TelemetryWriter(
        context.home.telemetry, bytes_max=context.settings.telemetry.recording_mb * _MB
    )
    inbox = bus.subscribe(*(f"local/{domain}/" for domain in DOMAINS))

    def receive(timeout_s: float) -> bytes | None:
        message = inbox.receive(timeout_s)
        return None if message is None else message.payload

    recorder = Recorder(writer, receive, context.clock, lost=lambda: inbox.lost)
    recorder.start()
    yield recorder.metrics
    recorder.close()
    bus.close()
