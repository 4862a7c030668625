"""A process that makes one call over a connection that may take long. It writes its error, or that it was sent."""

import asyncio
import json
import ssl
import sys
from typing import Any

import aiohttp

from tingting_async import PostgresLedger, SqliteLedger, TingTingError
from tingting_async.v1 import TingTing


async def main(job: dict[str, Any]) -> str:
    """Send, and return what came of it."""
    trusted = ssl.create_default_context(cafile=job["certificate"])
    trusted.check_hostname = False
    ledger = (SqliteLedger if job["kind"] == "sqlite" else PostgresLedger)(job["where"])
    connector = aiohttp.TCPConnector(ssl=trusted)
    async with aiohttp.ClientSession(connector=connector) as http, ledger:
        given = {"http": http} if job["session"] == "a user's" else {"ssl": trusted}
        async with TingTing(base_url=job["url"], api_token="t", ledger=ledger, timeout=100, **given) as tingting:
            try:
                await tingting.contacts.demo_call(7, idempotency_key="k")
            except TingTingError as error:
                return f"{type(error).__name__}: {error}"
    return "sent"


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main(json.loads(sys.argv[1]))))
