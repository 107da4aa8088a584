"""What other programs send by OpenTelemetry's protocol (OTLP) in; readings by domain out.

Over gRPC (`rpc.py`) or HTTP (`web.py`), by any SDK or collector, unmodified; metrics, logs and
traces. A point becomes the last value of its series, a log record is counted by severity and
reduced to its template, a span adds to the time and the errors of its name.
"""

from prunella.telemetry.otlp.receiver import BODY_BYTES_MAX, OtlpReceiver
from prunella.telemetry.otlp.rpc import RpcDoor
from prunella.telemetry.otlp.web import WebDoor

__all__ = ["BODY_BYTES_MAX", "OtlpReceiver", "RpcDoor", "WebDoor"]
