"""OTLP over HTTP: POST of protobuf, plain or gzip, in; answers out; on loopback, with a token."""

import threading
import zlib
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prunella.errors import UsageError
from prunella.telemetry.otlp.receiver import BODY_BYTES_MAX, OtlpReceiver, Signal

_PATHS: dict[str, Signal] = {
    "/v1/metrics": "metrics",
    "/v1/logs": "logs",
    "/v1/traces": "traces",
}
_PROTOBUF = "application/x-protobuf"
_IDLE_S = 30.0
_CONNECTIONS_MAX = 32
_GZIP = 16 + zlib.MAX_WBITS


class _Refused(Exception):  # noqa: N818  it is an answer
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class WebDoor:
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
        try:
            self._server = _Server(receiver, port)
        except OSError as error:
            raise UsageError(
                f"cannot listen on 127.0.0.1:{port}: {error.strerror}; stop what listens there, or "
                "set another `http_port` under [telemetry.otlp] in settings.toml"
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="otlp-http", daemon=True
        )

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def close(self) -> None:
        """Takes no further requests."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, receiver: OtlpReceiver, port: int) -> None:
        self.receiver = receiver
        self._room = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Gives the connection a thread, if there is room; else it is closed at once."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serves one connection."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that goes away in mid-sentence is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    server: _Server

    def do_POST(self) -> None:
        """Takes one export request."""
        try:
            body = self._take()
        except _Refused as refused:
            # The body was perhaps not read: what follows on this connection is not a request.
            self.close_connection = True
            self._answer(refused.status, f"{refused}\n".encode(), "text/plain; charset=utf-8")
            return
        self._answer(HTTPStatus.OK, body, _PROTOBUF)

    def log_message(self, *_: object) -> None:
        """Says nothing; the receiver counts."""

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _take(self) -> bytes:
        receiver, headers = self.server.receiver, self.headers
        if not receiver.is_known(headers.get("Authorization", "")):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "needs `Authorization: Bearer TOKEN`")
        signal = _PATHS.get(self.path)
        if signal is None:
            raise _Refused(HTTPStatus.NOT_FOUND, f"expected one of {', '.join(_PATHS)}")
        kind = headers.get_content_type()
        if kind != _PROTOBUF:
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"expected Content-Type {_PROTOBUF}, found {kind!r}; with most SDKs: "
                "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            )
        request = self._body()
        try:
            return receiver.take(signal, request)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, f"no export of {signal}: {error}") from None

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "needs Content-Length")
        if int(length) > BODY_BYTES_MAX:
            raise _too_large()
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST, "the body ended early")
        match self.headers.get("Content-Encoding", "identity"):
            case "identity":
                return body
            case "gzip":
                return _unpacked(body)
            case other:
                raise _Refused(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    f"expected Content-Encoding gzip or none, found {other!r}",
                )


def _unpacked(body: bytes) -> bytes:
    """The content of gzip, as far as it is within the bound."""
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(body, BODY_BYTES_MAX + 1)
    except zlib.error as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"no gzip: {error}") from None
    if len(content) > BODY_BYTES_MAX:
        raise _too_large()
    if not stream.eof:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the gzip stream ends early")
    return content


def _too_large() -> _Refused:
    return _Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {BODY_BYTES_MAX} bytes at most"
    )
