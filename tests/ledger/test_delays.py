"""A process that stalls between its claim and the first byte sends nothing that others have reconciled meanwhile."""

import asyncio
import json
import re
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.postgres_servers import Link, PostgresServer, linked
from support.servers import Received, Server

from tingting_async import DuplicateSendError, Ledger, LedgerError, Reconciliation, SendState, Verdict
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.claims import MAX_DELAY, Elapsed
from tingting_async.ledger.postgres import PostgresStorage
from tingting_async.ledger.sqlite import SqliteStorage
from tingting_async.outcomes import Send, from_presence
from tingting_async.postgres import Postgres
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CERTIFICATE = HERE.parent / "support" / "self_signed.pem"


async def succeed(received: Received) -> None:
    """Confirm a call."""
    await received.respond(b'{"message": "Call placed."}')


@pytest.fixture
async def service(serve: Callable[..., Awaitable[Server]]) -> Server:
    """Return a service over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return await serve(succeed, tls=context)


async def accepted(link: Link) -> None:
    """Wait until a client has connected: it has its claim then, and waits for the handshake of TLS."""
    while not link.accepted:
        await asyncio.sleep(0.005)


async def reconciled(place: Any, verdict: Verdict) -> Reconciliation:
    """Make the call again elsewhere, and reconcile the first attempt, of which the service shows nothing."""
    async with place.open() as ledger:
        [send] = await ledger.unresolved()
        assert send.state is SendState.UNKNOWN

        async def call(request: Request[Any]) -> Response:
            await request.before_send()  # type: ignore[misc]
            raise AssertionError("the ledger allowed the second attempt")

        async def look(_: Send | None) -> Reconciliation:
            return from_presence(None if verdict is Verdict.NOT_DONE else object(), "The call")

        request = Request.send("/", Response, send.operation, idempotency_key=send.key, reconciler=look)
        with pytest.raises(DuplicateSendError) as refused:
            await ledger.execute(send.service, request, call, lambda: read_clocks(None))
        found = await refused.value.reconcile(wait=0)
        assert [] == await ledger.unresolved()
        return found


@pytest.mark.parametrize("session", ["own", "a user's"])
async def test_stopped_process(ledger_place: Any, service: Server, session: str) -> None:
    """A process that is stopped after its claim, and goes on after another one reconciled it, sends nothing."""
    async with linked(service.port) as link:
        link.stop()
        job = {"kind": ledger_place.kind, "where": ledger_place.where, "certificate": str(CERTIFICATE)}
        job |= {"url": f"https://127.0.0.1:{link.port}", "session": session}
        command = [sys.executable, "-P", str(HERE / "stalled.py"), json.dumps(job)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            await accepted(link)
            process.send_signal(signal.SIGSTOP)
            await asyncio.to_thread(ledger_place.end_owners)
            began = asyncio.get_running_loop().time()
            assert Verdict.NOT_DONE is (await reconciled(ledger_place, Verdict.NOT_DONE)).verdict
            # The claim was stored some moments before it was reconciled, when its owner could not begin any more.
            assert MAX_DELAY < asyncio.get_running_loop().time() - began + 1
            link.resume()
            process.send_signal(signal.SIGCONT)
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert b"" == errors
    assert output.startswith(b"LedgerError: contacts.demo_call: nothing was sent, because "), output
    assert [] == service.requests


@pytest.mark.parametrize("session", ["own", "a user's"])
async def test_every_body(ledger_place: Any, sandbox: Sandbox, campaigns: list[int], session: str) -> None:
    """Requests with a JSON body, a file or no body send nothing if the process stopped after it renewed the claims."""
    job = {"kind": ledger_place.kind, "where": ledger_place.where, "session": session}
    job |= {"url": sandbox.url, "token": sandbox.api_token, "campaign": campaigns[0]}
    command = [sys.executable, "-P", str(HERE / "stalled_bodies.py"), json.dumps(job)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    try:
        assert b"stops\n" == await process.stdout.readline()
        await asyncio.to_thread(ledger_place.end_owners)
        async with ledger_place.open() as ledger:
            lost = await ledger.unresolved()
            assert ["1", "2", "3", "4", "5"] == sorted(send.key for send in lost)
            await asyncio.gather(*map(ledger.mark_not_sent, lost))
        process.send_signal(signal.SIGCONT)
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"" == errors
    for outcome in json.loads(output):
        assert re.match(r"LedgerError: [a-z_.]+: nothing was sent, because this process was stopped", outcome), outcome
    assert [] == [request for request in sandbox.requests if request.method != "GET"]


@pytest.mark.parametrize("how", ["cut", "ended", "stopped"])
async def test_partition(
    shared_postgres: PostgresServer, database: str, ledger_place: Any, service: Server, how: str
) -> None:
    """A call whose process loses its session of the database after its claim sends nothing, and leaves it free."""
    trusted = ssl.create_default_context(cafile=CERTIFICATE)
    trusted.check_hostname = False
    async with linked(service.port) as link, linked(shared_postgres.port) as wire:
        dsn = shared_postgres.dsn(database, port=wire.port, connect_timeout=2)
        ledger = Ledger(PostgresStorage(Postgres(dsn, timeout=0.5)))
        url = f"https://127.0.0.1:{link.port}"
        async with TingTing(base_url=url, api_token="t", ssl=trusted, ledger=ledger, timeout=100) as tingting:
            link.stop()
            call = asyncio.create_task(tingting.contacts.demo_call(7, idempotency_key="k"))
            await accepted(link)
            if how == "cut":
                wire.cut(refuse=True)
            elif how == "ended":
                await asyncio.to_thread(ledger_place.end_owners)
            else:
                wire.stop()
            await asyncio.sleep(0.1)  # Longer than a claim counts as new.
            link.resume()
            with pytest.raises(LedgerError, match=r"contacts\.demo_call: nothing was sent, because"):
                await call
            assert [] == service.requests
            wire.resume()
            await tingting.contacts.demo_call(7, idempotency_key="k")
        await ledger.aclose()
    assert 1 == len(service.requests)


async def test_renewals(path: Path, serve: Callable[..., Awaitable[Server]]) -> None:
    """A claim is not renewed for a request that gets a connection at once, however many others were stored with it."""
    renewed = 0

    class Counting(SqliteStorage):
        async def renew(self, id: str) -> Elapsed:
            nonlocal renewed
            renewed += 1
            return await super().renew(id)

    ledger = Ledger(Counting(path))
    server = await serve(succeed)
    async with TingTing(base_url=server.url, api_token="t", ledger=ledger, max_in_flight=64) as tingting:

        async def calls(count: int) -> None:
            for _ in range(count):
                await tingting.contacts.demo_call(7)

        await asyncio.gather(*(calls(1) for _ in range(64)))  # Opens the connections.
        renewed = 0
        await asyncio.gather(*(calls(5) for _ in range(64)))
    await ledger.aclose()
    assert 64 * 6 == len(server.requests)
    assert renewed < 32  # The machine may stop for a moment, or a connection have been idle for too long.
