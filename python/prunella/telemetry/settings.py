"""`TelemetrySettings`: what is collected besides our own stack, and how much is kept, as set."""

import re

import msgspec

from prunella.telemetry.reading import Domain

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
PORT_MAX = 65_535


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a section of the settings."""


class OtlpSettings(Section, frozen=True):
    """What other programs send by OpenTelemetry's protocol.

    Attributes:
        enabled: Whether anything is received.
        grpc_port: Port on 127.0.0.1 for OTLP over gRPC; 0 for none.
        http_port: Port on 127.0.0.1 for OTLP over HTTP (protobuf); 0 for none.
        domain: Whose agent sees what is received, unless the metric is one of our own catalogue.
        services: The same for single services, by `service.name`.
    """

    enabled: bool = False
    grpc_port: int = 4317
    http_port: int = 4318
    domain: Domain = "execution"
    services: dict[str, Domain] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses ports that are none."""
        for name, port in (("grpc_port", self.grpc_port), ("http_port", self.http_port)):
            if not 0 <= port <= PORT_MAX:
                raise ValueError(f"{name}: expected 0 to {PORT_MAX}, found {port}")
        if self.enabled and self.grpc_port == self.http_port:
            raise ValueError("grpc_port and http_port: expected two ports, found the same twice")


class ScrapeSettings(Section, frozen=True):
    """A page of metrics in Prometheus' format that is read every so often.

    Attributes:
        url: Such as `http://127.0.0.1:9100/metrics`; `https` is checked against the system's roots.
        domain: Whose agent sees what the page says.
        interval_s: How often, in seconds.
        token_file: File with a bearer token; empty for none. A path begins at the home folder.
        metrics: Patterns like `node_disk_*`; only what matches one is read.
    """

    url: str
    domain: Domain
    interval_s: float = 1.0
    token_file: str = ""
    metrics: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        """Refuses what is no address, and a pace that harms the target or us."""
        if not re.match(r"https?://[^/\s]+(/\S*)?$", self.url):
            raise ValueError(f"url: expected http://HOST:PORT/PATH, found {self.url!r}")
        if not 0.1 <= self.interval_s <= 3600:
            raise ValueError(f"interval_s: expected 0.1 to 3600, found {self.interval_s}")


class LogSettings(Section, frozen=True):
    """A log whose lines are reduced to templates and counted.

    Attributes:
        path: The file; a relative path begins at the home folder. It may be rotated.
        domain: Whose agent sees the counts.
    """

    path: str
    domain: Domain


class TelemetrySettings(Section, frozen=True):
    """What is collected besides this stack's own processes, and how much of all is kept.

    Attributes:
        recording_mb: Room for recorded telemetry, in MB (1e6 bytes); 0 records nothing.
        otlp: OpenTelemetry's protocol.
        scrape: Pages of metrics, by a name of your choice.
        logs: Logs, by a name of your choice.
    """

    recording_mb: int = 256
    otlp: OtlpSettings = msgspec.field(default_factory=OtlpSettings)
    scrape: dict[str, ScrapeSettings] = msgspec.field(default_factory=dict)
    logs: dict[str, LogSettings] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses names that cannot stand in a topic, and room for less than anything."""
        for name in (*self.scrape, *self.logs):
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"expected a name of lower-case letters, digits and `.-_`, found {name!r}"
                )
        if self.recording_mb < 0:
            raise ValueError(f"recording_mb: expected 0 or more, found {self.recording_mb}")
