"""OpenTelemetry: spans that follow the semantic conventions for HTTP clients."""

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tingting_async import NotFoundError, NotSentError, RetryPolicy, TingTing
from tingting_async.observability.opentelemetry import OpenTelemetryListener, template
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


class Traced:
    """A provider, and the spans that have ended."""

    def __init__(self) -> None:
        self.exporter, self.provider = InMemorySpanExporter(), TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def connect(self, **options: Any) -> TingTing:
        """Return a session with a listener that makes spans."""
        tingting = TingTing(**{"retries": RetryPolicy(initial_backoff=0), "api_token": "key", **options})
        tingting.subscribe(OpenTelemetryListener(self.provider))
        return tingting

    @property
    def spans(self) -> tuple[Any, ...]:
        """The spans, in the order in which they ended."""
        return self.exporter.get_finished_spans()


async def test_span() -> None:
    """An attempt is a client span with the attributes of the conventions, and a child of its caller's span."""
    traced = Traced()
    async with (
        Sandbox(campaigns=2) as sandbox,
        traced.connect(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        campaign = min(sandbox.world.campaigns)
        with traced.provider.get_tracer("user").start_as_current_span("user") as parent:
            await tingting.campaigns.get(campaign)
        [span, _] = traced.spans
        assert span.kind is trace.SpanKind.CLIENT
        assert span.name == "GET /api/system/campaigns/{id}/details"
        assert span.parent == parent.get_span_context()
        assert span.status.is_unset
        port = int(sandbox.url.rpartition(":")[2])
        assert dict(span.attributes) == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": port,
            "url.full": f"{sandbox.url}/api/system/campaigns/{campaign}/details",
            "url.template": "/api/system/campaigns/{id}/details",
            "tingting.operation": "campaigns.get",
        }
        assert span.instrumentation_scope.name == "tingting_async"


async def test_errors_and_retries() -> None:
    """Spans of failed attempts have an error type, and a retry has a span of its own with its count."""
    traced = Traced()
    async with Sandbox(campaigns=1) as sandbox:
        async with traced.connect(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
            with pytest.raises(NotFoundError):
                await tingting.campaigns.get(999_999)
            sandbox.faults.add(Fault("reset", times=1))
            await tingting.accounts.user_details()
    async with traced.connect(base_url=sandbox.url, retries=1) as tingting:
        with pytest.raises(NotSentError):
            await tingting.accounts.user_details()
    found = [
        (
            dict(span.attributes).get("error.type"),
            span.attributes.get("http.request.resend_count"),
            span.status.status_code,
        )
        for span in traced.spans
    ]
    error, unset = trace.StatusCode.ERROR, trace.StatusCode.UNSET
    assert found == [
        ("404", None, error),
        ("TransportError", None, error),
        (None, 1, unset),
        ("NotSentError", None, error),
    ]
    assert [span.events for span in traced.spans] == [()] * 4  # An exception event would show the text of the error.


SCRIPT = """
import asyncio, json, os, sys
from tingting_async import TingTing
from tingting_async.sandbox import Sandbox

async def main(setup):
    spans = []
    if setup != "nothing":
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exporter = InMemorySpanExporter()
        if setup == "broken":
            os.environ["OTEL_PYTHON_TRACER_PROVIDER"] = "no such provider"
        elif setup != "imported":
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            trace.set_tracer_provider(provider)
    async with Sandbox() as sandbox:
        async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token, telemetry=setup != "off") as tingting:
            await tingting.accounts.user_details()
    if setup != "nothing":
        spans = [span.name for span in exporter.get_finished_spans()]
    print(json.dumps([spans, "opentelemetry" in sys.modules]))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("nothing", [[], False]),
        ("imported", [[], True]),
        ("broken", [[], True]),
        ("set up", [["GET /api/accounts/user_details/"], True]),
        ("off", [[], True]),
    ],
)
def test_automatic_spans(setup: str, expected: list[Any]) -> None:
    """A session makes spans if a provider is set up; with `telemetry=False` or without a provider, it makes none."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, setup], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/system/campaigns/12/begin/", "/api/system/campaigns/{id}/begin/"),
        ("/api/v1/campaign/3/", "/api/v1/campaign/{id}/"),
        ("/api/v1/campaign/a1b2-c3/", "/api/v1/campaign/{id}/"),
        ("/api/accounts/login/", "/api/accounts/login/"),
    ],
)
def test_template(path: str, expected: str) -> None:
    """A template has no ids, so there is one for each operation."""
    assert template(path) == expected
