"""The ledger in PostgreSQL while the server is down or slow, and many calls wait for it."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import attrs
import pytest
from support.postgres_servers import PostgresServer

from tingting_async import LedgerError
from tingting_async.ledger.claims import Claim, Decision
from tingting_async.ledger.postgres import PostgresStorage
from tingting_async.outcomes import Verdict
from tingting_async.postgres import Postgres

pytestmark = pytest.mark.anyio

LADDER = 6
"""How often a ledger tries to connect, at most, before it gives up."""


@attrs.define
class Down:
    """A server that closes each connection.

    Attributes:
        port: Its port.
        count: How many connections it has closed.
    """

    port: int = 0
    count: int = 0


@contextlib.asynccontextmanager
async def _down() -> AsyncIterator[Down]:
    down = Down()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        down.count += 1
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        down.port = server.sockets[0].getsockname()[1]
        yield down


def _claim(number: int) -> Claim:
    return Claim(uuid4().hex, "https://a", "campaigns.create", f"{number}", "campaign 'a'", "", seen=frozenset())


def _some(storage: PostgresStorage, kind: str, number: int) -> Any:
    claim = _claim(number)
    return {
        "find": lambda: storage.find(claim),
        "create": lambda: storage.claim(claim),
        "claim": lambda: storage.claim(attrs.evolve(claim, seen=None)),
        "renew": lambda: storage.renew(claim.id),
        "record": lambda: storage.record(claim.id, Decision(Verdict.DONE)),
        "record own": lambda: storage.record(claim.id, Decision(Verdict.DONE, is_owner=True)),
        "sends": storage.sends,
    }[kind]()


KINDS = ("find", "create", "claim", "renew", "record", "record own", "sends")


@pytest.mark.parametrize("kinds", [("find",), KINDS])
async def test_server_that_is_down(kinds: tuple[str, ...]) -> None:
    """Calls that wait while the server is down fail together: they do not try to connect one after the other."""
    choose = random.Random(repr(kinds))
    async with _down() as down:
        storage = PostgresStorage(Postgres(f"postgresql://me@127.0.0.1:{down.port}/jobs"))
        calls = [_some(storage, choose.choice(kinds), number) for number in range(12)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [LedgerError] * 12 == [type(each) for each in found]
        assert len(set(map(id, found))) == 12
        # The first call is alone in its batch; the others are in the next one.
        assert down.count <= 2 * LADDER
        await storage.aclose()


async def test_tables_that_are_locked(shared_postgres: PostgresServer, database: str) -> None:
    """If somebody locks the tables, the calls that wait fail after a few of them took too long."""
    storage = PostgresStorage(Postgres(shared_postgres.dsn(database), timeout=0.5))
    assert [] == await storage.sends()
    other = Postgres(shared_postgres.dsn(database)).connect()
    with contextlib.closing(other), other.transaction():
        other.execute("LOCK TABLE tingting_sends")
        calls = [_some(storage, kind, number) for number in range(100) for kind in ("find", "claim")]
        async with asyncio.timeout(20):  # One after the other, they would need 80 seconds.
            found = await asyncio.gather(*calls, return_exceptions=True)
    assert [LedgerError] * 200 == [type(each) for each in found]
    assert (await storage.claim(_claim(0))).send.key == "0"
    await storage.aclose()


async def test_claim_that_waits_for_a_lock(shared_postgres: PostgresServer, database: str) -> None:
    """A claim that waits too long for a lock of its own row fails alone; the others of its batch are stored."""
    storage = PostgresStorage(Postgres(shared_postgres.dsn(database), timeout=1.0))
    claims = [attrs.evolve(_claim(number), target=f"campaign {number}", seen=None) for number in range(6)]
    assert [] == await storage.sends()
    async with contextlib.AsyncExitStack() as stack:
        other = stack.enter_context(contextlib.closing(Postgres(shared_postgres.dsn(database)).connect()))
        stack.enter_context(other.transaction())
        other.execute(
            "INSERT INTO tingting_sends (id, service, operation, key, owner, started_at, digest) "
            "VALUES ('x', 'https://a', 'campaigns.create', '3', 0, now(), '')"
        )
        found = await asyncio.gather(*(storage.claim(claim) for claim in claims), return_exceptions=True)
    assert [3] == [number for number, each in enumerate(found) if isinstance(each, LedgerError)]
    await storage.aclose()
