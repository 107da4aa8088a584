"""OTLP over gRPC: export calls in, answers out; on loopback, with a bearer token."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from prunella.errors import UsageError
from prunella.telemetry.otlp.receiver import BODY_BYTES_MAX, OtlpReceiver, Signal

_PACKAGE = "opentelemetry.proto.collector"
_SERVICES: dict[str, Signal] = {
    f"{_PACKAGE}.metrics.v1.MetricsService": "metrics",
    f"{_PACKAGE}.logs.v1.LogsService": "logs",
    f"{_PACKAGE}.trace.v1.TraceService": "traces",
}
_THREADS = 2
"""The walk is one at a time; a second thread reads the next call meanwhile."""
_CALLS_MAX = 64
"""Calls under way; further ones are refused with RESOURCE_EXHAUSTED, which senders repeat later."""
_CLOSE_S = 1.0


class RpcDoor:
    """Serves from `start` until closed.

    Args:
        receiver: Who takes the requests.
        port: On 127.0.0.1; 0 takes a free one.

    Attributes:
        port: Where it listens.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, receiver: OtlpReceiver, port: int) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp"),
            options=[
                ("grpc.max_receive_message_length", BODY_BYTES_MAX),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=_CALLS_MAX,
        )
        for name, signal in _SERVICES.items():
            # Requests stay bytes: the walk is ours, and no message objects are made.
            method = grpc.unary_unary_rpc_method_handler(_export(receiver, signal))
            handler = grpc.method_handlers_generic_handler(name, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))
        try:
            self.port: int = self._server.add_insecure_port(f"127.0.0.1:{port}")
        except RuntimeError:
            raise UsageError(
                f"cannot listen on 127.0.0.1:{port}; stop what listens there, or set another "
                "`grpc_port` under [telemetry.otlp] in settings.toml"
            ) from None

    def start(self) -> None:
        """Answers from now on."""
        self._server.start()

    def close(self) -> None:
        """Finishes the calls that are under way."""
        self._server.stop(_CLOSE_S).wait()


def _export(receiver: OtlpReceiver, signal: Signal) -> Callable[[bytes, Any], bytes]:
    def export(request: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        if not receiver.is_known(str(metadata.get("authorization", ""))):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "needs `authorization: Bearer TOKEN`")
        try:
            return receiver.take(signal, request)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no export of {signal}: {error}")
            raise  # never reached: abort raises

    return export
