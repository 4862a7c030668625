"""Adding many contacts to a service with random faults: what is reported is what the service did, row by row."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from aiohttp import web
from support.v1 import serving

from tingting_async import PartialFailureError, SessionClosedError, TingTingError, UsageError
from tingting_async.v1 import AddProgress, NewContact

pytestmark = pytest.mark.anyio

PHONES = [str(9_700_000_000 + 7 * row) for row in range(200)]
ROWS = {number: row for row, number in enumerate(PHONES)}


class RandomService:
    """Carries out requests or not, responds to them or not, in a random order."""

    def __init__(self, chance: random.Random, fault_rate: float) -> None:
        self.chance = chance
        self.fault_rate = fault_rate
        self.added = set[int]()
        self.skipped = set[int]()
        self.refused = set[int]()
        self.in_campaign = {row for row in range(len(PHONES)) if chance.random() < 0.1}
        self.held: list[asyncio.Future[None]] = []
        self.arrived = 0
        self.on_arrival: Any = lambda: None

    def act(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Carry out a request, and return the response."""
        created, skipped, errors = 0, 0, list[Any]()
        for index, row in enumerate(rows):
            number = ROWS[row["number"]]
            assert number not in self.added | self.skipped | self.refused, "a row was sent twice"
            if number in self.in_campaign:
                self.skipped.add(number)
                skipped += 1
            elif self.chance.random() < 0.05:
                self.refused.add(number)
                errors.append({"row": index, "error": f"row {number}"})
            else:
                self.added.add(number)
                created += 1
        return {"created": created, "skipped": skipped, "contacts": [], "errors": errors or None}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to a request."""
        rows = (await request.json())["contacts"]
        self.arrived += 1
        self.on_arrival()
        self.held.append(asyncio.get_running_loop().create_future())
        await self.held[-1]
        fate = self.chance.choice(["refuse", "later", "reset before", "reset after", "504 before", "504 after", "cut"])
        if self.chance.random() >= self.fault_rate:
            return web.json_response(self.act(rows), status=201)
        if fate == "refuse":
            return web.json_response({"detail": "No."}, status=self.chance.choice((400, 404)))
        if fate == "later":
            throttled = {"detail": "Request was throttled. Expected available in 0 seconds."}
            return web.json_response(throttled, status=429, headers={"Retry-After": "0"})
        if "before" not in fate:
            self.act(rows)
        if "reset" in fate:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=b"{" if fate == "cut" else b"<html>", status=201 if fate == "cut" else 504)

    async def respond_in_random_order(self) -> None:
        """Let one of the requests that were received go on, again and again."""
        while True:
            for _ in range(self.chance.randrange(20)):
                await asyncio.sleep(0)
            waiting = [each for each in self.held if not each.done()]
            if waiting:
                self.chance.choice(waiting).set_result(None)


def contacts(chance: random.Random, count: int, ending: str, noted: dict[str, Any]) -> Iterator[Any]:
    """Yield contacts, of which one may be bad; note how far it came."""
    try:
        for row in range(count):
            noted["produced"] = row + 1
            noted.setdefault("tasks", set()).add(asyncio.current_task())
            if ending != "complete" and row == noted.get("spoilt"):
                if ending == "fails":
                    noted["produced"] = row
                    raise LookupError
                yield {"bad": "98", "twice": PHONES[0], "variable": NewContact(PHONES[row], {"x": b""})}[ending]
                continue
            yield PHONES[row] if chance.random() < 0.5 else NewContact(PHONES[row], {"name": "Sita"})
    finally:
        noted["closed"] = noted.get("closed", 0) + 1


async def later(chance: random.Random, rows: Iterator[Any], noted: dict[str, Any]) -> AsyncIterator[Any]:
    """Yield the same from an async generator, which sometimes waits."""
    produced = 0
    try:
        for row in rows:
            noted["produced"] = produced
            for _ in range(chance.choice((0, 0, 0, 1, 5, 60))):
                await asyncio.sleep(0)
            noted["produced"] = produced = produced + 1
            yield row
    finally:
        rows.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(150))
async def test_every_row_is_accounted_for(seed: int) -> None:
    """Each row is added, skipped, refused, unknown or not done, as the service's own records say, however it ends."""
    chance = random.Random(seed)
    service = RandomService(chance, chance.choice((0.0, 0.05, 0.3)))
    kind = chance.choice(["list", "iterator", "async"])
    endings = ["complete"] if kind == "list" else ["complete", "complete", "fails", "bad", "twice", "variable"]
    ending = chance.choice(endings)
    stop = chance.choice(["", "", "cancel", "scope", "close"])
    count, noted, progress = chance.randrange(1, len(PHONES)), dict[str, Any](), AddProgress()
    noted["spoilt"] = chance.randrange(1, count + 1)
    stop_at, started = chance.randrange(1, 12), asyncio.Event()
    error: BaseException | None = None
    given: Any = contacts(chance, count, ending, noted)
    given = list(given) if kind == "list" else given if kind == "iterator" else later(chance, given, noted)

    def on_arrival() -> None:
        if service.arrived == stop_at:
            started.set()

    service.on_arrival = on_arrival
    scope, leftovers, tasks = anyio.CancelScope(), list[Any](), list[asyncio.Task[Any]]()
    options = {"api_token": "key", "max_in_flight": chance.choice((1, 3, 32))}
    async with serving(service.handle, **options) as tingting, anyio.create_task_group() as group:
        group.start_soon(service.respond_in_random_order)

        async def add() -> Any:
            with scope:
                return await tingting.contacts.add_many(
                    1, given, chunk=chance.randrange(1, 9), concurrency=chance.randrange(1, 10), progress=progress
                )

        async def interrupt() -> None:
            await started.wait()
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            if stop == "cancel":
                tasks[0].cancel()
            elif stop == "scope":
                scope.cancel()
            elif stop == "close":
                await tingting.aclose()

        tasks.append(asyncio.create_task(add()))
        group.start_soon(interrupt)
        await asyncio.wait(tasks)
        started.set()
        error = asyncio.CancelledError() if tasks[0].cancelled() else tasks[0].exception()
        leftovers += [each for each in asyncio.all_tasks() if "add_many" in repr(each.get_coro())]
        group.cancel_scope.cancel()

    produced = count if kind == "list" else noted.get("produced", 0)
    unknown, not_done = set(progress.unknown), set(progress.not_done)
    confirmed = set(range(produced)) - unknown - not_done
    assert [] == leftovers
    assert produced == len(confirmed) + len(unknown) + len(not_done)
    assert set() == not_done & (service.added | service.skipped | service.refused)
    assert confirmed <= service.added | service.skipped | service.refused
    assert len(confirmed & service.added) == progress.result.created
    assert len(confirmed & service.skipped) == progress.result.skipped
    assert {row: f"row {row}" for row in sorted(confirmed & service.refused)} == progress.result.errors
    assert kind == "list" or (1, {*tasks}) == (noted["closed"], noted["tasks"])
    if error is None:
        assert scope.cancelled_caught or (ending, set()) == ("complete", unknown | not_done)
    elif isinstance(error, asyncio.CancelledError):
        assert stop == "cancel"
    elif isinstance(error, PartialFailureError):
        assert (progress.result, progress.unknown, progress.not_done) == (error.result, error.unknown, error.not_done)
        assert {row for rows, _ in error.failures for row in rows} <= unknown | not_done
    else:
        expected = {"fails": LookupError, "complete": TingTingError}.get(ending, UsageError)
        assert isinstance(error, expected | TingTingError if stop or service.fault_rate else expected)
        assert set() == confirmed | unknown
    assert not isinstance(error, SessionClosedError) or stop == "close"
