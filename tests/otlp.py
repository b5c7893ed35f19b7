"""A receiver of OTLP over HTTP, which decodes what arrives with OpenTelemetry's own schema."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.server
import json
import threading
from collections.abc import Generator
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_IDS = ('traceId', 'spanId', 'parentSpanId')


@dataclasses.dataclass(frozen=True)
class Span:
    """One span, as it arrived."""

    trace: str
    id: str
    parent: str
    name: str
    start: int
    end: int
    attributes: dict[str, str | int]
    events: tuple[str, ...]
    """Their messages."""
    failed: bool


class Receiver:
    """What has arrived so far; it may be told to refuse."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str | int]] = []
        self.requests = 0
        self.raw = b''
        self.refuses = False
        self.url = ''

    @property
    def traces(self) -> set[str]:
        """Ids of all traces."""
        return {span.trace for span in self.spans}

    @property
    def distinct(self) -> dict[str, Span]:
        """Each span once, by its id, as a receiver keeps them."""
        return {span.id: span for span in self.spans}

    def take(self, body: bytes) -> None:
        """Decode a request.

        Raises:
            json_format.ParseError: it is none.
        """
        self.requests += 1
        self.raw += body
        # OTLP writes ids in hexadecimal digits; other bytes are base64 in JSON.
        document: Any = json.loads(body, object_pairs_hook=_with_ids)
        request = trace_service_pb2.ExportTraceServiceRequest()
        json_format.ParseDict(document, request)
        for resource in request.resource_spans:
            self.resources.append(_attributes(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += [_span(span) for span in scope.spans]


def _with_ids(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in _IDS else value
        for key, value in pairs
    }


def _attributes(found: Any) -> dict[str, str | int]:
    return {each.key: getattr(each.value, each.value.WhichOneof('value')) for each in found}


def _span(span: Any) -> Span:
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.start_time_unix_nano // 10**9,
        span.end_time_unix_nano // 10**9,
        _attributes(span.attributes),
        tuple(_attributes(event.attributes)['exception.message'] for event in span.events),  # type: ignore[misc]
        span.status.code == 2,
    )


@contextlib.contextmanager
def receiving() -> Generator[Receiver]:
    """Receive in here, on loopback."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers['Content-Length']))
            if receiver.refuses or self.path != '/v1/traces':
                self.send_error(503)
                return
            receiver.take(body)
            self.send_response(200)
            self.send_header('Content-Length', '0')
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of requests."""

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        receiver.url = f'http://127.0.0.1:{server.server_address[1]}'
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
