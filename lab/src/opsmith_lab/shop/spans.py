"""spans: how a service marks what it asks of others."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind


def client_span(
    tracer: trace.Tracer, name: str, tags: Mapping[str, str | int]
) -> AbstractContextManager[Span]:
    """A span that an exception marks as failed."""
    return tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=tags, record_exception=False
    )
