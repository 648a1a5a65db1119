"""A receiver of OTLP over HTTP on loopback that keeps what it got, and answers as it is told."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs
import pytest

pytest.importorskip("opentelemetry.proto")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@attrs.define
class Receiver:
    """What came: spans and metrics in the order of their arrival, and the resources that they are of."""

    url: str = ""
    spans: list[Span] = attrs.field(factory=list)
    metrics: list[Metric] = attrs.field(factory=list)
    services: set[str] = attrs.field(factory=set)
    schemas: set[str] = attrs.field(factory=set)
    requests: int = 0
    answers: list[int] = attrs.field(factory=list)
    """Status codes for the next requests; 0 hangs, 1 answers garbage, and 200 comes when none are left."""
    may_go: threading.Event = attrs.field(factory=threading.Event)

    def take(self, path: str, body: bytes) -> None:
        """Keep a request."""
        if path == "/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self._note(of_resource.resource.attributes)
                for scope in of_resource.scope_spans:
                    self.schemas.add(scope.schema_url)
                    self.spans.extend(scope.spans)
        elif path == "/v1/metrics":
            for of_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self._note(of_metrics.resource.attributes)
                for measured in of_metrics.scope_metrics:
                    self.metrics.extend(measured.metrics)

    def distinct(self) -> dict[bytes, Span]:
        """The spans by their ids; what came twice must have come as the same."""
        found: dict[bytes, Span] = {}
        for span in self.spans:
            assert found.setdefault(span.span_id, span) == span
        return found

    def _note(self, attributes: object) -> None:
        for one in attributes:  # type: ignore[attr-defined]  # a repeated field of a generated class
            if one.key == "service.name":
                self.services.add(one.value.string_value)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests += 1
            answer = receiver.answers.pop(0) if receiver.answers else 200
            if answer == 0:
                receiver.may_go.wait(30)
            if answer == 1:
                self.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n")
                return
            if answer == 200:
                receiver.take(self.path, gzip.decompress(body) if "gzip" in self.headers.values() else body)
            self.send_response(answer or 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        receiver.may_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def attribute(span: Span, name: str) -> object:
    """An attribute of a span, or None."""
    for one in span.attributes:
        if one.key == name:
            kind = one.value.WhichOneof("value")
            return getattr(one.value, kind) if kind else None
    return None
