"""Exact iteration over lists that a server pages: tied, moving, filtered and counted wrongly.

Each test holds the same promise: every row that was in the list throughout is yielded once, or a PaginationError is
raised.
"""

from collections.abc import Callable
from typing import Any

import pytest
from support.lists import ServedList

from tingting_async import PaginationError

pytestmark = pytest.mark.anyio


async def iterate(served: ServedList, **options: Any) -> bool:
    """Iterate over a list exactly, check the promise, and return whether the iteration was completed."""
    ids: list[int] = []
    async with served.iterating(exact=True, **options) as paginator:
        try:
            async for row in paginator:
                ids += [row.id]
        except PaginationError as error:
            assert f"{len(ids)} rows were read" in str(error)
            completed = False
        else:
            assert served.stayed <= set(ids), served.seed
            completed = True
    assert len(ids) == len(set(ids)), served.seed
    return completed


async def completed(make: Callable[[int], ServedList], count: int, **options: Any) -> int:
    """Iterate over so many lists, and return how many iterations were completed."""
    return sum([await iterate(make(seed), **options) for seed in range(count)])


# Ties


@pytest.mark.parametrize("by_offset", [False, True])
@pytest.mark.parametrize("ties_by_query", [False, True])
@pytest.mark.parametrize(("rows", "group"), [(11, 11), (57, 10), (57, 7), (57, 57), (25, 2), (23, 12)])
async def test_ties(rows: int, group: int, ties_by_query: bool, by_offset: bool) -> None:
    """If tied rows come in another order for each query, none is lost in silence, at a bounded cost."""
    for seed in range(8):
        served = ServedList(list(range(rows)), by_offset=by_offset, seed=seed)
        served.group, served.ties_by_query = group, ties_by_query
        await iterate(served)
        assert served.requests <= 5 * (served.plain_cost + 1) + 4  # The window.


@pytest.mark.parametrize("by_offset", [False, True])
async def test_many_ties(by_offset: bool) -> None:
    """If a thousand rows are tied, the disorder shows on the first pages, and iteration gives up early."""
    served = ServedList(list(range(1000)), by_offset=by_offset)
    served.group = 1000
    with pytest.raises(PaginationError, match="The service orders rows differently from one request to the next"):
        await served.collect(exact=True)
    assert served.requests < 60


async def test_few_ties() -> None:
    """A list with few ties is completed: its rows are counted, and all of them are seen twice."""

    def make(seed: int) -> ServedList:
        served = ServedList(list(range(57)), seed=seed)
        served.group = 2
        return served

    assert await completed(make, 20) > 10


# Moves


@pytest.mark.parametrize("by_offset", [False, True])
@pytest.mark.parametrize("kinds", [("move",), ("front",), ("add", "delete", "move", "front")])
@pytest.mark.parametrize("changes", [1, 2, 3, 8, 10**9])
async def test_moves(changes: int, kinds: tuple[str, ...], by_offset: bool) -> None:
    """Whether rows move once, twice or all the time, none is lost in silence."""

    def make(seed: int) -> ServedList:
        served = ServedList(list(range(seed * 10)), by_offset=by_offset, seed=f"{seed} {kinds}")
        served.changes, served.likelihood, served.kinds = changes, 0.1, kinds
        return served

    assert await completed(make, 10) > 4


@pytest.mark.parametrize("by_offset", [False, True])
@pytest.mark.parametrize("before", range(2, 6))
async def test_moves_of_one_row(before: int, by_offset: bool) -> None:
    """A row that moves ahead of the iterator in one pass, and in the next one as well, is found in a later pass."""
    first_pass = 7 if by_offset else 6
    served = Scripted(list(range(57)), by_offset=by_offset)
    served.script = {before: [(56, 10)], first_pass + 1: [(56, 0)]}
    assert await iterate(served, window=1)


HIDDEN: dict[str, dict[int, list[tuple[int, int]]]] = {
    "the first move": {3: [(56, 10), (1000, 57)], 8: [(56, 0)]},
    "the second move": {3: [(56, 10)], 8: [(56, 0), (1000, 57)]},
    "the first move, and the lengths of the second pass differ": {
        3: [(56, 10), (1000, 57)],
        8: [(56, 0)],
        10: [(1001, 58)],
    },
    "the first move, and another row moves the other way": {3: [(56, 10), (1000, 57)], 8: [(56, 0), (2, 30)]},
}
"""Where rows move, or are added, before a request; -1 deletes one. Row 56 is never on a page of two passes."""


@pytest.mark.parametrize("script", HIDDEN.values(), ids=HIDDEN)
async def test_hidden_moves(script: dict[int, list[tuple[int, int]]]) -> None:
    """If a row moves ahead of the iterator in two passes, and other changes hide one of the moves, it is not lost."""
    served = Scripted(list(range(57)))
    served.script = script
    assert await iterate(served, window=1)


@pytest.mark.parametrize("before", range(1, 7))
async def test_changes_that_cancel_out(before: int) -> None:
    """A row that moves, one that is deleted and one that is added leave no trace between two pages. None is lost."""
    served = Scripted(list(range(57)))
    served.script = {before: [(9 * before + 2, 0), (2, -1), (1000, 56)]}
    assert await iterate(served, window=1)


class Scripted(ServedList):
    """A list that changes as a script says."""

    script: dict[int, list[tuple[int, int]]]

    def page(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return a page, after the list has changed."""
        for row, to in self.script.get(self.requests, []):
            if row in self.ids:
                self.ids.remove(row)
            if to < 0:
                self.stayed.discard(row)
            else:
                self.ids.insert(to, row)
        return super().page(query)


# By page number


@pytest.mark.parametrize("window", [1, 4, 8])
async def test_parallel_pages(window: int) -> None:
    """If pages by number are fetched in parallel, one row that is added and one that is deleted do not lose another."""

    def make(seed: int) -> ServedList:
        served = ServedList(list(range(57)), by_offset=False, seed=seed)
        served.changes, served.likelihood, served.kinds = 2, 0.1, ("add", "delete")
        return served

    assert await completed(make, 25, window=window) > 20


async def test_list_that_shrinks_and_grows() -> None:
    """A list by number whose last page comes and goes never ends in a NotFoundError, plain or exact."""
    for seed in range(20):
        for exact in (False, True):
            served = ServedList(list(range(41)), by_offset=False, seed=seed)
            served.changes, served.likelihood, served.kinds = 10**9, 0.5, ("add", "delete")
            if exact:
                await iterate(served)
            else:
                await served.collect()


# Filters and counts


@pytest.mark.parametrize("by_offset", [False, True])
@pytest.mark.parametrize("excess", [1, 30])
async def test_wrong_count(excess: int, by_offset: bool) -> None:
    """If the service does not yield as many rows as it states, nothing is proven, after two passes at most."""
    served = ServedList(list(range(57)), by_offset=by_offset)
    served.cached_count = 57 + excess
    assert not await iterate(served)
    assert served.requests <= 2 * (served.plain_cost + 5) + 4


@pytest.mark.parametrize("by_offset", [False, True])
async def test_filtered_rows(by_offset: bool) -> None:
    """If the service leaves out rows after paging, the count proves nothing, and the error says what came."""
    served = ServedList(list(range(57)), by_offset=by_offset)
    served.hidden = {3, 30, 31}
    served.stayed -= served.hidden
    with pytest.raises(PaginationError, match="states 57 rows, but 54 came") as caught:
        async with served.iterating(exact=True) as paginator:
            await paginator.collect()
    assert [row.id for row in caught.value.items] == [row for row in range(57) if row not in served.hidden]


async def test_seeded_lists() -> None:
    """Whatever ties, changes, filters, caps and counts come together, no row is lost in silence."""
    for seed in range(100):
        served = ServedList(list(range(seed)), by_offset=seed % 2 == 0, seed=seed)
        draw = served.random
        served.cap = draw.choice((1, 2, 5, 10, 100))
        served.group = draw.choice((None, None, 2, 10, 1000))
        served.ties_by_query = draw.random() < 0.5
        served.changes, served.likelihood = draw.choice((0, 1, 2, 5, 40)), draw.choice((0.05, 0.3, 0.7))
        if draw.random() < 0.2:
            served.hidden = {row for row in served.ids if draw.random() < 0.2}
            served.stayed -= served.hidden
        if draw.random() < 0.1:
            served.cached_count = len(served.ids) + draw.randint(1, 30)
        await iterate(served, window=draw.choice((1, 4, 8)))
