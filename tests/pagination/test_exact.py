"""Exact iteration: nothing is missed or repeated while the list changes, or the error says so."""

import asyncio
import random
from typing import Any

import pytest
from support.pages import PagedService, Row

from tingting_async import NotFoundError, Page, PaginationError, ServerError, SessionClosedError, TingTing, UsageError
from tingting_async.http.messages import Params
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


class ChangingService(PagedService):
    """A list of rows that changes between pages, as a seeded script says.

    Args:
        seed: The seed of the script.
        by_offset: Whether pages are requested by limit and offset, not by number.
        changes: How many changes happen; random if not given.
        likelihood: How likely a change is before each page; random if not given.
        kinds: The kinds of changes: "add" and "delete" a row, "move" one anywhere or to the "front".
    """

    def __init__(
        self,
        seed: int,
        *,
        by_offset: bool = True,
        changes: int | None = None,
        likelihood: float | None = None,
        kinds: tuple[str, ...] = ("add", "delete", "move", "front"),
    ) -> None:
        super().__init__(by_offset=by_offset)
        self.random = random.Random(seed)
        self.items = [Row(number) for number in range(self.random.randint(0, 120))]
        self.stayed = set(self.items)
        """The rows that were in the list all the time."""
        self.changes, self.likelihood = self.random.randint(0, 40), self.random.random()
        self.changes = self.changes if changes is None else changes
        self.likelihood = self.likelihood if likelihood is None else likelihood
        self.kinds = kinds
        self.page_size = 100 if by_offset else 10
        self.has_empty_pages = True
        self.next_id = 1000

    def change(self) -> None:
        """Add, delete or move a row."""
        self.changes -= 1
        kind = self.random.choice(self.kinds)
        if kind == "add" or not self.items:
            self.next_id += 1
            self.items.insert(self.random.randint(0, len(self.items)), Row(self.next_id))
            return
        row = self.items.pop(self.random.randrange(len(self.items)))
        if kind == "delete":
            self.stayed.discard(row)
        else:
            self.items.insert(0 if kind == "front" else self.random.randint(0, len(self.items)), row)

    def page(self, params: Params) -> Page[Row]:
        """Return a page after the list has changed."""
        while self.changes and self.random.random() < self.likelihood:
            self.change()
        return super().page(params)


def steady(total: int, *, page_size: int = 100) -> PagedService:
    """Return a list of rows that does not change, by limit and offset."""
    service = PagedService(by_offset=True)
    service.items = [Row(number) for number in range(total)]
    service.page_size = page_size
    service.has_empty_pages = True
    return service


@pytest.mark.parametrize("by_offset", [False, True])
async def test_seeded_scripts(by_offset: bool) -> None:
    """In 500 scripts of changes, exact iteration with a high `max_cost` misses no row that stayed. A plain one does."""
    missed_by_plain = 0
    for seed in range(250):
        service = ChangingService(seed, by_offset=by_offset)
        seen = [row async for row in service.list(exact=True, max_cost=50)]
        assert len(seen) == len(set(seen))
        assert service.stayed <= set(seen)
        plain = ChangingService(seed, by_offset=by_offset)
        try:
            missed_by_plain += not plain.stayed <= {row async for row in plain.list()}
        except PaginationError:
            missed_by_plain += 1
    assert missed_by_plain > 25


@pytest.mark.parametrize(
    ("total", "page_size", "requests"),
    [
        (7, 100, 1),  # One page.
        (57, 100, 2 * 6),  # Two passes.
        (57, 10, 2 * 7),  # The same, with pages of nine new rows because the service caps the limit.
        (1000, 100, 100 + 10),  # One pass, and ten samples.
        (1000, 10, 111 + 10),
    ],
)
async def test_cost_of_exactness(total: int, page_size: int, requests: int) -> None:
    """A steady list costs one page, or two passes if it is short, or little more than one pass."""
    service = steady(total, page_size=page_size)
    assert [row async for row in service.list(exact=True)] == service.items
    assert len(service.requested) == requests


@pytest.mark.parametrize(("total", "requests"), [(7, 1), (57, 2 * 6), (1000, 2 * 100)])
async def test_cost_of_exactness_by_number(total: int, requests: int) -> None:
    """By page number, a steady list of several pages costs two passes."""
    service = PagedService()
    service.items = [Row(number) for number in range(total)]
    assert [row async for row in service.list(exact=True)] == service.items
    assert len(service.requested) == requests


async def test_timeout_while_pages_are_read_again() -> None:
    """A consumer that is cancelled after the first pass, and returns, still gets no pass confirmed by itself."""
    service = steady(300)
    iterator = aiter(service.list(exact=True, window=1))
    seen = [await anext(iterator) for _ in range(300)]
    requested = len(service.requested)
    service.held[1] = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(iterator)
    assert len(service.requested) == requested + 1
    service.held[1].set()
    service.items.insert(0, Row(1000))
    assert [row async for row in iterator] == [Row(1000)]
    assert len(set(seen)) == 300
    assert len(service.requested) > requested + 30


async def test_aclose_while_pages_are_read_again() -> None:
    """Closing the iterator after the first pass, while another task waits for it, raises SessionClosedError there."""
    service = steady(300)
    iterator = aiter(service.list(exact=True, window=1))
    for _ in range(300):
        await anext(iterator)
    service.held[1] = asyncio.Event()
    waiting = asyncio.ensure_future(anext(iterator))
    while service.requested[-1] != 1:
        await asyncio.sleep(0)
    await iterator.aclose()
    with pytest.raises(SessionClosedError):
        await waiting
    await service.run_pending()
    assert service.tasks == set()


async def test_collect_and_count() -> None:
    """`collect` and `count` work on an exact list."""
    service = steady(57)
    assert await service.list(exact=True).collect(limit=3) == service.items[:3]
    assert await service.list(exact=True).count() == 57


async def test_list_that_keeps_changing() -> None:
    """A list that changes in every pass ends in a PaginationError that says so, after few requests."""
    service = ChangingService(2, changes=10**9, likelihood=0.9)
    service.items = [Row(number) for number in range(57)]
    iterator = aiter(service.list(exact=True))
    for _ in range(2):
        with pytest.raises(PaginationError, match=r"It is not proven that no row is missing\. .* rows were read"):
            _ = [row async for row in iterator]
    assert len(service.requested) < 50


@pytest.mark.parametrize("page_size", [5, 10, 100])
@pytest.mark.parametrize("kinds", [("add",), ("delete",), ("add", "delete")])
async def test_rows_added_and_deleted_all_the_time(kinds: tuple[str, ...], page_size: int) -> None:
    """If pages overlap, exact iteration ends even though rows are added and deleted all the time."""
    for seed in range(60):
        service = ChangingService(seed, kinds=kinds, changes=10**9, likelihood=0.4)
        service.page_size = page_size
        seen = [row async for row in service.list(exact=True, max_cost=50)]
        assert len(seen) == len(set(seen))
        assert service.stayed <= set(seen)


@pytest.mark.parametrize("page_size", [5, 10, 100])
async def test_rows_moved_all_the_time(page_size: int) -> None:
    """If rows move all the time, exact iteration either misses none or raises a PaginationError."""
    proven = 0
    for seed in range(200):
        service = ChangingService(seed, changes=10**9, likelihood=0.05)
        service.page_size = page_size
        iterator, seen = aiter(service.list(exact=True)), list[Row]()
        try:
            while (row := await anext(iterator, None)) is not None:
                seen.append(row)
        except PaginationError:
            pass
        else:
            assert service.stayed <= set(seen)
            proven += 1
        assert len(seen) == len(set(seen))
    assert proven > 100


async def test_many_rows_deleted_at_once() -> None:
    """If half of a list is deleted at once, exact iteration finds its position again in few requests."""
    service = steady(2000)
    iterator = aiter(service.list(exact=True, window=1))
    before = [await anext(iterator) for _ in range(1000)]
    del service.items[:900]
    requested = len(service.requested)
    assert sorted(row.id for row in before + [row async for row in iterator]) == list(range(2000))
    to_go_back = len(service.requested) - requested - 2 * 110  # Without the rest of this pass, and the next one.
    assert 0 < to_go_back < 25


async def test_list_that_is_replaced() -> None:
    """If all rows that were seen are gone, the pass continues at the start of the list, which it requests once."""
    service = steady(57)
    iterator = aiter(service.list(exact=True, window=1))
    for _ in range(25):
        await anext(iterator)
    service.items = [Row(number) for number in range(100, 157)]
    requested = len(service.requested)
    assert {row.id async for row in iterator} - set(range(57)) == set(range(100, 157))
    assert len(service.requested) - requested < 25


async def test_pages_of_one_row() -> None:
    """If no page has more than one row, pages cannot overlap, so two passes have to see all rows."""
    service = steady(3, page_size=1)
    assert await service.list(exact=True).collect() == service.items
    assert len(service.requested) == 2 * 3


async def test_row_on_two_pages() -> None:
    """If a steady list has a row on two pages, exact iteration does not claim that it saw everything."""
    service = steady(25)
    service.items[12] = service.items[3]  # Replaces row 12, which is on no page now.
    iterator = aiter(service.list(exact=True))
    assert [await anext(iterator) for _ in range(24)] == [row for row in map(Row, range(25)) if row.id != 12]
    for _ in range(2):
        with pytest.raises(PaginationError, match="Each page of two equal passes states 25 rows, but 24 came"):
            await anext(iterator)


# Passes that fail


SECOND_PAGE = "10"
"""The offset of the second page, which begins with the last row of the first page."""


def failing(service: PagedService, failures: list[NotFoundError]) -> None:
    """Let the second page fail with each of these errors, once."""
    fetch = service.fetch

    async def fail(params: Params) -> Page[Row]:
        page = await fetch(params)
        if failures and dict(params)["offset"] == SECOND_PAGE:
            raise failures.pop(0)
        return page

    service.fetch = fail  # type: ignore[method-assign]


async def test_passes_that_fail_differently() -> None:
    """A pass that failed agrees with no other, so iteration goes on until two passes succeed."""
    service = steady(25)
    failing(service, [NotFoundError("one", status=404), NotFoundError("other", status=404)])
    assert [row async for row in service.list(exact=True)] == service.items


async def test_passes_that_fail_in_the_same_way() -> None:
    """Two passes that fail in the same way end in a PaginationError that quotes the failure, never in a 404."""
    service = steady(25)
    failures = [NotFoundError("the same", status=404) for _ in range(6)]
    failing(service, failures)
    with pytest.raises(PaginationError, match="Two passes failed in the same way: the same"):
        await service.list(exact=True).collect()
    assert failures == []


async def test_missing_list() -> None:
    """If the first page of the first pass is missing, its error is raised at once."""
    service = steady(25)
    service.failures = {1: [NotFoundError("gone", status=404)]}
    with pytest.raises(NotFoundError, match="gone"):
        await service.list(exact=True).collect()
    assert service.requested == [1]


async def test_failing_list() -> None:
    """If the first page fails, its error is raised."""
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, api_token=sandbox.api_token, retries=1) as tingting:
        sandbox.faults.add(Fault("status", path="*/campaigns", status=500))
        with pytest.raises(ServerError):
            await tingting.campaigns.list(exact=True).collect()


# Arguments


@pytest.mark.parametrize("max_cost", [0, 0.9, -1, float("inf"), float("nan"), True, "5"])
def test_refused_max_cost(max_cost: Any) -> None:
    """A `max_cost` that is not a number from 1 up is a UsageError."""
    with pytest.raises(UsageError, match=f"`max_cost` is {max_cost!r}; it must be a number from 1 up"):
        PagedService().list(exact=True, max_cost=max_cost)


def test_max_cost_of_a_plain_iteration() -> None:
    """A `max_cost` without `exact` is a UsageError."""
    with pytest.raises(UsageError, match="`max_cost` limits an exact iteration"):
        PagedService().list(max_cost=2)


@pytest.mark.parametrize("max_cost", [1, 3, 10])
async def test_max_cost(max_cost: int) -> None:
    """An exact iteration over a list that never rests sends up to `max_cost` times the requests of a plain one."""
    service = ChangingService(2, changes=10**9, likelihood=0.8)
    service.items = [Row(number) for number in range(300)]
    service.page_size = 10
    with pytest.raises(PaginationError, match="with a higher `max_cost`") as caught:
        await service.list(exact=True, max_cost=max_cost).collect()
    assert len(service.requested) <= max_cost * 31 + 4  # The window.
    assert len(caught.value.items) == len(set(caught.value.items)) > 0


@pytest.mark.parametrize("by_offset", [False, True])
async def test_seeded_max_cost(by_offset: bool) -> None:
    """Whatever list, the requests stay within `max_cost`, the pages that are read again included."""
    failed = 0
    for seed in range(150):
        service = ChangingService(seed, by_offset=by_offset, changes=seed % 3)
        draw = service.random
        service.items = [Row(number) for number in range(draw.randint(0, 600))]
        service.page_size, window = 10, draw.choice((1, 2, 4))
        max_cost, length = draw.choice((1, 1.1, 1.2, 1.5, 2, 3)), len(service.items)
        try:
            await service.list(exact=True, max_cost=max_cost, window=window).collect()
        except PaginationError as error:
            assert str(error).startswith("rows.list: It is not proven that no row is missing. ")
            assert " 1 passes" not in str(error)
            failed += 1
        pages = -(-(length + 2) // 10)
        assert len(service.requested) <= max_cost * (pages + 1) + 2 * window - 1
    assert 10 < failed < 150


async def test_wrong_count_advice() -> None:
    """If the stated count is wrong, the error names the list and does not advise a higher `max_cost`."""
    service = steady(25)
    service.items[12] = service.items[3]
    with pytest.raises(PaginationError, match=r"^rows\.list: .* in 2 passes\. .*The count may be wrong") as caught:
        await service.list(exact=True).collect()
    assert "max_cost" not in str(caught.value)


async def test_items_of_the_error() -> None:
    """If `collect` cannot prove that it has all rows, its error has the rows that were read."""
    service = steady(25)
    service.items[12] = service.items[3]
    with pytest.raises(PaginationError) as caught:
        await service.list(exact=True).collect()
    assert caught.value.items == [row for row in map(Row, range(25)) if row.id != 12]


def test_no_pages() -> None:
    """An exact list has no pages."""
    with pytest.raises(UsageError, match="An exact iteration has no pages"):
        PagedService().list(exact=True).pages()


def test_no_resuming() -> None:
    """An exact list cannot be resumed."""
    with pytest.raises(UsageError, match="An exact iteration cannot be resumed"):
        PagedService().list(exact=True, resume="x")
