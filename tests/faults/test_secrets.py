"""Secrets never show in a log record, a repr, the text of an error, a traceback, an event or a span."""

import asyncio
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.frames import chain

from tingting_async import MemoryTokenStore, RetryPolicy, Timeout, TingTingError, Tokens
from tingting_async.observability.opentelemetry import OpenTelemetryListener
from tingting_async.sandbox import ReceivedRequest, every_fault

pytestmark = pytest.mark.anyio

PASSWORD = "canary-पासवर्ड"
TOKEN = "canary-token-of-no-form"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
SECRET = re.compile(
    r"canary-(पासवर्ड|\\u092a|token)"  # The password, as it is and as JSON writes it, and the token.
    r"|eyJ[\w-]{10,}\.|(?<!\w)[0-9a-f]{64}(?!\w)"  # JWTs and API tokens of any account.
    r"|(?<!\w)482917(?!\w)|4 8 2 9 1 7"  # The one-time code, and as a voice spells it.
    r"|(?<!\w)(\+?977)?9[678]\d{8}"  # Any phone number.
)
LIMITS = Timeout(attempt=0.25, total=4)
PARTS = 4
"""The tests that share the faults, so that each test takes seconds only."""
ONCE_MORE = RetryPolicy(attempts=2, initial_backoff=0, max_retry_after=0)

# The operations that receive or send a secret.
WITH_SECRETS = {
    *("accounts.login", "accounts.refresh", "accounts.user_details", "accounts.api_token"),
    *("accounts.generate_api_token", "campaigns.create", "numbers.list", "numbers.get", "numbers.add", "numbers.edit"),
    "numbers.add_many",
    *("contacts.list", "contacts.add", "contacts.add_many", "contacts.upload", "contacts.edit", "phone_numbers.list"),
    *("phone_numbers.owned", "phone_numbers.for_sale", "otp.send", "otp.list", "surveys.answers", "reports.rows"),
}


async def show(call: Any) -> str:
    """Await a call; return every text that its result or its error can show."""
    try:
        result = await call
    except TingTingError as error:
        return "\n".join([str(error), repr(error), *traceback.format_exception(error), *map(repr, behind(error))])
    # A plain mapping holds data of the caller: the answers of a survey, or the variables of a contact.
    plain = isinstance(result, dict) or (isinstance(result, list) and all(isinstance(each, dict) for each in result))
    return "" if plain else f"{result!r} {result}"


def behind(error: BaseException) -> Iterator[object]:
    """Yield what an error collector shows of an error: its causes, its contexts, and their attributes."""
    for each in chain(error):
        yield each
        if not isinstance(each, TingTingError):  # The attributes of a TingTingError contain what the service sent.
            yield vars(each)


def leaks(texts: list[str], caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return the lines that show a secret, in these texts and in the records of all loggers."""
    format_record = logging.Formatter("%(name)s %(message)s").format
    texts = [*texts, *map(format_record, caplog.records)]
    caplog.clear()
    return {line for text in texts for line in text.splitlines() if SECRET.search(line)}


def observe(tingting: Any) -> Callable[[], list[str]]:
    """Observe a session; return a function that returns the texts of its events and spans."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    shown: list[str] = []
    tingting.subscribe(lambda event: shown.append(repr(event)))
    tingting.subscribe(OpenTelemetryListener(provider))
    return lambda: [*shown, *(span.to_json(indent=None) for span in exporter.get_finished_spans())]


def is_not_sign_in(received: ReceivedRequest) -> bool:
    """Return whether a request does something else than sign in."""
    return "login" not in received.path and "refresh" not in received.path


@pytest.mark.parametrize("where", [None, is_not_sign_in])
@pytest.mark.parametrize("part", range(PARTS))
async def test_faults_show_no_secret(
    generation: Any, world: Any, caplog: pytest.LogCaptureFixture, where: Any, part: int
) -> None:
    """No fault makes an operation or its sign-in show a secret."""
    sandbox, targets = world
    sandbox.change_password(PASSWORD)
    caplog.set_level(logging.DEBUG)
    found: set[str] = set()
    logged = 0
    for fault in [*every_fault(where=where)][part::PARTS]:
        async with generation.session(
            base_url=sandbox.url, timeout=LIMITS, retries=ONCE_MORE, email=sandbox.email, password=PASSWORD
        ) as tingting:
            shown = observe(tingting)
            calls = [call for name, call in generation.calls.items() if name in WITH_SECRETS]
            with sandbox.faults.during([fault]):
                texts = await asyncio.gather(*(show(call(tingting, targets)) for call in calls))
            texts += [repr(tingting), repr(tingting._core.auth.tokens), repr(tingting._core.auth), *shown()]
        assert fault.count > 0
        logged += len(caplog.records)
        found |= leaks(texts, caplog)
    assert logged > 300 / PARTS  # Logging was enabled.
    assert found == set()


@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize("shape", ["detail", "fields", "key", "json", "text", "title", "broken", "nested"])
async def test_quoted_secrets(
    generation: Any, tmp_path: Any, serve: Any, caplog: pytest.LogCaptureFixture, status: int, shape: str
) -> None:
    """No text shows the secrets that a service quotes from a request, whatever the form of its response."""
    caplog.set_level(logging.DEBUG)

    async def quote(received: Any) -> None:
        token = received.headers.get("authorization", "").removeprefix("Bearer ")
        said = f"{token} {received.headers} {received.body.decode(errors='replace')} to 9812345678"
        body = {
            "detail": json.dumps({"detail": said}),
            "fields": json.dumps({"success": False, "errors": [{"number": [said]}], "data": {}}, ensure_ascii=False),
            "key": json.dumps({said: [said]}),
            "json": json.dumps(said),
            "text": said,
            "title": f"<html><title>{said}</title>{said}</html>",
            "broken": json.dumps({"detail": said})[:-2],
            "nested": json.dumps({"data": {"token": {"access": {"x": said}}, "results": [said]}, "results": said}),
        }[shape]
        await received.respond(body.encode(), status, location="/elsewhere?number=9812345678", x_request_id=JWT)

    server = await serve(quote)
    texts: list[str] = []
    for by_token in (True, False):
        store = MemoryTokenStore()
        await store.save(Tokens(JWT, JWT))
        account: dict[str, Any] = {"email": "e@example.com", "password": PASSWORD, "token_store": store}
        targets = type("Targets", (), {"folder": tmp_path, "sid": "s", "__getattr__": lambda _, __: 1})()
        async with generation.session(
            base_url=server.url, retries=ONCE_MORE, **({"api_token": TOKEN} if by_token else account)
        ) as tingting:
            shown = observe(tingting)
            texts += [await show(call(tingting, targets)) for call in generation.calls.values()]
            texts += shown()
    assert len(caplog.records) > len(generation.calls)
    assert leaks(texts, caplog) == set()


async def test_refused_input(generation: Any, world: Any) -> None:
    """The error of input that is refused before it is sent does not show the input in full."""
    sandbox, targets = world
    async with generation.session(base_url=sandbox.url, api_token=TOKEN) as tingting:
        people = tingting.contacts if "contacts" in dir(tingting) else tingting.numbers
        for number in ("9812345678 9812345678", "981234567812345678", "98123456x78"):
            shown = await show(people.add(targets.campaign, number))
            assert "InvalidNumberError" in shown
            assert not SECRET.search(shown)
        shown = await show(tingting.otp.send("9812345678", "no place for 482917", channel="text", otp="482917"))
        assert "UsageError" in shown
        assert not SECRET.search(shown)
