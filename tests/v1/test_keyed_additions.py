"""Adding many contacts with an idempotency key: whatever ends a call, the next adds what is missing, and no more."""

import asyncio
import itertools
import random
import sys
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.v1 import page

from tingting_async import (
    BadRequestError,
    DuplicateSendError,
    PartialFailureError,
    RetryPolicy,
    SendState,
    SqliteLedger,
    TingTingError,
    UsageError,
    ensure_sent,
)
from tingting_async.v1 import AddProgress, NewContact, TingTing

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + 13 * row) for row in range(120)]
KEY = "fees 2083-08"


class Service:
    """A service that adds a number again if it is sent again, and does to each addition what a test says."""

    def __init__(self, *fates: str) -> None:
        self.numbers: dict[str, list[str]] = {}
        """By campaign."""
        self.fates = list(fates)
        self.posts = 0
        self.show: Callable[[str], str] = str
        self.on_post: Callable[[], Awaitable[None]] | None = None

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Add contacts."""
        rows = [row["number"] for row in (await request.json())["contacts"]]
        self.posts += 1
        if self.on_post is not None:
            await self.on_post()
        fate = self.fates.pop(0) if self.fates else ""
        if fate == "refuse":
            return web.json_response({"detail": "No."}, status=400)
        carried_out = [] if fate == "before" else rows[: len(rows) // 2] if fate == "half" else rows
        self.numbers.setdefault(request.match_info["id"], []).extend(carried_out)
        if fate:
            return web.Response(body=b"<html>Bad gateway", status=504, content_type="text/html")
        return web.json_response({"created": len(rows), "skipped": 0, "contacts": [], "errors": None}, status=201)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """List contacts, ten on a page."""
        numbers, offset = self.numbers.get(request.match_info["id"], []), int(request.query.get("offset", 0))
        ids = range(offset, min(offset + 10, len(numbers)))
        rows = [{"id": each, "number": self.show(numbers[each])} for each in ids]
        following = f"{request.path}?limit=10&offset={offset + 10}" if offset + 10 < len(numbers) else None
        return web.json_response(page(rows, count=len(numbers), following=following))

    def has_once(self, numbers: Any, campaign: str = "1") -> bool:
        """Return whether a campaign has these numbers, each of them once."""
        return Counter(self.numbers.get(campaign, [])) == Counter(numbers)


@asynccontextmanager
async def serving(service: Service, path: Path, **options: Any) -> AsyncIterator[TingTing]:
    """Serve, and yield a session with a ledger."""
    app = web.Application()
    app.router.add_post("/api/v1/campaign/{id}/add-contact/", service.add)
    app.router.add_get("/api/v1/campaign-detail/{id}/", service.list)
    options = {"api_token": "key", "retries": RetryPolicy(initial_backoff=0), **options}
    async with TestServer(app) as server, SqliteLedger(path / "ledger.sqlite") as ledger:
        async with TingTing(base_url=str(server.make_url("/")), **{"ledger": ledger, **options}) as tingting:
            yield tingting


def unresolved(tingting: Any) -> Any:
    """Return what the ledger of a session has of unresolved sends."""
    return tingting._core._ledger.unresolved()


async def later(rows: Any) -> AsyncIterator[Any]:
    """Yield rows from an async generator."""
    for row in rows:
        yield row


@pytest.mark.parametrize("again", [list, iter, later])
async def test_called_again(again: Any, tmp_path: Path) -> None:
    """A call after everything was added sends nothing, and returns the counts of the call that added it."""
    service = Service()
    async with serving(service, tmp_path) as tingting:
        first = await tingting.contacts.add_many(1, PHONES, chunk=7, idempotency_key=KEY)
        posts, progress = service.posts, AddProgress()
        given = again(PHONES)
        found = await tingting.contacts.add_many(1, given, idempotency_key=KEY, progress=progress)
        other_key = await tingting.contacts.add_many(2, PHONES[:3], idempotency_key="other")
        assert [] == await unresolved(tingting)
    assert (120, 0) == (first.created, first.skipped) == (found.created, found.skipped)
    assert (3, posts + 1, 0, 0) == (other_key.created, service.posts, len(progress.unknown), len(progress.not_done))
    assert service.has_once(PHONES)


@pytest.mark.parametrize(
    ("campaign", "contacts", "said"),
    [
        (1, PHONES[:5], "had other rows"),
        (1, [*PHONES[:5], PHONES[7]], "had other rows"),
        (1, [*PHONES[:5], NewContact(PHONES[5], {"name": "Sita"})], "had other rows"),
        (2, PHONES[:6], "was for contacts of campaign 1"),
        (2, iter(PHONES[:6]), "was for contacts of campaign 1"),
    ],
)
@pytest.mark.parametrize("fates", [(), ("", "refuse")])
async def test_another_content(campaign: int, contacts: Any, said: str, fates: Any, tmp_path: Path) -> None:
    """Other contacts with the same key, or another campaign, are refused, whether the first call ended well or not."""
    service = Service(*fates)
    async with serving(service, tmp_path) as tingting:
        try:
            await tingting.contacts.add_many(1, PHONES[:6], chunk=3, concurrency=1, idempotency_key=KEY)
        except PartialFailureError:
            assert fates
        posts = service.posts
        with pytest.raises(UsageError, match=f"'{KEY}'.*{said}"):
            await tingting.contacts.add_many(campaign, contacts, idempotency_key=KEY)
        assert (2, 2) == (posts, service.posts)
        if not fates:
            await tingting.contacts.add_many(1, PHONES[5::-1], idempotency_key=KEY)  # In another order.
            assert posts == service.posts


async def test_another_iterator(tmp_path: Path) -> None:
    """If a key is done, an iterator is read to its end, and refused if its contacts are others, in whatever order."""
    chance = random.Random(20)
    kinds: list[Callable[[Any], Any]] = [list, iter, later]
    first = [*PHONES[:20], *(NewContact(number, {"name": "Sita"}) for number in PHONES[20:25])]
    others: list[list[Any]] = [
        [*first, PHONES[30]],
        [*first[:-1]],
        [*first[1:], PHONES[30]],
        [*first[:-1], PHONES[24]],
        [*first[:-1], NewContact(PHONES[24], {"name": "Ram"})],
    ]

    async def run(number: int) -> None:
        service = Service()
        (tmp_path / str(number)).mkdir()
        async with serving(service, tmp_path / str(number)) as tingting:
            begin = chance.choice(kinds)
            options: dict[str, Any] = {"chunk": chance.randrange(1, 9), "idempotency_key": KEY}
            done = await tingting.contacts.add_many(1, begin(first), **options)
            posts = service.posts
            for other in others:
                for kind in kinds:
                    given = kind(chance.sample(other, len(other)))
                    with pytest.raises(UsageError, match=r"other rows.*new `idempotency_key`.*not added again"):
                        await tingting.contacts.add_many(1, given, **options)
            for kind in kinds:
                again = await tingting.contacts.add_many(1, kind(chance.sample(first, len(first))), **options)
                assert (done.created, done.skipped) == (again.created, again.skipped)
        assert posts == service.posts

    await asyncio.gather(*(run(number) for number in range(6)))


async def test_an_iterator_that_is_only_read(tmp_path: Path) -> None:
    """If a key is done, an iterator that fails or repeats itself raises its own error, and few rows are in memory."""
    service, alive, most = Service(), weakref.WeakSet[NewContact](), 0

    def rows() -> Iterator[NewContact]:
        nonlocal most
        for number in PHONES:
            made = NewContact(number)
            alive.add(made)
            most = max(most, len(alive))
            yield made

    def failing() -> Iterator[str]:
        yield from PHONES
        raise OSError("the disk")

    async with serving(service, tmp_path) as tingting:
        await tingting.contacts.add_many(1, PHONES, idempotency_key=KEY)
        await tingting.contacts.add_many(1, rows(), chunk=10, idempotency_key=KEY)
        with pytest.raises(OSError, match="the disk"):
            await tingting.contacts.add_many(1, failing(), idempotency_key=KEY)
        with pytest.raises(UsageError, match="the same as an earlier row"):
            await tingting.contacts.add_many(1, itertools.cycle(PHONES), idempotency_key=KEY)
        with pytest.raises(UsageError, match="has 2 digits"):
            await tingting.contacts.add_many(1, later([*PHONES, "98"]), idempotency_key=KEY)
    assert 2 == service.posts
    assert most <= 30


async def test_an_iterator_that_goes_on_with_a_list(tmp_path: Path) -> None:
    """An iterator that goes on with another list is only known at its end: the error says that, and the key stays."""
    service = Service("", "refuse")
    async with serving(service, tmp_path) as tingting:
        with pytest.raises(PartialFailureError):
            await tingting.contacts.add_many(1, PHONES[:6], chunk=3, concurrency=1, idempotency_key=KEY)
        with pytest.raises(PartialFailureError, match=r"not those of the first call.*other rows"):
            await tingting.contacts.add_many(1, iter(PHONES[:5]), idempotency_key=KEY)
        done = await tingting.contacts.add_many(1, iter(PHONES[:6]), idempotency_key=KEY)
    assert (1, 5) == (done.created, done.skipped)
    assert service.has_once(PHONES[:6])


async def test_a_key_that_is_free_again(tmp_path: Path) -> None:
    """If nothing was added, the key is free for other contacts, at once."""
    service = Service("refuse", "refuse")
    async with serving(service, tmp_path) as tingting:
        with pytest.raises(BadRequestError):
            await tingting.contacts.add_many(1, PHONES[:6], idempotency_key=KEY)
        with pytest.raises(UsageError, match="has 2 digits"):
            await tingting.contacts.add_many(1, ["98"], idempotency_key=KEY)
        with pytest.raises(BadRequestError):
            await tingting.contacts.add_many(2, iter(PHONES[:6]), idempotency_key=KEY)
        await tingting.contacts.add_many(2, PHONES[:7], idempotency_key=KEY)
    assert service.has_once(PHONES[:7], "2")
    assert service.has_once([])


@pytest.mark.parametrize("key", ["", " a", "a\nb", 5, "x" * 201])
async def test_a_key_that_is_not_valid(key: Any, tmp_path: Path) -> None:
    """A key that is not valid, and one without a ledger, is refused before anything is sent."""
    service = Service()
    async with serving(service, tmp_path) as tingting, serving(service, tmp_path, ledger=None) as without:
        with pytest.raises(UsageError, match="`idempotency_key`"):
            await tingting.contacts.add_many(1, PHONES[:6], idempotency_key=key)
        with pytest.raises(UsageError, match="needs a ledger"):
            await without.contacts.add_many(1, PHONES[:6], idempotency_key=KEY)
    assert 0 == service.posts


async def test_two_calls_at_once(tmp_path: Path) -> None:
    """If two calls have the same key, the second waits for the first, and adds nothing; or gives up when time is up."""
    service, arrived, released = Service(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        arrived.set()
        await released.wait()

    service.on_post = hold
    async with serving(service, tmp_path) as tingting:
        first = asyncio.create_task(tingting.contacts.add_many(1, PHONES, idempotency_key=KEY))
        await arrived.wait()
        second = asyncio.create_task(tingting.contacts.add_many(1, PHONES, idempotency_key=KEY))
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.contacts.add_many(1, PHONES, idempotency_key=KEY, timeout=0.01)
        assert caught.value.send is not None
        assert SendState.IN_PROGRESS is caught.value.send.state
        assert not second.done()
        released.set()
        assert await first == await second
    assert service.has_once(PHONES)


async def test_lost_responses(tmp_path: Path) -> None:
    """Responses that are lost are reconciled by the call itself: each contact is added once."""
    chance = random.Random(16)

    async def run(number: int) -> None:
        fates = [*chance.choices(["", "after"], k=10), chance.choice(["before", "half"]), "after"]
        chance.shuffle(fates)
        service, count = Service(*fates), chance.randrange(1, len(PHONES))
        (tmp_path / str(number)).mkdir()
        async with serving(service, tmp_path / str(number)) as tingting:
            numbers: Any = PHONES[:count]
            kind: Any = chance.choice([list, iter, later])
            given = kind(numbers)
            options: dict[str, Any] = {"chunk": chance.randrange(1, 20), "concurrency": chance.randrange(1, 9)}
            progress = AddProgress()
            done = await tingting.contacts.add_many(1, given, idempotency_key=KEY, progress=progress, **options)
            assert (count, 0, 0) == (done.created, done.skipped, len(progress.unknown))
            assert service.has_once(numbers)
            assert [] == await unresolved(tingting)

    await asyncio.gather(*(run(number) for number in range(30)))


async def test_interrupted_calls(tmp_path: Path) -> None:
    """After a call that ended half-way, the next one adds what is missing. Contacts that are there count as skipped."""

    async def run(end: str) -> None:
        service, arrived = Service(*(["", "", "refuse"] if end == "refuse" else [])), asyncio.Event()

        async def hold() -> None:
            if service.posts == 3:
                arrived.set()
                await asyncio.Event().wait()

        (tmp_path / end).mkdir()
        async with serving(service, tmp_path / end) as tingting:
            given: Any = PHONES[:30] if end != "bad row" else iter([*PHONES[:25], "98"])
            service.on_post = hold if end in ("cancel", "scope") else None
            scope = anyio.CancelScope()

            async def add() -> None:
                with scope:
                    await tingting.contacts.add_many(1, given, chunk=10, concurrency=1, idempotency_key=KEY)

            task = asyncio.create_task(add())
            if service.on_post is not None:
                await arrived.wait()
                task.cancel() if end == "cancel" else scope.cancel()
            await asyncio.wait([task])
            assert end in ("cancel", "scope") or isinstance(task.exception(), PartialFailureError)
            assert service.has_once(PHONES[:20])
            assert [KEY] == list({send.key for send in await unresolved(tingting)})
            service.on_post = None
            done = await tingting.contacts.add_many(1, PHONES[:30], idempotency_key=KEY)
            assert [] == await unresolved(tingting)
        assert (10, 20) == (done.created, done.skipped)
        assert service.has_once(PHONES[:30])

    await asyncio.gather(*(run(end) for end in ("refuse", "bad row", "cancel", "scope")))


@pytest.mark.parametrize("show", [lambda number: f"{number[:4]}xxx{number[-3:]}", lambda number: ""])
async def test_numbers_that_the_list_hides(show: Any, tmp_path: Path) -> None:
    """If the list does not show the numbers, nothing is added again, and the error says why."""
    service = Service("", "after")
    service.show = show
    async with serving(service, tmp_path) as tingting:
        for _ in range(2):
            with pytest.raises(TingTingError, match="in another form"):
                await tingting.contacts.add_many(1, PHONES[:6], chunk=3, idempotency_key=KEY)
    assert service.has_once(PHONES[:6])


async def test_ensure_sent_with_contacts(tmp_path: Path) -> None:
    """`ensure_sent` accepts such a call, and it returns the result."""
    service = Service("after")
    async with serving(service, tmp_path) as tingting:
        for _ in range(2):
            done = await ensure_sent(lambda: tingting.contacts.add_many(1, PHONES, chunk=9, idempotency_key=KEY))
            assert done is not None
            assert 120 == done.created
    assert service.has_once(PHONES)


WORKER = """
import asyncio, sys
from tingting_async import SqliteLedger
from tingting_async.v1 import TingTing

async def main(url, path, chunk):
    async with SqliteLedger(path) as ledger, TingTing(base_url=url, api_token="key", ledger=ledger) as tingting:
        numbers = (9_800_000_000 + 13 * row for row in range(120))
        numbers = list(numbers) if int(chunk) % 2 else numbers
        await tingting.contacts.add_many(1, numbers, chunk=int(chunk), concurrency=4, idempotency_key="fees 2083-08")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_again_and_again(tmp_path: Path) -> None:
    """Processes that are killed at random requests, and started again, add each contact once."""
    chance = random.Random(5)

    async def run(number: int) -> None:
        service, kills = Service(), 1
        process: Any = None
        fatal = chance.randrange(1, 7)

        async def kill() -> None:
            nonlocal fatal
            if service.posts == fatal and kills:
                process.kill()
                await process.wait()

        service.on_post = kill
        directory = tmp_path / str(number)
        directory.mkdir()
        async with serving(service, directory) as tingting:
            while True:
                command = (sys.executable, "-c", WORKER, tingting.base_url, str(directory / "ledger.sqlite"))
                process = await asyncio.create_subprocess_exec(*command, str(chance.randrange(5, 30)))
                code = await process.wait()
                if code == 0:
                    break
                assert (-9, True) == (code, kills > 0)
                kills -= 1
                fatal = service.posts + chance.randrange(1, 4)
            assert [] == await unresolved(tingting)
        assert service.has_once(PHONES)

    await asyncio.gather(*(run(number) for number in range(3)))
