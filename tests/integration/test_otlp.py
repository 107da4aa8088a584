"""The unmodified OpenTelemetry SDK over gRPC and HTTP, and those who misuse the receiver."""

import gzip
import http.client
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as RpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as RpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as RpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as WebLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as WebMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as WebSpans
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode
from prunella.cli.clock import SystemClock
from prunella.errors import UsageError
from prunella.telemetry import Reading
from prunella.telemetry.otlp import BODY_BYTES_MAX, OtlpReceiver, RpcDoor, WebDoor
from prunella.telemetry.settings import OtlpSettings

TOKEN = "otlp-5ecret"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
Way = Literal["grpc", "http"]


class Doors(NamedTuple):
    """A receiver with both doors open."""

    receiver: OtlpReceiver
    rpc: int
    web: int

    def readings(self) -> dict[tuple[str, str], list[Reading]]:
        """What has come since the last look, by entity and metric."""
        found: dict[tuple[str, str], list[Reading]] = {}
        for batch in self.receiver.readings():
            for each in batch.items:
                found.setdefault((each.entity, each.metric), []).append(each)
        return found


@pytest.fixture
def doors() -> Iterator[Doors]:
    """An open receiver."""
    receiver = OtlpReceiver(
        OtlpSettings(domain="http", services={"shop": "io"}),
        reserved={"engine"},
        token=TOKEN,
        clock=SystemClock(),
    )
    rpc, web = RpcDoor(receiver, 0), WebDoor(receiver, 0)
    rpc.start()
    web.start()
    yield Doors(receiver, rpc.port, web.port)
    rpc.close()
    web.close()


@contextmanager
def metered(doors: Doors, way: Way, service: str = "shop") -> Iterator[MeterProvider]:
    """The SDK's meters, exporting when told to."""
    exporter = (
        RpcMetrics(f"http://127.0.0.1:{doors.rpc}", insecure=True, headers=HEADERS)
        if way == "grpc"
        else WebMetrics(f"http://127.0.0.1:{doors.web}/v1/metrics", headers=HEADERS)
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource=Resource({"service.name": service}))
    yield provider
    provider.shutdown()


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_metrics_of_the_sdk_arrive_with_names_units_and_labels(doors: Doors, way: Way) -> None:
    """Counter, gauge and histogram of an SDK that knows nothing of us."""
    with metered(doors, way) as provider:
        meter = provider.get_meter("tests")
        orders = meter.create_counter("shop.orders")
        orders.add(2, {"side": "buy"})
        orders.add(3, {"side": "buy"})
        meter.create_gauge("queue.depth").set(7.5)
        meter.create_histogram("wait", unit="s").record(0.25, {"step": "pay"})
        assert provider.force_flush()
        found = doors.readings()
        (bought,) = found["shop", "shop_orders_total"]
        assert (bought.value, bought.labels["side"]) == (5.0, "buy")
        assert abs(bought.ts_event_ns - bought.ts_init_ns) < 60_000_000_000
        assert [each.value for each in found["shop", "queue_depth"]] == [7.5]
        assert [each.value for each in found["shop", "wait_seconds_sum"]] == [0.25]
        assert [each.value for each in found["shop", "wait_seconds_count"]] == [1.0]
        orders.add(1, {"side": "buy"})
        assert provider.force_flush()
        assert [each.value for each in doors.readings()["shop", "shop_orders_total"]] == [6.0]


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_logs_and_spans_of_the_sdk_are_counted(doors: Doors, way: Way) -> None:
    """Records by severity, spans by name with their time and their errors."""
    resource = Resource({"service.name": "shop"})
    rpc, web = f"http://127.0.0.1:{doors.rpc}", f"http://127.0.0.1:{doors.web}"
    logs = LoggerProvider(resource=resource)
    spans = TracerProvider(resource=resource)
    if way == "grpc":
        logs.add_log_record_processor(
            SimpleLogRecordProcessor(RpcLogs(rpc, insecure=True, headers=HEADERS))
        )
        spans.add_span_processor(SimpleSpanProcessor(RpcSpans(rpc, insecure=True, headers=HEADERS)))
    else:
        logs.add_log_record_processor(
            SimpleLogRecordProcessor(WebLogs(f"{web}/v1/logs", headers=HEADERS))
        )
        spans.add_span_processor(SimpleSpanProcessor(WebSpans(f"{web}/v1/traces", headers=HEADERS)))
    logger = logging.getLogger(f"tests.otlp.{way}")
    logger.addHandler(LoggingHandler(logger_provider=logs))
    logger.error("payment %d failed", 17)
    logger.warning("slow")
    with spans.get_tracer("tests").start_as_current_span("checkout") as span:
        span.set_status(StatusCode.ERROR)
    logs.shutdown()
    spans.shutdown()
    found = doors.readings()
    lines = {each.labels["severity"]: each.value for each in found["shop", "log_lines_total"]}
    assert lines == {"error": 1.0, "warn": 1.0}
    (errors,) = found["shop", "span_errors_total"]
    assert (errors.value, errors.labels["span"]) == (1.0, "checkout")
    assert found["shop", "span_duration_seconds_sum"][0].value > 0


def test_series_go_to_the_domain_that_is_set_and_never_speak_for_our_own(doors: Doors) -> None:
    """A catalogue's metric keeps its domain; the rest follows the service."""
    for service in ("shop", "other", "engine", "host", "pid:1"):
        with metered(doors, "http", service) as provider:
            provider.get_meter("t").create_gauge("depth").set(1)
            provider.get_meter("t").create_gauge("host_cpu_ratio").set(1)
            assert provider.force_flush()
    seen = {
        (each.entity, each.metric, batch.domain)
        for batch in doors.receiver.readings()
        for each in batch.items
    }
    assert ("shop", "depth", "io") in seen
    assert ("other", "depth", "http") in seen
    assert ("other", "host_cpu_ratio", "cpu") in seen
    entities = {entity for entity, _, _ in seen}
    assert entities == {"shop", "other", "otlp:engine", "otlp:host", "otlp:pid:1"}


def call(doors: Doors, body: bytes, *, token: str = TOKEN) -> bytes:
    """One gRPC export call of metrics with any bytes."""
    with grpc.insecure_channel(f"127.0.0.1:{doors.rpc}") as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        )
        answer: bytes = export(body, metadata=[("authorization", f"Bearer {token}")], timeout=10)
        return answer


@pytest.mark.parametrize(
    ("body", "token", "code"),
    [
        (b"", "wrong", grpc.StatusCode.UNAUTHENTICATED),
        (b"\xff\xff\xff", TOKEN, grpc.StatusCode.INVALID_ARGUMENT),
        (bytes(BODY_BYTES_MAX + 1), TOKEN, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["stranger", "malformed", "too large"],
)
def test_misuse_over_grpc_is_refused_and_the_door_stays_open(
    doors: Doors, body: bytes, token: str, code: grpc.StatusCode
) -> None:
    """Each with the status that tells a sender whether to try again."""
    with pytest.raises(grpc.RpcError) as caught:
        call(doors, body, token=token)
    assert caught.value.code() == code
    assert call(doors, b"") == b""


BOMB = gzip.compress(bytes(BODY_BYTES_MAX + 1))
GOOD = {**HEADERS, "Content-Type": "application/x-protobuf"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/metrics", {"Content-Type": "application/x-protobuf"}, b"", 401),
        ("POST", "/v1/metrics", GOOD, b"\xff\xff", 400),
        ("POST", "/v1/metrics", {**GOOD, "Content-Encoding": "gzip"}, b"no gzip", 400),
        ("POST", "/v1/metrics", {**GOOD, "Content-Encoding": "gzip"}, BOMB, 413),
        ("POST", "/v1/metrics", {**GOOD, "Content-Encoding": "br"}, b"", 415),
        ("POST", "/v1/metrics", {**HEADERS, "Content-Type": "application/json"}, b"{}", 415),
        ("POST", "/v1/metrics", {**GOOD, "Content-Length": str(1 << 40)}, b"", 413),
        ("POST", "/v1/profiles", GOOD, b"", 404),
        ("GET", "/v1/metrics", GOOD, b"", 501),
    ],
)
def test_misuse_over_http_is_refused_in_a_sentence(
    doors: Doors, *, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """No body beyond the bound is read or unpacked, and the next request is served."""
    for expected in (status, 200):
        connection = http.client.HTTPConnection("127.0.0.1", doors.web, timeout=10)
        if expected == 200:
            connection.request("POST", "/v1/metrics", b"", GOOD)
        else:
            connection.request(method, path, body, headers)
        response = connection.getresponse()
        assert response.status == expected
        said = response.read()
        assert expected == 200 or len(said) > 5
        connection.close()


def test_many_series_come_in_batches_that_the_bus_carries(doors: Doors) -> None:
    """No batch is longer than a message of the bus may be."""
    with metered(doors, "grpc") as provider:
        gauge = provider.get_meter("t").create_gauge("flood")
        for number in range(1500):
            gauge.set(1, {"id": str(number)})
        assert provider.force_flush()
    batches = doors.receiver.readings()
    assert [len(batch.items) for batch in batches if batch.domain == "io"][:2] == [1000, 500]
    assert b"otlp_series 1500\n" in doors.receiver.metrics()


def test_points_without_room_are_told_to_the_sender_as_refused() -> None:
    """Beyond the bound the answer is a partial success with their number, as the schema has it."""
    receiver = OtlpReceiver(
        OtlpSettings(), reserved=(), token=TOKEN, clock=SystemClock(), series_max=10
    )
    door = RpcDoor(receiver, 0)
    door.start()
    doors = Doors(receiver, door.port, 0)
    sent = MetricsData(
        resource_metrics=[
            ResourceMetrics(
                scope_metrics=[
                    ScopeMetrics(
                        metrics=[
                            Metric(
                                name=f"m{number}",
                                gauge=Gauge(data_points=[NumberDataPoint(as_int=number)]),
                            )
                            for number in range(310)
                        ]
                    )
                ]
            )
        ]
    )
    answer = ExportMetricsServiceResponse.FromString(call(doors, sent.SerializeToString()))
    door.close()
    assert answer.partial_success.rejected_data_points == 300
    assert "no room" in answer.partial_success.error_message
    assert (receiver.taken, receiver.refused) == (10, 300)
    found = doors.readings()
    assert [each.value for each in found["unknown_service", "m9"]] == [9.0]


def test_port_that_is_taken_is_told_with_its_setting(doors: Doors) -> None:
    """Which port, and which key to set."""
    for door, port, key in ((RpcDoor, doors.rpc, "grpc_port"), (WebDoor, doors.web, "http_port")):
        with pytest.raises(UsageError, match=rf"{port}.*{key}"):
            door(doors.receiver, port)
