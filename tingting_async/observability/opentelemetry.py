"""OpenTelemetry: a span for each attempt, following the semantic conventions for HTTP clients.

The spans are made from events, so they hold no query, no header, no body and no text of the service.
"""

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tingting_async._version import __version__
from tingting_async.errors import UsageError
from tingting_async.late_imports import loading
from tingting_async.observability.events import RequestEvent, RequestFailed, RequestStarted, ResponseReceived

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

_log = logging.getLogger("tingting_async")


def find_listener() -> "OpenTelemetryListener | None":
    """Return a listener that makes spans if the process has a tracer provider, else None."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        # Creates the provider that OTEL_PYTHON_TRACER_PROVIDER names, if there is none yet.
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return None
        return OpenTelemetryListener()
    except Exception as error:  # noqa: BLE001 - an error of OpenTelemetry must not stop a request
        _log.warning("Tracing is off: OpenTelemetry raised %s.", type(error).__name__)
        return None


class OpenTelemetryListener:
    """Makes spans from the events of a session, as children of the span that is current where the call is made.

    A session adds one by itself. To use a tracer provider of your own, create the session with `telemetry=False` and
    call `tingting.subscribe(OpenTelemetryListener(provider))`.

    Args:
        provider: Your tracer provider; None for the process's own.

    Raises:
        UsageError: `provider` is not a tracer provider, or `opentelemetry-api` is not installed.
        TingTingError: It cannot be loaded, for example with too many files open.
    """

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        with loading("opentelemetry", is_before_send=False):
            try:
                from opentelemetry import trace  # noqa: PLC0415 - an extra
            except ImportError as error:
                raise UsageError(
                    f"OpenTelemetryListener: `opentelemetry` cannot be imported ({error}). Install it: `pip install "
                    "'tingting-async[otel]'`, or `pip install '.[otel]'` in a clone of the repository."
                ) from None

        if provider is not None and not callable(getattr(provider, "get_tracer", None)):
            raise UsageError(
                f"OpenTelemetryListener: `provider` must be a tracer provider, not {type(provider).__name__}: give a "
                "`TracerProvider()` of `opentelemetry.sdk.trace`, or None for the process's own."
            )
        self._trace = trace
        self._tracer = trace.get_tracer("tingting_async", __version__, provider)
        self._open: dict[int, Span] = {}

    def __call__(self, event: RequestEvent) -> None:
        """Start or end a span."""
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
        span = self._tracer.start_span(
            f"{event.method} {route}", kind=self._trace.SpanKind.CLIENT, attributes=attributes
        )
        self._open[event.call_id] = span  # A call makes one attempt at a time.

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
    """Return a path with its ids replaced, such as `/api/v1/campaign/{id}/`: one template for each operation."""
    return "/".join(part if not any(map(str.isdigit, part)) or part == "v1" else "{id}" for part in path.split("/"))
