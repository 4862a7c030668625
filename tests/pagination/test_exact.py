"""Walks that miss nothing while the list changes, and walks that are gone on with."""

import asyncio
import base64
import random
from collections.abc import Coroutine
from typing import Any

import attrs
import pytest

from tingting_async import (
    NotFoundError,
    Page,
    PaginationError,
    Paginator,
    RetryPolicy,
    ServerError,
    TingTing,
    UsageError,
    v1,
)
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, PaginationStyle
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@attrs.frozen
class Row:
    """A row."""

    id: int


class Changing:
    """A list that changes between pages, as a script of changes says."""

    def __init__(self, seed: int, *, by_number: bool) -> None:
        self.random = random.Random(seed)
        self.rows = [Row(number) for number in range(self.random.randint(0, 120))]
        self.stayed = set(self.rows)
        self.changes = self.random.randint(0, 40)
        self.likely = self.random.random()
        self.next_id = 1000
        self.by_number = by_number
        self.cap = 100
        """How many rows a page has at most, however many are asked for."""
        self.kinds: tuple[str, ...] = ("add", "delete", "move", "front")
        self.asked = 0

    def change(self) -> None:
        """Add, delete or move a row."""
        self.changes -= 1
        what = self.random.choice(self.kinds)
        if what == "add" or not self.rows:
            self.next_id += 1
            self.rows.insert(self.random.randint(0, len(self.rows)), Row(self.next_id))
            return
        row = self.rows.pop(self.random.randrange(len(self.rows)))
        if what == "delete":
            self.stayed.discard(row)
        else:
            self.rows.insert(0 if what == "front" else self.random.randint(0, len(self.rows)), row)

    async def fetch(self, params: Params) -> Page[Row]:
        """Answer one page, once the list has changed."""
        self.asked += 1
        while self.changes and self.random.random() < self.likely:
            self.change()
        asked, total = dict(params), len(self.rows)
        pages = max(1, -(-total // 10))
        number = int(asked.get("page", "1"))
        start = (number - 1) * 10 if self.by_number else int(asked["offset"])
        size = 10 if self.by_number else min(int(asked["limit"]), self.cap)
        return Page(self.rows[start : start + size], number, total, pages, start + size < total)

    def list(self, **options: Any) -> Paginator[Row]:
        """Return the list."""
        style: PaginationStyle = PageNumberPagination("page") if self.by_number else LimitOffsetPagination(10)

        def spawn(coroutine: Coroutine[Any, Any, Page[Row]]) -> "asyncio.Task[Page[Row]]":
            task = asyncio.get_running_loop().create_task(coroutine)
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            return task

        return Paginator(self.fetch, spawn, style, **{"default_window": 4, "fingerprint": "rows.list", **options})


@pytest.mark.parametrize("by_number", [False, True])
async def test_seeded_scripts(by_number: bool) -> None:
    """Over 500 scripts of adding, deleting and moving, an exact walk misses no row that stayed, and repeats none."""
    missed_plainly = proven = 0
    for seed in range(250):
        changing = Changing(seed, by_number=by_number)
        seen = [row async for row in changing.list(exact=True)]
        assert len(seen) == len(set(seen))
        assert changing.stayed <= set(seen)
        proven += 1
        plain = Changing(seed, by_number=by_number)
        try:
            missed_plainly += not plain.stayed <= {row async for row in plain.list()}
        except PaginationError:
            missed_plainly += 1
    assert proven == 250
    assert missed_plainly > 25  # The scripts are such that a plain walk does miss rows.


async def test_cost_of_exactness() -> None:
    """A list that holds still costs twice the requests, and a little more where pages cannot be larger by a row."""
    changing = Changing(1, by_number=False)
    changing.rows, changing.changes = [Row(number) for number in range(57)], 0
    assert [row async for row in changing.list(exact=True)] == changing.rows
    assert changing.asked == 2 * 6
    changing.cap, changing.asked = 10, 0
    assert [row async for row in changing.list(exact=True)] == changing.rows
    assert changing.asked == 2 * 7
    assert await changing.list(exact=True).collect(limit=3) == changing.rows[:3]
    assert await changing.list(exact=True).count() == 57


async def test_list_that_never_holds_still() -> None:
    """A list that changes in every pass ends in a PaginationError that says so, not in a loop."""
    changing = Changing(2, by_number=False)
    changing.rows, changing.changes, changing.likely = [Row(number) for number in range(57)], 10**9, 0.9
    with pytest.raises(PaginationError, match="each of 30 passes"):
        await changing.list(exact=True).collect()


@pytest.mark.parametrize("cap", [5, 10, 100])
@pytest.mark.parametrize("kinds", [("add",), ("delete",), ("add", "delete")])
async def test_list_to_which_rows_come_and_from_which_they_go(kinds: tuple[str, ...], cap: int) -> None:
    """Rows that come and go all the while keep no exact walk from its end, where pages can overlap."""
    for seed in range(60):
        changing = Changing(seed, by_number=False)
        changing.kinds, changing.cap, changing.changes, changing.likely = kinds, cap, 10**9, 0.4
        seen = [row async for row in changing.list(exact=True)]
        assert len(seen) == len(set(seen))
        assert changing.stayed <= set(seen)


async def test_many_rows_that_go_at_once() -> None:
    """Where half of a list goes at once, an exact walk finds back to where it was in few requests."""
    changing = Changing(1, by_number=False)
    changing.rows, changing.changes = [Row(number) for number in range(2000)], 0
    walk = aiter(changing.list(exact=True, window=1))
    before = [await anext(walk) for _ in range(1000)]
    del changing.rows[:900]
    asked = changing.asked
    assert sorted(row.id for row in before + [row async for row in walk]) == list(range(2000))
    back = changing.asked - asked - 2 * 110  # Without the rest of this pass, and the next one.
    assert 0 < back < 25


async def test_list_that_is_replaced() -> None:
    """Where all rows that were seen are gone, the pass goes on from the start of the list, and asks for it once."""
    changing = Changing(1, by_number=False)
    changing.rows, changing.changes = [Row(number) for number in range(57)], 0
    walk = aiter(changing.list(exact=True, window=1))
    for _ in range(25):
        await anext(walk)
    changing.rows = [Row(number) for number in range(100, 157)]
    asked = changing.asked
    assert {row.id for row in [row async for row in walk]} - set(range(57)) == set(range(100, 157))
    assert changing.asked - asked < 20


async def test_pages_of_one_row() -> None:
    """Where no page has room for more than a row, nothing is proven, and an exact walk says so."""
    changing = Changing(1, by_number=False)
    changing.rows, changing.changes, changing.cap = [Row(number) for number in range(3)], 0, 1
    with pytest.raises(PaginationError, match="each of 30 passes"):
        await changing.list(exact=True).collect()


@pytest.mark.parametrize("cap", [5, 10, 100])
async def test_list_whose_rows_move_all_the_while(cap: int) -> None:
    """Where rows never cease to move, an exact walk that comes to its end has missed none; else it says so."""
    proven = unproven = 0
    for seed in range(200):
        changing = Changing(seed, by_number=False)
        changing.cap, changing.changes, changing.likely = cap, 10**9, 0.05
        walk, seen = aiter(changing.list(exact=True)), list[Row]()
        try:
            while (row := await anext(walk, None)) is not None:
                seen.append(row)
        except PaginationError:
            unproven += 1
        else:
            assert changing.stayed <= set(seen)
            proven += 1
        assert len(seen) == len(set(seen))
    assert proven > 100


async def test_pages_that_overlap() -> None:
    """Where a list that holds still has a row on two pages, an exact walk does not say that it saw everything."""
    rows = Changing(5, by_number=False)
    rows.rows, rows.changes = [Row(number) for number in range(25)], 0
    rows.rows[12] = rows.rows[3]  # In the place of the twelfth, which no page has then.
    walk = aiter(rows.list(exact=True))
    assert [await anext(walk) for _ in range(24)] == [row for row in map(Row, range(25)) if row.id != 12]
    for _ in range(2):
        with pytest.raises(PaginationError, match="1 of 25 items appeared twice"):
            await anext(walk)


async def test_passes_that_fail() -> None:
    """A pass that failed agrees with no other; failing as the last one did ends the walk; a first page does at once."""
    rows = Changing(6, by_number=False)
    rows.rows, rows.changes = [Row(number) for number in range(25)], 0
    failures = [NotFoundError("one", status=404), NotFoundError("other", status=404)]
    fetch = rows.fetch

    async def failing(params: Params) -> Page[Row]:
        page = await fetch(params)
        if failures and dict(params)["offset"] == "10":  # The second page: the rows from the first one's last.
            raise failures.pop(0)
        return page

    rows.fetch = failing  # type: ignore[method-assign]
    assert [row async for row in rows.list(exact=True)] == rows.rows
    failures += [NotFoundError("the same", status=404) for _ in range(2)]
    with pytest.raises(NotFoundError, match="the same"):
        await rows.list(exact=True).collect()
    assert failures == []
    asked = 0

    async def gone(_: Params) -> Page[Row]:
        nonlocal asked
        asked += 1
        raise NotFoundError("gone", status=404)

    rows.fetch = gone  # type: ignore[method-assign]
    with pytest.raises(NotFoundError, match="gone"):
        await rows.list(exact=True).collect()
    assert asked == 1


async def test_broken_list() -> None:
    """A first page that fails is that failure."""
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, api_token=sandbox.api_token, retries=1) as tingting:
        sandbox.faults.add(Fault("status", path="*/campaigns", status=500))
        with pytest.raises(ServerError):
            await tingting.campaigns.list(exact=True).collect()


async def test_exact_arguments() -> None:
    """An exact walk has neither pages nor a place to go on from."""
    changing = Changing(3, by_number=True)
    with pytest.raises(UsageError, match="no pages"):
        changing.list(exact=True).pages()
    with pytest.raises(UsageError, match="cannot be resumed"):
        changing.list(exact=True, resume="x")
    walk = aiter(changing.list(exact=True))
    await anext(walk)
    await walk.aclose()


@pytest.mark.parametrize("generation", [TingTing, v1.TingTing])
@pytest.mark.parametrize("taken", [0, 1, 9, 10, 11, 35, 56])
async def test_resuming(generation: Any, taken: int) -> None:
    """A later session goes on behind the last item that an earlier one took, by its token alone."""
    async with Sandbox(campaigns=57, page_parameter="page_number") as sandbox:
        async with generation(
            base_url=sandbox.url, api_token=sandbox.api_token, retries=RetryPolicy(initial_backoff=0)
        ) as first:
            everything = await first.campaigns.list().collect()
            walk = aiter(first.campaigns.list())
            seen = [await anext(walk) for _ in range(taken)]
            token = walk.resume_token
            await walk.aclose()
        async with generation(base_url=sandbox.url, api_token=sandbox.api_token) as second:
            resumed = second.campaigns.list(resume=token)
            assert seen + [campaign async for campaign in resumed] == everything
            assert seen + await resumed.collect() == everything
            assert await resumed.collect(limit=1) == everything[taken : taken + 1]


async def test_tokens() -> None:
    """A walk that has ended has no token; another list's token, or none at all, is refused."""
    async with Sandbox(campaigns=3) as sandbox, TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        walk: Any = aiter(tingting.campaigns.list())
        token = walk.resume_token
        assert [campaign async for campaign in walk]
        assert walk.resume_token is None
        with pytest.raises(UsageError, match=r"not a token of this list \(numbers\.list\)"):
            tingting.numbers.list(1, resume=token)
        nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        for bad in ("", "x", "é", "e30=", "W10=", "WzEsMiwzLDRd", token[:-8], nested):
            with pytest.raises(UsageError, match="not a token"):
                tingting.campaigns.list(resume=bad)
        campaign = next(iter(sandbox.world.campaigns))
        token = aiter(tingting.numbers.list(campaign)).resume_token  # type: ignore[union-attr]
        with pytest.raises(UsageError, match="not a token"):
            tingting.numbers.list(campaign + 1, resume=token)


async def test_pages_from_a_token() -> None:
    """The pages of a list that is gone on with begin with what is left of the page."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        everything = [campaign.id async for campaign in tingting.campaigns.list()]
        for taken in (0, 7, 10, 25):
            walk: Any = aiter(tingting.campaigns.list())
            for _ in range(taken):
                await anext(walk)
            pages = [page async for page in tingting.campaigns.list(resume=walk.resume_token).pages()]
            assert [campaign.id for page in pages for campaign in page.items] == everything[taken:]


async def test_resuming_behind_the_end() -> None:
    """A walk that is resumed at a page that the list has no longer got is at its end."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        walk: Any = aiter(tingting.campaigns.list())
        for _ in range(21):
            await anext(walk)
        for campaign in [campaign async for campaign in tingting.campaigns.list()][:15]:
            await tingting.campaigns.delete(campaign.id)
        assert [campaign async for campaign in tingting.campaigns.list(resume=walk.resume_token)] == []


async def test_noticed_changes() -> None:
    """A plain walk tells whether the list became longer or shorter under it."""
    changing = Changing(4, by_number=False)
    changing.rows, changing.changes = [Row(number) for number in range(57)], 0
    rows = changing.list(window=1)
    await rows.collect()
    assert not rows.has_changed
    async for row in rows:
        if row.id == 25:
            changing.rows.append(Row(1000))
    assert rows.has_changed


async def test_fairness() -> None:
    """A small listing that comes late does not wait for a huge one: their requests take turns."""
    async with (
        Sandbox(campaigns=600) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token, max_in_flight=4) as tingting,
    ):
        await tingting.campaigns.list().collect(limit=30)
        done: list[str] = []

        async def walk(name: str, limit: int | None) -> None:
            await tingting.campaigns.list(window=4).collect(limit=limit)
            done.append(name)

        async with asyncio.TaskGroup() as jobs:
            for _ in range(3):
                jobs.create_task(walk("huge", None))
            await asyncio.sleep(0)
            jobs.create_task(walk("small", 20))
        assert done[0] == "small"
        assert sandbox.peak_in_flight <= 4


async def test_fifty_listings() -> None:
    """Fifty listings on one session all complete, and no more requests are on their way than the cap allows."""
    async with (
        Sandbox(campaigns=57) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token, max_in_flight=8) as tingting,
    ):
        lists = await asyncio.gather(*(tingting.campaigns.list(window=4).collect() for _ in range(50)))
        assert [len(each) for each in lists] == [57] * 50
        assert sandbox.peak_in_flight <= 8


async def test_closed_exact_walk() -> None:
    """A closed exact walk is over: it begins no other pass."""
    rows = Changing(3, by_number=True)
    walk = aiter(rows.list(exact=True))
    await anext(walk)
    await walk.aclose()
    asked = rows.asked
    assert [row async for row in walk] == []
    assert asked == rows.asked
