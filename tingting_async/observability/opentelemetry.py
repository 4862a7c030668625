"""OpenTelemetry: a span for each attempt, by the semantic conventions for HTTP clients.

Made of the events, so that a span holds what they hold: no query, no header, no body, no text of the service's.
"""

import logging
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tingting_async._version import __version__
from tingting_async.observability.events import RequestEvent, RequestFailed, RequestStarted, ResponseReceived

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

_log = logging.getLogger("tingting_async")


def find_listener() -> "OpenTelemetryListener | None":
    """Return what makes spans, where the process has a tracer provider; else None, at no cost."""
    # Whoever has set up a provider has imported this: nobody else pays for its import.
    if "opentelemetry.trace" not in sys.modules:
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        # Makes the provider that OTEL_PYTHON_TRACER_PROVIDER names, if none is there yet.
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return None
        return OpenTelemetryListener()
    except Exception as error:  # noqa: BLE001 - it is OpenTelemetry's, and no reason not to make a request
        _log.warning("There are no spans: OpenTelemetry failed with %s.", type(error).__name__)
        return None


class OpenTelemetryListener:
    """Listens to a session's events, and makes spans of them, under whatever span its caller is in.

    Sessions have one by themselves. With a tracer provider of your own: `TingTing(telemetry=False, …)`, and
    `tingting.subscribe(OpenTelemetryListener(provider))`.

    Args:
        provider: Makes tracers; None for the process's.
    """

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        self._trace = trace
        self._tracer = trace.get_tracer("tingting_async", __version__, provider)
        self._open: dict[int, Span] = {}

    def __call__(self, event: RequestEvent) -> None:
        """Start a span, or end it."""
        if isinstance(event, RequestStarted):
            self._start(event)
        elif isinstance(event, ResponseReceived | RequestFailed) and (span := self._open.pop(event.call_id, None)):
            self._end(span, event)

    def _start(self, event: RequestStarted) -> None:
        server, route = urlsplit(event.service), template(event.path)
        attributes: dict[str, Any] = {
            "http.request.method": event.method,
            "server.address": server.hostname or "",
            "server.port": server.port or (443 if server.scheme == "https" else 80),
            "url.full": event.service + event.path,
            "url.template": route,
            "tingting.operation": event.operation,
        }
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        kind = self._trace.SpanKind.CLIENT
        span = self._tracer.start_span(f"{event.method} {route}", kind=kind, attributes=attributes)
        self._open[event.call_id] = span  # A call has one attempt at a time.

    def _end(self, span: "Span", event: ResponseReceived | RequestFailed) -> None:
        error = event.error if isinstance(event, RequestFailed) else None
        if isinstance(event, ResponseReceived):
            span.set_attribute("http.response.status_code", event.status)
            error = str(event.status) if event.status >= 400 else None
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()


def template(path: str) -> str:
    """Return a path with its ids left out, so that there are as many as operations: `/api/v1/campaign/{id}/`."""
    return "/".join(part if not any(map(str.isdigit, part)) or part == "v1" else "{id}" for part in path.split("/"))
