"""Plain iteration over the lists of services that filter rows after paging, cap the limit or cache the count."""

import json

import pytest
from support.lists import ServedList
from support.servers import Received, serving

from tingting_async import PaginationError, v1

pytestmark = pytest.mark.anyio

Pages = dict[int, tuple[list[int], int | None]]

SCRIPTS: dict[str, tuple[int, Pages]] = {
    "filtered": (30, {0: ([*range(7)], 10), 10: ([*range(10, 20)], 20), 20: ([*range(20, 26)], None)}),
    "empty page": (30, {0: ([0, 1, 2], 10), 10: ([], 20), 20: ([20, 21], None)}),
    "empty pages first": (40, {0: ([], 10), 10: ([], 20), 20: ([], 30), 30: ([30], None)}),
    "count too high": (30, {0: ([*range(10)], 10), 10: ([10, 11, 12], None)}),
    "empty pages last": (40, {0: ([*range(10)], 10), 10: ([10], 20), 20: ([], 30), 30: ([], None)}),
    "count too high on the only page": (30, {0: ([0, 1, 2], None)}),
    "count too high on a full page": (30, {0: ([*range(10)], None), 10: ([], None)}),
    "no links": (25, {0: ([*range(10)], None), 10: ([*range(10, 20)], None), 20: ([*range(20, 25)], None)}),
    "uneven links": (
        60,
        {0: ([*range(10)], 12), 12: ([12, 13], 21), 21: ([21], 31), 31: ([*range(31, 41)], 55), 55: ([55], None)},
    ),
    "more rows than the link counts": (21, {0: ([*range(20)], 10), 20: ([20], None)}),
    "count too high after links": (30, {0: ([*range(10)], 10), 10: ([*range(10, 20)], None)}),
    "count too low": (12, {0: ([*range(10)], 10), 10: ([*range(10, 20)], 20), 20: ([20], None)}),
}
"""The count, and for each offset the ids and the offset of the next page."""


@pytest.mark.parametrize("window", [None, 1, 8])
@pytest.mark.parametrize(("count", "pages"), SCRIPTS.values(), ids=SCRIPTS)
async def test_pages_as_linked(count: int, pages: Pages, window: int | None) -> None:
    """A plain iteration follows the offsets of the links, and yields what is on those pages, once and without error."""

    async def script(received: Received) -> None:
        offset = int(received.target.rpartition("offset=")[2])
        ids, following = pages.get(offset, ([], None))
        link = None if following is None else f"http://internal/x?limit=10&offset={following}&search="
        body = {"count": count, "next": link, "previous": None, "results": [{"id": row} for row in ids]}
        await received.respond(json.dumps(body).encode())

    async with serving(script) as server:
        async with v1.TingTing(base_url=server.url, api_token="0123456789") as tingting:
            ids = [row.id async for row in tingting.contacts.list(1, window=window)]
    assert ids == [row for ids, _ in pages.values() for row in ids]


@pytest.mark.parametrize("by_offset", [False, True])
async def test_seeded_lists(by_offset: bool) -> None:
    """Whatever a service leaves out after paging, caps or caches, a list at rest yields each row once, in order."""
    for seed in range(60):
        served = ServedList(list(range(seed * 2)), by_offset=by_offset, seed=seed)
        served.cap = served.random.choice((3, 7, 10, 100))
        share = served.random.choice((0, 0.3, 0.9, 1))
        served.hidden = {row for row in served.ids if served.random.random() < share}
        if served.random.random() < 0.3:
            served.cached_count = len(served.ids) + served.random.randint(1, 40)
        window = served.random.choice((None, 1, 3, 8))
        assert await served.collect(window=window) == [row for row in served.ids if row not in served.hidden], seed


async def test_missing_pages_that_the_count_includes() -> None:
    """If a count is too high, and the pages that it promises are a 404, a short last page is the end of the list."""
    served = ServedList(list(range(25)), by_offset=False)
    served.cached_count, served.refuses_empty_pages = 57, True
    assert await served.collect() == list(range(25))


async def test_prefetching_filtered_pages() -> None:
    """The offsets of filtered pages are predicted from the link before, so no page is requested twice."""
    served = ServedList(list(range(300)))
    served.hidden = set(range(0, 300, 7))
    assert len(await served.collect(window=8)) == 257
    assert served.requests == served.plain_cost


@pytest.mark.parametrize("following", [0, 10])
async def test_link_that_leads_back(following: int) -> None:
    """A link to the same page, or to an earlier one, is a PaginationError, not an endless loop."""

    async def script(received: Received) -> None:
        offset = int(received.target.rpartition("offset=")[2])
        link = f"?limit=10&offset={following if offset else 10}"
        rows = [{"id": offset + number} for number in range(10)]
        body = {"count": 57, "next": link, "previous": None, "results": rows}
        await received.respond(json.dumps(body).encode())

    async with serving(script) as server, v1.TingTing(base_url=server.url, api_token="0123456789") as tingting:
        with pytest.raises(
            PaginationError, match=f"Page 2 begins at offset 10, but its next page at offset {following}"
        ):
            await tingting.contacts.list(1).collect()


@pytest.mark.parametrize("is_empty", [True, False])
async def test_endless_links(is_empty: bool) -> None:
    """A service that always links to a next page ends in a PaginationError: soon if pages are empty, bounded if not."""
    requests = 0

    async def script(received: Received) -> None:
        nonlocal requests
        requests += 1
        offset = int(received.target.rpartition("offset=")[2])
        rows = [] if is_empty else [{"id": number} for number in range(offset, offset + 10)]
        body = {"count": 57, "next": f"?limit=10&offset={offset + 10}", "previous": None, "results": rows}
        await received.respond(json.dumps(body).encode())

    async with serving(script) as server, v1.TingTing(base_url=server.url, api_token="0123456789") as tingting:
        with pytest.raises(PaginationError, match="and a next page, but the list has only 57 items"):
            await tingting.contacts.list(1, window=1).collect()
    assert requests <= (10 if is_empty else 150)
