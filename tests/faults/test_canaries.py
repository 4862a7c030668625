"""No sink shows a secret, whatever operation has it as an argument, and however the operation ends."""

import asyncio
import contextlib
import functools
import html
import json
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.canaries import CODE, COOKIE, JWT, NUMBER, PASSWORD, SECRET, TEXT, TOKEN, Operation, operations
from support.servers import Received, Server
from support.sinks import Sinks

from tingting_async import File, FileTokenStore, RetryPolicy, SqliteLedger, Timeout, TingTingError, Tokens
from tingting_async.http.messages import Effect, Request, Response

pytestmark = pytest.mark.anyio

ONCE_MORE = RetryPolicy(attempts=2, initial_backoff=0, max_retry_after=0)
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
HEADERS = {"set_cookie": f"sessionid={COOKIE}; access={JWT}", "x_request_id": JWT, "location": f"/x?number={NUMBER}"}


def echo(received: Received) -> str:
    """Return what a service may quote of a request, in all spellings of the secrets."""
    body = received.body.decode(errors="replace")
    # A session can recognise a secret of no form only if it is its own.
    known = TOKEN if TOKEN in received.headers.get("authorization", "") else PASSWORD
    return " ".join(
        [
            f"{received.headers} {received.target} {body}",
            f"+977-{NUMBER} {NUMBER[:3]}-{NUMBER[3:]} {' '.join(NUMBER)} {NUMBER.translate(DEVANAGARI)} {TEXT}",
            f"code {CODE}, {' '.join(CODE)}, otp={CODE} Bearer {TOKEN} refresh={JWT} {JWT}",
            f"{known} {json.dumps(known)} {quote(known)} Cookie: sessionid={COOKIE}",
        ]
    )


def refusing(status: int, form: Callable[[str], str], **headers: str) -> Callable[[Received], Awaitable[None]]:
    """Return a script that quotes the request in its response."""

    async def script(received: Received) -> None:
        await received.respond(form(echo(received)).encode(), status, **HEADERS, **headers)

    return script


async def lose(received: Received) -> None:
    """Cut the connection after the request."""
    received.reset()


ENDINGS: dict[str, Callable[[Received], Awaitable[None]]] = {
    "refused": refusing(400, lambda said: json.dumps({"detail": said})),
    "refused by field": refusing(400, lambda said: json.dumps({"number": [said], said: [said]}, ensure_ascii=False)),
    "refused by the envelope": refusing(200, lambda said: json.dumps({"success": False, "message": said, "data": {}})),
    "401": refusing(401, lambda said: json.dumps({"detail": said, "code": "token_not_valid"})),
    "429": refusing(429, lambda said: json.dumps({"detail": f"Request was throttled. {said}"}), retry_after="0"),
    "500 in HTML": refusing(500, lambda said: f"<html><title>{html.escape(said)}</title>{said}</html>"),
    "502 in text": refusing(502, lambda said: said),
    "redirect": refusing(302, lambda said: said),
    "lost": lose,
    "not JSON": refusing(200, lambda said: json.dumps({"detail": said})[:-2]),
    "another shape": refusing(200, lambda said: json.dumps({"data": {"token": {"access": [said]}}, "results": said})),
    "rows of another shape": refusing(200, lambda said: json.dumps({"results": [{"number": [said]}], said: said})),
}  # fmt: skip


@contextlib.asynccontextmanager
async def sessions(
    generation: Any, url: str, folder: Path, sinks: Sinks, email: str = "e@example.com", **options: Any
) -> AsyncIterator[list[Any]]:
    """Yield a session with an API token and a ledger, and one with a password and tokens that it may refresh."""
    store = FileTokenStore(folder / "tokens.json")
    await store.save(Tokens(JWT, JWT))
    options = {"base_url": url, "retries": ONCE_MORE, **options}
    ledger = SqliteLedger(folder / "ledger.sqlite")
    by_token = generation.session(api_token=TOKEN, ledger=ledger, **options)
    by_password = generation.session(email=email, password=PASSWORD, token_store=store, **options)
    async with by_token, by_password:
        for tingting in (by_token, by_password):
            sinks.watch(tingting)
        yield [by_token, by_password]
        for tingting in (by_token, by_password):
            core = tingting._core
            parts = (tingting, core, core.auth, core.auth.tokens, core.auth.credentials, core.transport, store, ledger)
            sinks.add("repr", *map(repr, parts), *map(str, parts))
    with contextlib.suppress(TingTingError):
        sinks.add("repr", repr(await ledger.unresolved()))


def calls_of(both: list[Any], folder: Path) -> list[tuple[Operation, dict[str, Any]]]:
    """Return every operation of two sessions, and its additional arguments: a key if a ledger takes it."""
    by_token = [
        (operation, {"idempotency_key": f"{TEXT}, {number}"} if operation.takes_key else {})
        for number, operation in enumerate(operations(both[0], folder))
    ]
    return by_token + [(operation, {}) for operation in operations(both[1], folder, files_in(folder))]


def files_in(folder: Path) -> dict[str, Path]:
    """Return arguments that are files on the disk."""
    files = {name: folder / f"{NUMBER}.{suffix}" for name, suffix in (("file", "csv"), ("audio_file", "mp3"))}
    for path in files.values():
        path.write_text(f"numbers\n{NUMBER}\n")
    return files


async def add_call(sinks: Sinks, call: Awaitable[Any]) -> type[BaseException] | None:
    """Await a call, add its result or its error to the sinks, and return the type of the error."""
    try:
        sinks.add_result(await call)
    except BaseException as error:  # noqa: BLE001 - a test looks at it
        sinks.add_error(error)
        if hasattr(error, "reconcile"):
            await add_call(sinks, error.reconcile(wait=0))
        return type(error)
    return None


@pytest.mark.parametrize("ending", ENDINGS)
async def test_failures(generation: Any, serve: Any, tmp_path: Path, ending: str) -> None:
    """No sink shows a secret if the service refuses, fails or is not understood, even if it quotes the request."""
    server = await serve(ENDINGS[ending])
    with Sinks(debug=ending == "refused") as sinks:
        async with sessions(generation, server.url, tmp_path, sinks) as both:
            errors = [await add_call(sinks, each.call(**others)) for each, others in calls_of(both, tmp_path)]
    assert set() == sinks.leaks(SECRET)
    assert all(issubclass(each, TingTingError) for each in errors if each is not None)
    assert sum(each is not None for each in errors) > 0.6 * len(errors)
    assert len(server.requests) > 0.8 * len(errors)


async def test_successes(generation: Any, world: Any, tmp_path: Path) -> None:
    """No sink shows a secret if the operations succeed."""
    sandbox, on = world
    sandbox.change_password(PASSWORD)
    known = {"campaign_id": on.campaign, "survey_id": on.survey, "campaigns.id": on.campaign, "sid": on.sid}
    known |= {"surveys.campaign_id": on.survey, "surveys.contact_id": on.respondent, "survey_templates.id": on.template}
    known |= {"contacts.id": on.contact, "numbers.id": on.contact, **files_in(tmp_path)}
    sandbox.world.campaigns[on.campaign].message = "{name} {otp}"
    last = ("preflight", "run", "stop", "generate_api_token", "release", "contacts.delete", "numbers.delete", "delete")
    with Sinks(debug=True) as sinks:
        async with sessions(generation, sandbox.url, tmp_path, sinks, sandbox.email) as both:
            calls = [each for each in operations(both[1], tmp_path, known) if each.name != "campaigns.wait"]
            calls.sort(key=lambda each: next((i for i, word in enumerate(last, 1) if word in each.name), 0))
            errors = {each.name: await add_call(sinks, each.call()) for each in calls}
    assert set() == sinks.leaks(SECRET)
    # The campaign has no tags, the template fits no other survey, and a second run finds the first.
    expected = {"numbers.add", "numbers.edit", "survey_templates.apply", "campaigns.run"}
    assert set() == {name for name, error in errors.items() if error is not None} - expected


async def stop_at_request(call: Callable[[], Awaitable[Any]], server: Server, how: str) -> Any:
    """Await a call, and stop it when its first request has arrived: by a cancellation or by a limit of the caller."""
    limit = asyncio.timeout(None)

    async def limited() -> Any:
        async with limit:
            return await call()

    async def stop() -> None:
        await server.received(sent + 1)
        if how == "cancelled":
            task.cancel()
        else:
            limit.reschedule(0)

    sent = len(server.requests)
    task = asyncio.create_task(limited())
    stopping = asyncio.create_task(stop())
    try:
        return await task
    finally:
        stopping.cancel()


LIMITS = Timeout(attempt=0.05, total=0.1)


@pytest.mark.parametrize("how", ["cancelled", "cancelled by a limit", "timed out", "closed"])
async def test_no_response(generation: Any, serve: Any, tmp_path: Path, how: str) -> None:
    """No sink shows a secret if an operation ends without a response, even in the debug mode of asyncio."""

    async def hold(received: Received) -> None:
        await server.released.wait()
        received.reset()

    server = await serve(hold)
    options = {"max_in_flight": 500, **({"timeout": LIMITS} if how == "timed out" else {})}
    with Sinks(debug=True) as sinks:
        async with sessions(generation, server.url, tmp_path, sinks, **options) as both:
            if how.startswith("cancelled"):
                errors = [
                    await add_call(sinks, stop_at_request(functools.partial(each.call, **others), server, how))
                    for each, others in calls_of(both, tmp_path)
                ]
            else:
                limits = {"timeout": LIMITS} if how == "timed out" else {}
                calls = [
                    asyncio.create_task(add_call(sinks, each.call(**others, **(limits if each.is_long else {}))))
                    for each, others in calls_of(both, tmp_path)
                    if each.name != "campaigns.wait" or how == "closed"
                ]
                closing = []
                if how == "closed":
                    await server.received(30)
                    closing = [asyncio.create_task(tingting.aclose()) for tingting in both]
                errors = await asyncio.gather(*calls)
            server.released.set()  # A token refresh that has left is completed before its session is closed.
            await asyncio.gather(*closing) if how == "closed" else None
    assert set() == sinks.leaks(SECRET)
    assert sum(each is not None for each in errors) > 0.9 * len(errors)


@pytest.mark.parametrize("sink", ["event", "span", "log", "warning", "repr", "error", "local variable"])
async def test_every_sink_is_watched(generation: Any, tmp_path: Path, sink: str) -> None:
    """What these tests collect would show a secret: one that is put into a sink is found there."""
    with Sinks() as sinks:
        async with sessions(generation, "http://127.0.0.1:9", tmp_path, sinks) as both:
            tingting: Any = both[0]
            emitter = tingting._core.emitter
            request = Request("GET", f"/{NUMBER}/", Effect.READ, NUMBER if sink in ("event", "span") else "x", Response)
            if sink in ("event", "span"):
                observer = emitter.observe(request)
                observer.started()
                observer.failed(OSError(), 0.0)
            elif sink == "log":
                logging.getLogger("asyncio").debug("%s", NUMBER)
            elif sink == "warning":
                warnings.warn(NUMBER, stacklevel=1)
            elif sink == "repr":
                sinks.add_result([request, File("a.csv", b""), NUMBER])
            elif sink == "error":
                sinks.add_error(TingTingError(NUMBER))
            else:
                with pytest.raises(json.JSONDecodeError) as caught:
                    json.loads(NUMBER + "x")
                sinks.add_error(caught.value)
    assert sink in {found.partition(":")[0] for found in sinks.leaks(SECRET)}
