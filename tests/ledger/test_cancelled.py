"""Every operation that a ledger keeps, cancelled at every await: what never left is free, what left is not."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, cast

import aiohttp
import attrs
import pytest
from support.servers import closed_port
from support.steps import cancel_at

import tingting_async
import tingting_async.v1
from tingting_async import (
    DuplicateSendError,
    NotSentError,
    ResponseReceived,
    RetryPolicy,
    SqliteLedger,
    Timeout,
    TingTing,
)

pytestmark = pytest.mark.anyio

OTP = {"number": "9800000001", "otp_options": "generated", "message": "{otp}", "otp": "1", "sms_send_options": "text"}
LINE = {"phone_number": "+97715970425", "phone_number_sid": "PN1", "rate": 1, "friendly_name": "l"}
TOKENS = {"access": "a", "refresh": "r"}
USER = {"first_name": "Sita", "last_name": "Rai", "email": "e"}


def classic(**data: Any) -> dict[str, Any]:
    """Return a success in the classic envelope."""
    return {"status": 200, "success": True, "message": "ok", "errors": [], "data": data}


@attrs.frozen
class Operation:
    """A send: its call with a key, and the service's response."""

    call: Callable[[Any, str], Awaitable[object]]
    response: dict[str, Any]
    is_v1: bool = True


OPERATIONS = {
    "v1 run": Operation(lambda t, key: t.campaigns.run(7, idempotency_key=key), {"message": "Campaign Began"}),
    "v1 survey": Operation(lambda t, key: t.surveys.run(7, idempotency_key=key), {"message": "Campaign Began"}),
    "v1 demo": Operation(lambda t, key: t.contacts.demo_call(7, idempotency_key=key), {"message": "Placed"}),
    "v1 test call": Operation(lambda t, key: t.surveys.test_call(7, idempotency_key=key), {"message": "Placed"}),
    "v1 otp": Operation(
        lambda t, key: t.otp.send("9800000001", "{otp}", channel="text", idempotency_key=key), classic(details=OTP)
    ),
    "classic otp": Operation(
        lambda t, key: t.otp.send("9800000001", "{otp}", channel="text", idempotency_key=key),
        classic(details=OTP),
        is_v1=False,
    ),
    "classic run": Operation(
        lambda t, key: t.campaigns.run(7, message="m", idempotency_key=key),
        classic(**{"hold amount": "3 credits"}),
        is_v1=False,
    ),
    "buy": Operation(
        lambda t, key: t.phone_numbers.buy("PN1", idempotency_key=key), classic(number_details=[LINE]), is_v1=False
    ),
}


class Service:
    """A server that notes every byte of a send that reaches its socket, and refuses the first sends if told so."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.response = response
        self.sends: list[bool] = []
        """For each send that arrived, whether it was carried out."""
        self.refusals = 0
        self.open = 0
        self.is_idle = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of a connection."""
        self.open += 1
        try:
            while head := await reader.read(1):
                head += await reader.readuntil(b"\r\n\r\n")
                headers = head.decode().lower()
                length = int(headers.partition("content-length:")[2].split("\r\n")[0] or 0)
                await reader.readexactly(length)
                await self.respond(head.split(b" ")[1].decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.open -= 1
            self.is_idle.set()

    async def respond(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Respond to a request."""
        status, body, extra = 200, self.response, ""
        if "login" in path and "v1" in path:
            body, extra = {"has_logged_in": True, "message": "m"}, "Set-Cookie: access=a\r\nSet-Cookie: refresh=r\r\n"
        elif "login" in path:
            body = classic(token=TOKENS, user_data=USER)
        else:
            self.sends.append(self.refusals == 0)
            if self.refusals:
                self.refusals -= 1
                status, body, extra = 429, {"detail": "Request was throttled."}, "Retry-After: 0\r\n"
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{extra}\r\n"
        writer.write(head.encode() + content)
        await writer.drain()

    async def wait_until_idle(self) -> None:
        """Wait until every connection was read to its end."""
        while self.open:
            self.is_idle.clear()
            await self.is_idle.wait()


async def check(operation: Operation, path: Path, step: int, how: Any, *, refusals: int, **options: Any) -> bool:
    """Cancel an operation at a step, check what the ledger says, and return whether it was cancelled."""
    service = Service(operation.response)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    kind: Any = tingting_async.v1.TingTing if operation.is_v1 else TingTing
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = {"base_url": url, "retries": RetryPolicy(initial_backoff=0), "ledger": SqliteLedger(path), **options}
    statuses: list[int] = []
    if "http" in options:  # An idle connection of a user's session is used without waiting.
        given["http"] = aiohttp.ClientSession()
    try:
        service.refusals = refusals
        async with kind(**given) as tingting:
            tingting.subscribe(
                lambda event: statuses.append(event.status) if isinstance(event, ResponseReceived) else None
            )
            is_cancelled = await cancel_at(operation.call(tingting, "key"), step, how)
            statuses[:] = [status for status in statuses if status == 429]
        if "http" in options:
            await given["http"].close()
            given["http"] = None
        await service.wait_until_idle()
        arrived = list(service.sends)
        service.refusals = 0
        async with kind(**given | {"ledger": SqliteLedger(path)}) as tingting:
            try:
                await operation.call(tingting, "key")
                is_free = True
            except DuplicateSendError:
                is_free = False
        await service.wait_until_idle()
    finally:
        server.close()
    what = f"{how} at step {step}: arrived {arrived}, free {is_free}, refusals that came {len(statuses)}"
    if any(arrived):
        assert not is_free, what
    elif len(arrived) == len(statuses):  # Nothing arrived, or each refusal was received.
        assert is_free, what
    return is_cancelled


@pytest.mark.parametrize("name", OPERATIONS)
async def test_cancelled_at_every_await(tmp_path: Path, name: str) -> None:
    """A send that is cancelled at any await is free if no byte arrived or all attempts were refused, else not free."""
    random = Random(name)
    refusals, options = random.choice([0, 1, 2]), random.choice([{"api_token": "t"}, {"email": "e", "password": "p"}])
    options |= random.choice([{}, {"rate": 1000}, {"http": None}])
    step, is_cancelled = 0, True
    while is_cancelled:
        step += 1
        how = random.choice(["cancel", "late"])
        is_cancelled = await check(OPERATIONS[name], tmp_path / str(step), step, how, refusals=refusals, **options)
    assert step > 5


@pytest.mark.parametrize("http", ["own", "a user's"])
async def test_a_thousand_random_cancellations(ledger: Any, http: str, deaf_port: int) -> None:
    """Sends to a service that cannot be connected to leave no claim, wherever they are cancelled or time out."""
    random = Random(16)
    retries = RetryPolicy(attempts=3, initial_backoff=0.001, max_backoff=0.002, budget=10**6)
    async with contextlib.AsyncExitStack() as stack:
        given: dict[str, Any] = {"api_token": "t", "ledger": ledger, "timeout": Timeout(connect=0.01)}
        given |= {"retries": retries, "max_in_flight": 20, "rate": 5000}
        if http == "a user's":
            given["http"] = await stack.enter_async_context(aiohttp.ClientSession())
        sessions = [
            await stack.enter_async_context(kind(base_url=f"http://127.0.0.1:{port}", **given))
            for port in (closed_port(), closed_port(), deaf_port)
            for kind in (TingTing, tingting_async.v1.TingTing)
        ]
        names, ended = [*OPERATIONS], Counter[str]()

        async def send(number: int) -> None:
            operation = OPERATIONS[random.choice(names)]
            call = operation.call(sessions[random.choice([0, 2, 4]) + operation.is_v1], f"key {number}")
            how: Any = random.choice(["cancel", "late", "timeout", "none"])
            try:
                if how in ("cancel", "late"):
                    is_cancelled = await cancel_at(cast("Any", call), random.randrange(1, 25), how)
                    ended["cancelled" if is_cancelled else "not sent"] += 1
                    return
                async with asyncio.timeout(random.random() / 50 if how == "timeout" else None):
                    await call
            except (NotSentError, TimeoutError) as error:
                ended[type(error).__name__] += 1

        for first in range(0, 1000 if http == "own" else 300, 50):
            await asyncio.gather(*(send(number) for number in range(first, first + 50)))
    assert [] == await ledger._storage.sends()
    assert {"cancelled", "NotSentError", "TimeoutError"} <= ended.keys()
    assert ended.total() / 5 < ended["cancelled"]
    await ledger.aclose()
