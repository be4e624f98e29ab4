"""Telemetry of a service: spans and log lines as OTLP/JSON, metrics for Prometheus to scrape.

Spans and log records are appended to spool files, one OTLP request a line, the form of the
OpenTelemetry file exporter. Names follow the OpenTelemetry semantic conventions 1.29.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import orjson
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.util.types import AttributeValue

# A spool is started afresh at this size; one older piece is kept, enough for half an hour of load.
SPOOL_BYTES = 64 * 2**20
FLUSH_S = 1.0
POST_TIMEOUT_S = 2.0
JSON_BODY = {"content-type": "application/json"}

# OpenTelemetry severity numbers of Python's levels.
SEVERITY = {
    10: (5, "DEBUG"),
    20: (9, "INFO"),
    30: (13, "WARN"),
    40: (17, "ERROR"),
    50: (21, "FATAL"),
}


class Spool:
    """A file of JSON lines that rolls over once it is large; also posted to `address`, if any."""

    def __init__(self, path: Path, address: str = "") -> None:
        self._path = path
        self._address = address
        self._client = httpx.Client(timeout=POST_TIMEOUT_S)
        self._file = path.open("ab")
        if self._file.tell():
            self._file.write(b"\n")  # an earlier life may have been killed inside its last line

    def append(self, value: object) -> None:
        """Write one line, whole."""
        line = orjson.dumps(value)
        self._file.write(line + b"\n")
        self._file.flush()
        if self._file.tell() > SPOOL_BYTES:
            self._file.close()
            self._path.replace(self._path.with_suffix(self._path.suffix + ".1"))
            self._file = self._path.open("ab")
        if self._address:
            # A receiver that is away must not harm the shop; the file has it all.
            with suppress(httpx.HTTPError):
                self._client.post(self._address, content=line, headers=JSON_BODY)


class SpanLines(SpanExporter):
    """Writes finished spans as OTLP/JSON lines."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append one request with all these spans; they share this process's resource."""
        if spans:
            self._spool.append(
                {
                    "resourceSpans": [
                        {
                            "resource": {"attributes": attributes(spans[0].resource.attributes)},
                            "scopeSpans": [
                                {
                                    "scope": {"name": "opsmith_lab.shop"},
                                    "spans": [_span(span) for span in spans],
                                }
                            ],
                        }
                    ]
                }
            )
        return SpanExportResult.SUCCESS


class LogLines(logging.Handler):
    """Keeps log records and writes them once a second as OTLP/JSON lines."""

    def __init__(self, spool: Spool, resource: Resource) -> None:
        super().__init__()
        self._spool = spool
        self._resource = attributes(resource.attributes)
        self._waiting: list[dict[str, object]] = []
        atexit.register(self.flush)
        threading.Thread(target=self._flush_now_and_then, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, with the ids of the span it was written in."""
        number, text = SEVERITY.get(record.levelno, (9, "INFO"))
        line: dict[str, object] = {
            "timeUnixNano": str(int(record.created * 1e9)),
            "severityNumber": number,
            "severityText": text,
            "body": {"stringValue": record.getMessage()},
            "attributes": attributes(
                {
                    "logger.name": record.name,
                    "code.file.path": f"shop/{record.filename}",
                    "code.function.name": record.funcName,
                    "code.line.number": record.lineno,
                    **_exception(record),
                }
            ),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["traceId"] = f"{context.trace_id:032x}"
            line["spanId"] = f"{context.span_id:016x}"
        self._waiting.append(line)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            scope = {"scope": {"name": "opsmith_lab.shop"}, "logRecords": waiting}
            resource = {"attributes": self._resource}
            self._spool.append({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})

    def _flush_now_and_then(self) -> None:
        while True:
            time.sleep(FLUSH_S)
            self.flush()


def start(
    *, service: str, version: str, spool: Path, otlp: str
) -> tuple[trace.Tracer, logging.Logger]:
    """Set up spans and logs of this process; `otlp` is a further OTLP/HTTP address, or empty."""
    resource = Resource(
        {
            "service.name": service,
            "service.version": version,
            "service.namespace": "shop",
            "service.instance.id": f"{service}-0",
            "host.name": "lab-host",
        }
    )
    provider = TracerProvider(resource=resource)
    base = otlp.rstrip("/")
    spans = Spool(spool / f"traces-{service}.jsonl", f"{base}/v1/traces" if base else "")
    lines = Spool(spool / f"logs-{service}.jsonl", f"{base}/v1/logs" if base else "")
    provider.add_span_processor(BatchSpanProcessor(SpanLines(spans), schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    # What the poster itself would say of each request belongs to nobody's log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logger = logging.getLogger(f"shop.{service}")
    logger.setLevel(logging.INFO)
    logger.addHandler(LogLines(lines, resource))
    return provider.get_tracer("opsmith_lab.shop"), logger


def flush(logger: logging.Logger) -> None:
    """Write what waits: for a process that is about to end without an orderly shutdown."""
    for handler in logger.handlers:
        handler.flush()
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(1000)


def attributes(pairs: Mapping[str, AttributeValue]) -> list[dict[str, object]]:
    """Attributes in OTLP/JSON: a list of keys with typed values."""
    return [{"key": key, "value": _value(value)} for key, value in pairs.items()]


def _value(value: AttributeValue) -> dict[str, object]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}


def _span(span: ReadableSpan) -> dict[str, object]:
    context = span.context
    line: dict[str, object] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        # The SDK counts span kinds from 0 (INTERNAL); OTLP keeps 0 for "unspecified".
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": attributes(span.attributes or {}),
        "status": {"code": span.status.status_code.value},
    }
    if span.parent is not None:
        line["parentSpanId"] = f"{span.parent.span_id:016x}"
    if span.events:
        line["events"] = [
            {
                "timeUnixNano": str(event.timestamp),
                "name": event.name,
                "attributes": attributes(event.attributes or {}),
            }
            for event in span.events
        ]
    return line


def _exception(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    return {"exception.type": type(error).__name__, "exception.message": str(error)}
