"""Creations of one name: what a ledger keeps of those that are done, and reads of them."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from tingting_async import Ledger, SendState, TingTing as Classic, TingTingError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

NUMBERS = ["9800000001"]


def create(tingting: Any, key: str) -> Any:
    """Create a campaign, of the same name and content for every key."""
    options = {"numbers": NUMBERS} if isinstance(tingting, Classic) else {}
    return tingting.campaigns.create("Newsletter", "PHONE", idempotency_key=key, **options)


def later() -> datetime:
    """Return a time after all sends."""
    return datetime.now(UTC) + timedelta(seconds=1)


async def lose(sandbox: Sandbox, tingting: Any, key: str) -> None:
    """Lose a creation before the service has read it, and do not wait until that is found out."""
    stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
    task = asyncio.create_task(create(tingting, key))
    await stall.triggered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError, TingTingError):
        await task


@pytest.mark.parametrize("kind", [TingTing, Classic])
async def test_creation_that_was_lost(sandbox: Sandbox, connect: Any, ledger: Ledger, kind: Any) -> None:
    """`prune` keeps what shows that a campaign is another key's, until no creation of its name is unknown."""
    async with connect(kind, ledger=ledger) as tingting:
        await lose(sandbox, tingting, "A")
        other = await create(tingting, "B")
        assert 0 == await ledger.prune(later())
        assert [("A", SendState.UNKNOWN)] == [(send.key, send.state) for send in await ledger.unresolved()]
        own = await create(tingting, "A")
        assert own.id != other.id
        assert own.id == (await create(tingting, "A")).id
        assert 2 == await ledger.prune(later())
        assert [] == await ledger.unresolved()


@pytest.mark.parametrize("seed", range(2))
async def test_any_order(sandbox: Sandbox, connect: Any, ledger: Ledger, seed: int) -> None:
    """However losses, creations and prunes follow each other, no two keys ever get the same campaign."""
    random, got = Random(seed), dict[str, int]()
    unfinished: set[str] = set()
    async with connect(ledger=ledger) as tingting, connect() as elsewhere:
        for number in range(10):
            session = random.choice([tingting, elsewhere])
            match random.choice(["lose", "create", "create", "again", "prune"]):
                case "lose":
                    await lose(sandbox, session, f"{number}")
                    unfinished.add(f"{number}")
                case "create":
                    got[f"{number}"] = (await create(session, f"{number}")).id
                case "again" if unfinished:
                    key = random.choice(sorted(unfinished))
                    with suppress(TingTingError):
                        got[key] = (await create(session, key)).id
                        unfinished.remove(key)
                case _:
                    await ledger.prune(later())
            assert len(got) == len({*got.values()})


async def test_reads_of_a_creation(sandbox: Sandbox, connect: Any, ledger_place: Any, ledger: Ledger) -> None:
    """A creation reads none of those of its name that are done, and finding out what became of it only their results.

    Their times cannot be read here, so that whatever reads more fails.
    """
    async with connect(ledger=ledger) as tingting:
        ids = [(await create(tingting, key)).id for key in "abc"]
        change(ledger_place, {"sqlite": "UPDATE sends SET started_at = 'broken'", "postgres": BREAK})
        ids.append((await create(tingting, "d")).id)
        change(ledger_place, {"sqlite": "UPDATE sends SET started_at = 'broken'", "postgres": BREAK})
        await lose(sandbox, tingting, "e")
        ids.append((await create(tingting, "e")).id)
    assert ids == sorted({*ids})


BREAK = "UPDATE tingting_sends SET started_at = 'infinity'"


def change(place: Any, statements: dict[str, str]) -> None:
    """Execute the statement for the kind of the ledger."""
    if place.server is not None:
        place.server.run(statements["postgres"], database=place.database)
        return
    with closing(sqlite3.connect(place.where, isolation_level=None)) as database:
        database.execute(statements["sqlite"])


async def test_indexes(ledger_place: Any, ledger: Ledger) -> None:
    """Tables of the form before have their indexes changed; unfinished claims and old ones are then found by these."""
    async with ledger:
        assert [] == await ledger.unresolved()
    for old in FORM_BEFORE[ledger_place.kind]:
        change(ledger_place, {ledger_place.kind: old})
    async with ledger_place.open() as migrated:
        assert [] == await migrated.unresolved()
        assert 0 == await migrated.prune(later())
    if ledger_place.server is None:
        with closing(sqlite3.connect(ledger_place.where)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%NOT is_done'")
            assert [("unfinished",)] == rows.fetchall()
        return
    rows = ledger_place.server.run(
        "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%WHERE%is_done%' ORDER BY 1",
        database=ledger_place.database,
    )
    assert [("tingting_done",), ("tingting_unfinished_targets",)] == rows


FORM_BEFORE = {
    "sqlite": ["DROP INDEX unfinished", "PRAGMA user_version = 4"],
    "postgres": [
        "DROP INDEX tingting_unfinished_targets",
        "DROP INDEX tingting_done",
        "CREATE INDEX tingting_unfinished ON tingting_sends (number) WHERE NOT is_done",
        "UPDATE tingting_ledger SET version = 1",
    ],
}
