"""Adding many contacts: rows are checked before they are sent, and accounted for however the call ends."""

import asyncio
import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import anyio
import pytest
from aiohttp import web
from support.servers import closed_port
from support.v1 import connect, serving

from tingting_async import NotFoundError, PartialFailureError, RequestRetried, RetryPolicy, UsageError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import AddProgress, NewContact, TingTing

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + row) for row in range(400)]


class Service:
    """Adds contacts, and holds back the response to one request, or the request itself."""

    def __init__(self, *, holds: int = -1) -> None:
        self.holds = holds
        self.added: list[str] = []
        self.requests = 0
        self.is_held = asyncio.Event()
        self.released = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to a request that adds many contacts."""
        number, self.requests = self.requests, self.requests + 1
        rows = (await request.json())["contacts"]
        self.added += [row["number"] for row in rows]
        if number == self.holds:
            self.is_held.set()
            await self.released.wait()
        return web.json_response(
            {"created": len(rows), "skipped": 0, "contacts": [], "errors": [{"row": 0, "error": "e"}]}, status=201
        )


def account_for(partial: Any) -> tuple[int, list[int], list[int]]:
    """Return how many contacts were added, which rows may have been, and which were not."""
    return partial.result.created, list(partial.unknown), list(partial.not_done)


@pytest.mark.parametrize("as_iterator", [True, False])
async def test_a_cancellation_has_what_was_added(as_iterator: bool) -> None:
    """A cancelled call ends with the same cancellation, and its cause says what was added, may have been, and not."""
    service, progress = Service(holds=2), AddProgress()
    async with serving(service.handle) as tingting:
        given: Any = iter(PHONES[:10]) if as_iterator else PHONES[:10]
        task = asyncio.create_task(tingting.contacts.add_many(1, given, chunk=3, concurrency=1, progress=progress))
        await service.is_held.wait()
        task.cancel("stop")
        with pytest.raises(asyncio.CancelledError, match="stop") as caught:
            await task
        service.released.set()
    assert task.cancelled()
    expected = (6, [6, 7, 8], [] if as_iterator else [9])
    assert expected == account_for(caught.value.__cause__) == account_for(progress)
    assert caught.value.__cause__ is PartialFailureError.behind(caught.value)
    assert {0: "e", 3: "e"} == progress.result.errors


@pytest.mark.parametrize("limit", ["timeout", "wait_for"])
async def test_a_deadline_has_what_was_added(limit: str) -> None:
    """A deadline of asyncio raises its TimeoutError, and what was added is behind it."""
    service = Service(holds=1)
    async with serving(service.handle) as tingting:

        async def add() -> None:
            call = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:5], chunk=2, concurrency=1))
            await service.is_held.wait()
            if limit == "wait_for":
                await asyncio.wait_for(call, 0)
            else:
                async with asyncio.timeout(0):
                    await call

        with pytest.raises(TimeoutError) as caught:
            await add()
        service.released.set()
    assert (2, [2, 3], [4]) == account_for(PartialFailureError.behind(caught.value))


async def test_a_cancelled_scope_has_what_was_added() -> None:
    """A cancel scope of anyio swallows the cancellation; the progress that was passed in has the data."""
    service, progress = Service(holds=1), AddProgress()
    async with serving(service.handle) as tingting, anyio.create_task_group() as group:

        async def stop() -> None:
            await service.is_held.wait()
            scope.cancel()

        group.start_soon(stop)
        with anyio.CancelScope() as scope:
            await tingting.contacts.add_many(1, PHONES[:5], chunk=2, concurrency=1, progress=progress)
        service.released.set()
    assert scope.cancelled_caught
    assert (2, [2, 3], [4]) == account_for(progress)


async def test_cancelled_before_anything_left() -> None:
    """A call that is cancelled while it waits for a slot has sent nothing, and says so."""
    service = Service(holds=0)
    async with serving(service.handle, api_token="key", max_in_flight=1) as tingting:
        first = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:2]))
        await service.is_held.wait()
        second = asyncio.create_task(tingting.contacts.add_many(1, PHONES[2:5], chunk=2))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await second
        service.released.set()
        await first
    assert (0, [], [0, 1, 2]) == account_for(caught.value.__cause__)


async def test_cancelled_between_two_attempts() -> None:
    """A call that is cancelled in the pause after a connection was refused has sent nothing, and says so."""
    paused = asyncio.Event()
    retries = RetryPolicy(initial_backoff=60)
    async with TingTing(base_url=f"http://127.0.0.1:{closed_port()}", api_token="key", retries=retries) as tingting:
        tingting.subscribe(lambda event: paused.set() if isinstance(event, RequestRetried) else None)
        task = asyncio.create_task(tingting.contacts.add_many(1, PHONES[:3]))
        await paused.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert (0, [], [0, 1, 2]) == account_for(caught.value.__cause__)


async def test_cancelled_at_every_step() -> None:
    """Wherever a call is cancelled, each row that reached the service is reported as added, or as unknown."""
    for steps in range(1, 160, 3):
        service, progress = Service(), AddProgress()
        async with serving(service.handle) as tingting:
            add = tingting.contacts.add_many(1, PHONES[:8], chunk=2, concurrency=1 + steps % 2, progress=progress)
            task = asyncio.create_task(add)
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        created, unknown, not_done = account_for(progress)
        assert 8 == created + len({*unknown, *not_done})
        added = {PHONES.index(number) for number in service.added}
        assert set(range(8)) - {*unknown, *not_done} <= added <= set(range(8)) - {*not_done}
        if not task.cancelled():
            assert (8, [], []) == (created, unknown, not_done)


async def test_progress_of_a_call_that_succeeds() -> None:
    """After a success, the progress has the same result, and no other row."""
    progress = AddProgress()
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        done = await tingting.contacts.add_many(campaign, PHONES[:25], chunk=10, progress=progress)
        assert done == progress.result
        assert (25, [], []) == account_for(progress)
        with pytest.raises(UsageError, match="`progress` must be an"):
            await tingting.contacts.add_many(campaign, PHONES[25:30], progress=progress)
        assert 25 == await tingting.contacts.list(campaign).count()


async def test_no_partial_failure_behind_another_error() -> None:
    """`PartialFailureError.behind` returns None for an error without one, and ends for causes in a circle."""
    first, second = ValueError(), LookupError()
    assert PartialFailureError.behind(first) is None
    first.__cause__, second.__cause__ = second, first
    assert PartialFailureError.behind(first) is None


BAD_VALUES = [Decimal(1), date(2026, 1, 1), float("nan"), float("inf"), 2**64, "\ud800", {1}, b"b", object()]
BAD_NUMBERS: list[Any] = ["98", "9800000001;9800000002", None, 1.5, "", "+1 212 555 0100"]


@pytest.mark.parametrize("value", [*BAD_VALUES, [Decimal(1)], {"a": {1: 2}}])
async def test_a_variable_that_cannot_be_sent(value: Any) -> None:
    """A variable that cannot be encoded is refused before the first request, by its row and its name."""
    rows: list[Any] = [NewContact(number, {"name": "a", "amount": "5"}) for number in PHONES[:220]]
    rows[219] = NewContact(PHONES[219], {"name": "a", "amount": value})
    async with serving(Service().handle) as tingting:
        with pytest.raises(UsageError, match=r"contacts\[219\]\.variables\['amount'\]` cannot be encoded") as caught:
            await tingting.contacts.add_many(1, rows)
        assert 0 == tingting.requests_sent
    assert ["contacts[219].variables['amount']"] == [where for where, _ in caught.value.problems]


@pytest.mark.parametrize(
    "call",
    [
        lambda contacts, given: contacts.add(1, PHONES[0], variables=given),
        lambda contacts, given: contacts.set_variables(1, given),
    ],
)
async def test_a_variable_of_one_contact(call: Any) -> None:
    """The variables of one contact are refused by their names, too."""
    async with serving(Service().handle) as tingting:
        with pytest.raises(UsageError) as caught:
            await call(tingting.contacts, {"a": "1", "amount": Decimal(5), "when": date(2026, 1, 1)})
        assert 0 == tingting.requests_sent
    assert ["variables['amount']", "variables['when']"] == [where for where, _ in caught.value.problems]


def spoil(chance: random.Random, row: int) -> tuple[Any, list[str]]:
    """Return a row that may not be valid, and where it is not."""
    where, number = f"contacts[{row}]", PHONES[row]
    variables: Any = {"name": "a"}
    match chance.choice(["", "", "number", "variable", "both", "name", "mapping", "twice"]):
        case "number":
            return chance.choice(BAD_NUMBERS), [where]
        case "variable":
            return NewContact(number, {**variables, "x": chance.choice(BAD_VALUES)}), [f"{where}.variables['x']"]
        case "both":
            given = NewContact(chance.choice(BAD_NUMBERS), {"x": chance.choice(BAD_VALUES), **variables})
            return given, [where, f"{where}.variables['x']"]
        case "name":
            return NewContact(number, {5: "a", **variables}), [f"{where}.variables[5]"]
        case "mapping":
            return NewContact(number, [variables]), [f"{where}.variables"]  # type: ignore[arg-type]
        case "twice":
            return f"0{PHONES[0]}", [where]
        case _:
            return NewContact(number, variables), []


async def test_every_row_that_is_not_valid_is_named() -> None:
    """One error names all rows that are wrong, in any way, and nothing is sent."""
    chance = random.Random(14)
    async with serving(Service().handle) as tingting:
        for _ in range(40):
            spoilt = [spoil(chance, row) for row in range(1, chance.randrange(10, 60))]
            with pytest.raises(UsageError) as caught:
                await tingting.contacts.add_many(1, [PHONES[0], *(given for given, _ in spoilt)])
            expected = [where for _, places in spoilt for where in places]
            assert expected == [where for where, _ in caught.value.problems]
        assert 0 == tingting.requests_sent


async def test_errors_are_bounded() -> None:
    """However many rows are not valid, the error has a short text and at most a thousand problems."""
    async with serving(Service().handle) as tingting:
        with pytest.raises(UsageError, match="And 4997 more") as caught:
            await tingting.contacts.add_many(1, [NewContact("98", {"k" * 5_000: b""})] * 2_500)
        assert 0 == tingting.requests_sent
    assert 1_000 == len(caught.value.problems)
    assert 1_500 > len(str(caught.value))


async def test_an_iterator_is_read_chunk_by_chunk() -> None:
    """An iterator is read only as far as requests are made: it may have no end."""
    service, read = Service(), list[int]()

    def produce() -> Iterator[str]:
        for row, number in enumerate(PHONES[:10]):
            read.append(row)
            assert row // 3 == service.requests
            yield number

    async with serving(service.handle) as tingting:
        done = await tingting.contacts.add_many(1, produce(), chunk=3, concurrency=1)
    assert (10, list(range(10)), PHONES[:10]) == (done.created, read, service.added)


async def test_a_later_chunk_of_an_iterator_that_is_not_valid() -> None:
    """A row that is not valid in a later chunk of an iterator is named, and the error says what was added before."""
    service = Service()
    async with serving(service.handle) as tingting:
        for bad in ("98", "0" + PHONES[1], NewContact(PHONES[7], {"x": b""})):
            service.added.clear()
            with pytest.raises(PartialFailureError, match=r"6 contacts were added.*`contacts\[7\]") as caught:
                await tingting.contacts.add_many(1, iter([*PHONES[:7], bad, *PHONES[8:12]]), chunk=3)
            assert (6, [], [6, 7, 8]) == account_for(caught.value)
            assert isinstance(caught.value.__cause__, UsageError)
            assert PHONES[:6] == service.added


async def test_an_iterator_that_fails() -> None:
    """An iterator's own error is raised if nothing was added; later it is the cause of a PartialFailureError.

    The rows that the iterator produced before it failed count as not done.
    """

    def fail(after: int) -> Iterator[str]:
        yield from PHONES[:after]
        raise LookupError("no more rows of Sita, 9800000001")

    service = Service()
    async with serving(service.handle) as tingting:
        with pytest.raises(LookupError):
            await tingting.contacts.add_many(1, fail(2), chunk=3)
        with pytest.raises(PartialFailureError, match=r"3 contacts were added.*raised LookupError\.$") as caught:
            await tingting.contacts.add_many(1, fail(5), chunk=3)
    assert (3, [], [3, 4]) == account_for(caught.value)
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("contacts", [{PHONES[0]: {"name": "a"}}, PHONES[0], b"98", 5, None])
async def test_what_is_no_list(contacts: Any) -> None:
    """A mapping, whose values would be lost, and a text are refused."""
    async with serving(Service().handle) as tingting:
        with pytest.raises(UsageError, match="`contacts` must be a list"):
            await tingting.contacts.add_many(1, contacts)
        assert 0 == tingting.requests_sent


@pytest.mark.parametrize("contacts", [[], (), iter([]), set[str]()])
async def test_no_contacts(contacts: Any) -> None:
    """No contacts are refused, and nothing is sent."""
    async with serving(Service().handle) as tingting:
        with pytest.raises(UsageError, match="`contacts` is empty"):
            await tingting.contacts.add_many(1, contacts)
        assert 0 == tingting.requests_sent


CONTACT = {"id": 7, "number": "9800000001", "status": "not started"}


@pytest.mark.parametrize(
    "body",
    [
        CONTACT,
        {"message": "New Contact added", "contact": CONTACT},
        {"message": "New Contact added", "data": CONTACT},
        {"created": 1, "skipped": 0, "contacts": [CONTACT], "errors": None},
    ],
)
async def test_forms_of_an_added_contact(body: Any) -> None:
    """The contact is found in each form that the response may have, and other fields are kept."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=201)

    async with serving(handle) as tingting:
        added = await tingting.contacts.add(1, PHONES[0])
    assert added.contact is not None
    assert (7, "9800000001", body.get("message")) == (added.contact.id, added.contact.number, added.message)
    assert body.keys() - {"message", "contact", "contacts", "data", *CONTACT} == added.extra.keys()


async def test_a_first_request_that_is_refused_after_a_progress() -> None:
    """If the first request is refused, the progress says that no row was sent."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "Not found."}, status=404)

    progress = AddProgress()
    async with serving(handle, TingTing) as tingting:
        with pytest.raises(NotFoundError):
            await tingting.contacts.add_many(1, PHONES[:3], chunk=2, progress=progress)
    assert (0, [], [0, 1, 2]) == account_for(progress)


@pytest.mark.parametrize("chunk", [1, 2])
async def test_a_first_request_whose_response_is_lost(chunk: int) -> None:
    """If the response to the first request is lost, its rows may have been added, even if it is a single one."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        [campaign] = sandbox.world.campaigns
        with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
            with pytest.raises(PartialFailureError) as caught:
                await tingting.contacts.add_many(campaign, PHONES[:3], chunk=chunk, concurrency=1)
    assert (0, [*range(chunk)], [*range(chunk, 3)]) == account_for(caught.value)


@pytest.mark.parametrize("kind", [list, tuple, iter])
async def test_other_tasks_run_while_rows_are_checked(kind: Any) -> None:
    """While thousands of rows are checked, other tasks get a turn every few hundred rows, and nothing was sent yet."""
    chance = random.Random(3)
    service, turns, rows = Service(), 0, 3000
    kinds = (int, str, NewContact, lambda number: NewContact(number, {"name": "Sita"}))
    contacts: list[Any] = [chance.choice(kinds)(9_800_000_000 + row) for row in range(rows)]
    given = kind([*contacts, "no number"])

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with serving(service.handle) as tingting:
        counter = asyncio.create_task(count())
        with pytest.raises(UsageError, match=f"contacts\\[{rows}\\]"):
            await tingting.contacts.add_many(1, given, chunk=rows + 1)
        counter.cancel()
    assert rows // 300 <= turns
    assert 0 == service.requests


async def test_contacts_that_change_while_they_are_checked() -> None:
    """The contacts are those that the list had at the call, whatever other tasks do to it meanwhile."""
    service, contacts = Service(), list(PHONES)
    async with serving(service.handle) as tingting:
        task = asyncio.create_task(tingting.contacts.add_many(1, contacts))
        await asyncio.sleep(0)
        contacts.clear()
        await task
    assert PHONES == service.added
