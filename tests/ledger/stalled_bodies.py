"""A process that is stopped between the last renewal of its claims and the first byte of its requests.

It writes a line before it stops, and then, for each request, its error, or that it was sent.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

import tingting_async.v1
from tingting_async import File, Ledger, TingTing, TingTingError
from tingting_async.ledger.claims import Claim, Elapsed, StoredClaim
from tingting_async.ledger.postgres import PostgresStorage
from tingting_async.ledger.sqlite import SqliteStorage
from tingting_async.postgres import Postgres

COUNT = 5


def stalling(job: dict[str, Any]) -> Any:
    """Return a storage that stops its process once every request has its claim, or its renewed claim."""
    arrived, goes_on = 0, asyncio.Event()

    async def stall() -> None:
        nonlocal arrived
        arrived += 1
        if arrived == COUNT:
            sys.stdout.write("stops\n")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSTOP)
            goes_on.set()
        await goes_on.wait()

    kind: Any = SqliteStorage if job["kind"] == "sqlite" else PostgresStorage

    class Stalling(kind):  # type: ignore[misc]
        async def claim(self, claim: Claim) -> StoredClaim:
            stored: StoredClaim = await super().claim(claim)
            if job["session"] == "own":
                await asyncio.sleep(1.1)  # The claim is so old then that the request renews it once it is connected.
            else:  # A user's session does not say when it is connected.
                await stall()
            return stored

        async def renew(self, id: str) -> Elapsed:
            renewed: Elapsed = await super().renew(id)
            await stall()
            return renewed

    return Stalling(Path(job["where"]) if job["kind"] == "sqlite" else Postgres(job["where"]))


async def outcome(call: Awaitable[object]) -> str:
    """Return what came of a call."""
    try:
        await call
    except TingTingError as error:
        return f"{type(error).__name__}: {error}"
    return "sent"


async def main(job: dict[str, Any]) -> list[str]:
    """Send requests with each kind of body, and return what came of them."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(stalling(job)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        given: dict[str, Any] = {"http": http} if job["session"] == "a user's" else {}
        given |= {"base_url": job["url"], "api_token": job["token"], "ledger": ledger, "timeout": 100, "retries": 1}
        classic = await stack.enter_async_context(TingTing(**given))
        v1 = await stack.enter_async_context(tingting_async.v1.TingTing(**given))
        sheet = File("people.csv", b"numbers,name\n9800000001,Sita\n")
        calls: list[Awaitable[object]] = [
            classic.campaigns.create("JSON", "PHONE", numbers=["9800000001"], idempotency_key="1"),
            classic.campaigns.create("Form", "PHONE", file=File("people.xlsx", b"0"), idempotency_key="2"),
            classic.campaigns.run(job["campaign"], audio_file=File("a.mp3", b"0"), idempotency_key="3"),
            v1.contacts.upload(job["campaign"], sheet, idempotency_key="4"),
            v1.contacts.demo_call(7, idempotency_key="5"),
        ]
        assert COUNT == len(calls)
        return await asyncio.gather(*map(outcome, calls))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
