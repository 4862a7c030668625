"""Adding many contacts in several requests at the same time: how many, in what order, and how each way to end ends."""

import asyncio
import gc
import random
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from aiohttp import web
from support.v1 import serving

from tingting_async import (
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    Rows,
    SessionClosedError,
    Timeout,
    UsageError,
)
from tingting_async.recipients.number_set import NumberSet
from tingting_async.resources.concurrency import for_each
from tingting_async.v1 import AddProgress, NewContact

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + row) for row in range(400)]


class Gate:
    """A service that adds the contacts of a request when the test lets it."""

    def __init__(self) -> None:
        self.held: dict[int, asyncio.Future[Any]] = {}
        """By the index of the first contact."""
        self.most_in_flight = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hold a request until `release` says what to respond."""
        rows = (await request.json())["contacts"]
        first = PHONES.index(rows[0]["number"])
        self.held[first] = asyncio.get_running_loop().create_future()
        self.most_in_flight = max(self.most_in_flight, len(self.held))
        body, status = await self.held[first]
        del self.held[first]
        if body is None:
            assert request.transport is not None
            request.transport.abort()
        contacts = [{"id": PHONES.index(row["number"]), "number": row["number"]} for row in rows]
        added = {"created": len(rows), "skipped": 0, "contacts": contacts, "errors": [{"row": 0, "error": f"{first}"}]}
        return web.json_response(added if body == "added" else body, status=status)

    def release(self, first: int, body: Any = "added", status: int = 201) -> None:
        """Respond to the request whose first contact has this index; None cuts its connection."""
        if not self.held[first].done():  # The request may have been cancelled.
            self.held[first].set_result((body, status))

    async def wait_for(self, *firsts: int) -> None:
        """Wait until exactly these requests are in flight, and no other one arrives for a while."""
        for _ in range(2000):
            if set(firsts) == self.held.keys():
                break
            await asyncio.sleep(0.001)
        for _ in range(50):
            await asyncio.sleep(0)
        assert set(firsts) == self.held.keys()


def account_for(partial: Any) -> tuple[int, list[int], list[int]]:
    """Return how many contacts were added, which rows may have been, and which were not."""
    return partial.result.created, list(partial.unknown), list(partial.not_done)


class Source:
    """An async iterator that notes who reads and closes it. It waits before the rows that it is told to."""

    def __init__(self, rows: list[Any], waits: dict[int, asyncio.Event] | None = None) -> None:
        self.rows = rows
        self.waits = waits or {}
        self.tasks = set[Any]()
        self.read = 0
        self.closed = 0

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> Any:
        self.tasks.add(asyncio.current_task())
        if self.read in self.waits:
            await self.waits[self.read].wait()
        if self.read == len(self.rows):
            raise StopAsyncIteration
        self.read += 1
        return self.rows[self.read - 1]

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.tasks.add(asyncio.current_task())
        self.closed += 1


class Abandoned:
    """Awaits a coroutine until an event is set, and then closes it, which raises GeneratorExit where it waits.

    This is what happens to a coroutine whose event loop is gone.
    """

    def __init__(self, coroutine: Any, event: asyncio.Event) -> None:
        self.coroutine = coroutine
        self.event = event

    def __await__(self) -> Generator[Any, Any, None]:
        event = asyncio.ensure_future(self.event.wait())
        steps = self.coroutine.__await__()
        while not event.done():
            future = next(steps)
            if future is None:
                yield
            else:
                future._asyncio_future_blocking = False
                yield from asyncio.wait([future, event], return_when=asyncio.FIRST_COMPLETED).__await__()
        self.coroutine.close()


@pytest.mark.parametrize(
    ("options", "max_in_flight", "expected"), [({}, 32, 8), ({"concurrency": 3}, 32, 3), ({}, 2, 2), ({}, 1, 1)]
)
async def test_requests_in_flight_are_bounded(options: dict[str, Any], max_in_flight: int, expected: int) -> None:
    """At most `concurrency` requests are in flight, and as many as the session allows; a free slot is used at once."""
    gate, firsts = Gate(), list(range(0, 40, 2))
    async with serving(gate.handle, api_token="key", max_in_flight=max_in_flight, timeout=Timeout(pool=0.01)) as to:
        task = asyncio.create_task(to.contacts.add_many(1, PHONES[:40], chunk=2, **options))
        for started in range(expected, 21):
            await gate.wait_for(*firsts[started - expected : started])
            if started < 20:
                gate.release(firsts[started - expected])
        for first in [*gate.held]:
            gate.release(first)
        assert 40 == (await task).created
    assert expected == gate.most_in_flight


@pytest.mark.parametrize("given", [0, -1, True, 1.5, "8", None])
async def test_a_concurrency_that_is_not_valid(given: Any) -> None:
    """A concurrency that is not a number of requests is refused, by its name."""
    async with serving(Gate().handle) as tingting:
        with pytest.raises(UsageError, match="`concurrency` is"):
            await tingting.contacts.add_many(1, PHONES[:2], concurrency=given)
        assert 0 == tingting.requests_sent


async def test_rows_are_reported_by_their_own_index() -> None:
    """Whatever the order of responses, an error has the index of its contact, and errors come in the order of rows."""
    gate, progress = Gate(), AddProgress()
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:8], chunk=2, progress=progress))
        await gate.wait_for(0, 2, 4, 6)
        assert (0, [*range(8)], []) == account_for(progress)
        for first, unknown in ((6, [*range(6)]), (2, [0, 1, 4, 5]), (4, [0, 1]), (0, [])):
            gate.release(first)
            while progress.unknown != Rows(*(range(row, row + 1) for row in unknown)):
                await asyncio.sleep(0)
        done = await task
    assert {0: "0", 2: "2", 4: "4", 6: "6"} == done.errors
    assert [0, 2, 4, 6] == list(done.errors)


async def test_a_refused_request_among_others() -> None:
    """If a request is refused, the others in flight finish, no other begins, and the error accounts for each row."""
    gate = Gate()
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:20], chunk=2, concurrency=4))
        await gate.wait_for(0, 2, 4, 6)
        gate.release(2, {"detail": "No."}, 400)
        await gate.wait_for(0, 4, 6)
        gate.release(4, None)
        await gate.wait_for(0, 6)
        gate.release(6)
        gate.release(0)
        with pytest.raises(PartialFailureError, match=r"4 contacts .* 2 may have been, and 14 were not") as caught:
            await task
    assert (4, [4, 5], [2, 3, *range(8, 20)]) == account_for(caught.value)
    assert isinstance(caught.value.__cause__, BadRequestError)
    found = [(rows, type(error)) for rows, error in caught.value.failures]
    assert [(range(2, 4), BadRequestError), (range(4, 6), OutcomeUnknownError)] == found
    assert "See `failures` for all 2 requests" in str(caught.value)
    assert [None, None] == [each.__traceback__ for _, each in caught.value.failures]


async def test_all_requests_are_refused() -> None:
    """If all requests in flight are refused, the error of the first one is raised itself, as nothing was added."""
    gate, progress = Gate(), AddProgress()
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:8], chunk=2, concurrency=3, progress=progress))
        await gate.wait_for(0, 2, 4)
        for first, status in ((2, 404), (0, 400), (4, 400)):
            gate.release(first, {"detail": "No."}, status)
        with pytest.raises(NotFoundError):
            await task
    assert (0, [], [*range(8)]) == account_for(progress)


async def test_a_slow_iterator_does_not_hold_back_requests() -> None:
    """While an iterator waits, requests are sent, responses are processed, and a request that fails ends the call."""
    gate, progress = Gate(), AddProgress()
    source = Source([*PHONES[:20]], {5: asyncio.Event()})
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, source, chunk=2, progress=progress))
        await gate.wait_for(0, 2)
        gate.release(0)
        while progress.result.created < 2:
            await asyncio.sleep(0)
        gate.release(2, {"detail": "No."}, 400)
        with pytest.raises(PartialFailureError) as caught:
            await task
    assert (2, [], [2, 3, 4]) == account_for(caught.value)
    assert ({task}, 1) == (source.tasks, source.closed)
    assert 0 == task.cancelling()


async def test_an_async_iterator_that_ignores_the_end() -> None:
    """An async generator that goes on after it was told to stop does no harm: what it produces counts as not done."""
    gate, progress = Gate(), AddProgress()

    async def stubborn() -> AsyncIterator[str]:
        for row in range(6):
            if row == 3:
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.Event().wait()
            yield PHONES[row]

    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, stubborn(), chunk=2, progress=progress))
        await gate.wait_for(0)
        gate.release(0, {"detail": "No."}, 400)
        with pytest.raises(BadRequestError):
            await task
    assert (0, [], [0, 1, 2, 3]) == account_for(progress)
    assert 0 == task.cancelling()


@pytest.mark.parametrize("how", ["cancel", "timeout", "close", "abandon"])
async def test_each_way_to_end_from_outside(how: str) -> None:
    """A cancellation, a deadline, closing the session and closing the coroutine end the call at once.

    The requests in flight are cancelled, and their rows are unknown. The iterator is closed by the task that read it.
    """
    gate, progress = Gate(), AddProgress()
    source = Source([*PHONES[:11]], {11: asyncio.Event()})
    async with serving(gate.handle) as tingting:

        async def add() -> Any:
            return await tingting.contacts.add_many(1, source, chunk=2, progress=progress)

        async def add_or_abandon() -> None:
            if how == "timeout":
                async with asyncio.timeout(None) as limit:
                    limits.append(limit)
                    await add()
            elif how == "abandon":
                await Abandoned(add(), abandon)
            else:
                await add()

        limits, abandon = list[asyncio.Timeout](), asyncio.Event()
        task = asyncio.create_task(add_or_abandon())
        await gate.wait_for(0, 2, 4, 6, 8)
        gate.release(2)
        gate.release(6)
        while progress.result.created < 4:
            await asyncio.sleep(0)
        if how == "cancel":
            task.cancel("stop")
        elif how == "timeout":
            limits[0].reschedule(0)
        elif how == "close":
            await tingting.aclose()
        else:
            abandon.set()
        await asyncio.wait([task])
        for first in [*gate.held]:
            gate.release(first)
    assert (4, [0, 1, 4, 5, 8, 9], [10]) == account_for(progress)
    assert (Rows(range(2), range(4, 6), range(8, 10)), Rows(range(10, 11))) == (progress.unknown, progress.not_done)
    assert how == "abandon" or ({task}, 1) == (source.tasks, source.closed)
    if how == "cancel":
        assert task.cancelled()
    elif how != "abandon":
        error = task.exception()
        assert isinstance(error, TimeoutError if how == "timeout" else PartialFailureError)
        partial = PartialFailureError.behind(error)
        assert account_for(progress) == account_for(partial)
        assert how != "close" or isinstance(partial.__cause__, SessionClosedError)  # type: ignore[union-attr]


async def test_cancelled_while_the_iterator_waits() -> None:
    """A cancellation reaches an iterator that waits, and the call ends with it, even if nothing is in flight."""
    gate, progress = Gate(), AddProgress()
    source = Source([*PHONES[:11]], {3: asyncio.Event()})
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, source, chunk=2, progress=progress))
        await gate.wait_for(0)
        gate.release(0)
        while not progress.result.created:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert (2, [], [2]) == account_for(progress)
    assert ({task}, 1) == (source.tasks, source.closed)


def produce(note: Callable[[str], None], fails_at: int = -1, bad: int = -1) -> Iterator[str]:
    """Yield nine numbers; note each step, and the end."""
    try:
        for row in range(9):
            note(str(row))
            if row == fails_at:
                raise LookupError
            yield "98" if row == bad else PHONES[row]
    finally:
        note("closed")


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(("options", "left"), [({}, []), ({"fails_at": 5}, [4]), ({"bad": 4}, [4, 5])])
async def test_an_iterator_ends_while_requests_are_in_flight(
    is_async: bool, options: dict[str, int], left: list[int]
) -> None:
    """If an iterator fails or produces a bad row, the requests in flight are awaited, and then it is closed."""
    gate, noted, tasks = Gate(), list[str](), set[Any]()

    def note(what: str) -> None:
        noted.append(what)
        tasks.add(asyncio.current_task())

    async def produce_later() -> AsyncIterator[str]:
        rows = produce(note, **options)
        try:
            for row in rows:
                await asyncio.sleep(0)
                yield row
        finally:
            rows.close()  # type: ignore[attr-defined]

    async with serving(gate.handle) as tingting:
        given: Any = produce_later() if is_async else produce(note, **options)
        task = asyncio.create_task(tingting.contacts.add_many(1, given, chunk=2))
        await gate.wait_for(*((0, 2) if left else (0, 2, 4, 6, 8)))
        assert not task.done()
        for first in [*gate.held]:
            gate.release(first)
        await asyncio.wait([task])
    assert ("closed", 1) == (noted[-1], noted.count("closed"))
    assert {task} == tasks
    if not left:
        assert 9 == task.result().created
    else:
        error = task.exception()
        assert (4, [], left) == account_for(error)
        assert isinstance(error.__cause__, LookupError if "fails_at" in options else UsageError)  # type: ignore[union-attr]


async def test_closing_an_iterator_fails() -> None:
    """If the iterator cannot be closed after everything was added, the error says that everything was."""

    class Failing(Source):
        async def aclose(self) -> None:
            raise LookupError

    gate = Gate()
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, Failing(PHONES[:3]), chunk=2))
        await gate.wait_for(0, 2)
        gate.release(0)
        gate.release(2)
        with pytest.raises(PartialFailureError, match="The iterator raised LookupError") as caught:
            await task
    assert (3, [], []) == account_for(caught.value)


async def test_errors_of_rows_that_were_not_sent() -> None:
    """An error of the service for an index that the request does not have is kept, but is that of no row."""
    gate = Gate()
    errors = [{"row": 2, "error": "a"}, {"row": -1, "error": "b"}, {"row": 1, "error": "c"}]
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:4], chunk=2))
        await gate.wait_for(0, 2)
        gate.release(2, {"created": 1, "skipped": 0, "contacts": [], "errors": errors})
        gate.release(0)
        done = await task
    assert {0: "0", 3: "c"} == done.errors
    assert ({"row": 2, "error": "a"}, {"row": -1, "error": "b"}) == done.other_errors


@pytest.mark.parametrize(
    ("kind", "keep", "expected"),
    [(list, None, True), (iter, None, False), (list, False, False), (iter, True, True), (Source, None, False)],
)
async def test_keeping_contacts(kind: Any, keep: bool | None, expected: bool) -> None:
    """The result has the new contacts of a list, and not those of an iterator, unless the caller says otherwise."""
    gate = Gate()
    async with serving(gate.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, kind(PHONES[:3]), chunk=2, keep_contacts=keep))
        await gate.wait_for(0, 2)
        gate.release(2)
        gate.release(0)
        done = await task
        with pytest.raises(UsageError, match="`keep_contacts` must be"):
            await tingting.contacts.add_many(1, PHONES[:3], keep_contacts=1)
    assert (3, [0, 1, 2] if expected else []) == (done.created, sorted(contact.id for contact in done.contacts))


@pytest.mark.parametrize("is_async", [False, True])
async def test_rows_of_an_iterator_are_not_kept(is_async: bool) -> None:
    """However long an iterator is, only the rows of the requests in flight, and of the one that is read, are alive."""
    alive, most = weakref.WeakSet[Any](), 0

    class Variables(dict[str, Any]):
        __hash__ = object.__hash__  # type: ignore[assignment]

    async def handle(request: web.Request) -> web.StreamResponse:
        rows = (await request.json())["contacts"]
        contacts = [{"id": 1, "number": row["number"]} for row in rows]
        return web.json_response({"created": len(rows), "skipped": 0, "contacts": contacts, "errors": None})

    def make() -> Iterator[NewContact]:
        nonlocal most
        for row in range(600):
            alive.add(variables := Variables(name="Sita"))
            most = max(most, len(alive))
            yield NewContact(9_800_000_000 + row, variables)

    async def make_later() -> AsyncIterator[NewContact]:
        for contact in make():
            yield contact

    async with serving(handle) as tingting:
        done = await tingting.contacts.add_many(1, make_later() if is_async else make(), chunk=20, concurrency=4)
    assert (600, ()) == (done.created, done.contacts)
    assert 20 * 5 + 1 >= most


async def test_the_memory_of_an_iterator() -> None:
    """Ten times as many rows from an iterator take no more memory."""

    async def handle(request: web.Request) -> web.StreamResponse:
        count = (await request.read()).count(b'"number"')
        return web.json_response({"created": count, "skipped": 0, "contacts": [], "errors": None})

    peaks: list[int] = []
    async with serving(handle) as tingting:
        for rows in (1_000, 2_000, 20_000):
            gc.collect()
            tracemalloc.start()
            try:
                numbers = (9_800_000_000 + row for row in range(rows))
                done = await tingting.contacts.add_many(1, numbers, chunk=500, concurrency=2)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert (rows, ()) == (done.created, done.contacts)
    assert peaks[1] + 500_000 > peaks[2]


def test_numbers_take_little_memory() -> None:
    """Recognising numbers that are given twice takes 2 bytes a number, and less for adjacent ones."""
    chance = random.Random(1)
    for numbers, most in (
        ([str(9_800_000_000 + row) for row in range(30_000)], 20_000),
        ([str(chance.choice((97, 98)) * 10**8 + chance.randrange(10**8)) for _ in range(30_000)], 1_200_000),
    ):
        gc.collect()
        tracemalloc.start()
        try:
            seen = NumberSet()
            new = sum(seen.add(number) for number in numbers)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(set(numbers)) == new
        assert not any(seen.add(number) for number in numbers)
        assert most > size


def test_numbers_are_recognised() -> None:
    """A set of numbers knows exactly those that it was given, in whatever order, dense or sparse."""
    chance = random.Random(2)
    seen, known = NumberSet(), set[str]()
    for _ in range(60_000):
        base = chance.choice((15_970_425, 9_800_000_000, 9_800_065_536, 9_779_999_999))
        number = str(base + int(chance.expovariate(1 / chance.choice((10, 3000)))))
        assert (number not in known) == seen.add(number)
        known.add(number)


async def test_cancelled_as_the_last_request_ends() -> None:
    """A cancellation in the very iteration of the event loop in which the last call ends stays a cancellation."""
    loop = asyncio.get_running_loop()
    response: asyncio.Future[None] = loop.create_future()
    items = [1]

    async def produce() -> int | None:
        return items.pop() if items else None

    async def call(_: int) -> None:
        await response

    tasks: list[asyncio.Task[None]] = []

    def start(coroutine: Any) -> "asyncio.Task[None]":
        tasks.append(loop.create_task(coroutine))
        return tasks[-1]

    job = asyncio.ensure_future(for_each(produce, call, start, limit=8, operation="contacts.add_many"))
    while not tasks:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    loop.call_soon(job.cancel)
    response.set_result(None)
    with pytest.raises(asyncio.CancelledError):
        await job
