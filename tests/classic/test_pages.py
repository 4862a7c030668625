"""Lists of the classic API, over sockets: every item once and in order, or an error."""

import asyncio
import gc
from typing import Any

import pytest
from support.classic import connect, first_campaign

from tingting_async import DecodeError, PaginationError, ServerError, TingTing
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

CAMPAIGNS = "/api/system/campaigns"


def queries(sandbox: Sandbox) -> list[str]:
    """Return the queries of the requests that listed campaigns."""
    return [received.query for received in sandbox.requests if received.path == CAMPAIGNS]


STYLES = [
    pytest.param({"page_parameter": "page"}, id="page"),
    pytest.param({"page_parameter": "page_number"}, id="page_number"),
    *(
        pytest.param({"page_parameter": parameter, "links": links}, id=f"{parameter}-{links}")
        for parameter in ("page", "page_number", "links")
        for links in ("strings", "objects", "page_links", "labelled")
    ),
]


@pytest.mark.parametrize("options", STYLES)
@pytest.mark.parametrize("window", [None, 1, 8])
async def test_pagination_styles(options: dict[str, Any], window: int | None) -> None:
    """57 campaigns in pages of 10 are listed once each and in order, however page 2 is requested."""
    async with Sandbox(campaigns=57, page_size=10, **options) as sandbox, connect(sandbox) as tingting:
        expected = [campaign.id async for campaign in tingting.campaigns.list(window=1)]
        assert len(set(expected)) == 57
        sandbox.requests.clear()
        assert expected == [campaign.id async for campaign in tingting.campaigns.list(window=window)]
        assert len(queries(sandbox)) == 6  # The session remembers the parameter that worked.


async def test_links_lead_nowhere_else() -> None:
    """Only the query of a link is used, whatever scheme, host and port it names."""
    async with (
        Sandbox() as elsewhere,
        Sandbox(campaigns=25, page_parameter="links", links="objects", link_base=elsewhere.url) as sandbox,
        connect(sandbox) as tingting,
    ):
        assert len(await tingting.campaigns.list().collect()) == 25
        assert elsewhere.requests == []


async def test_empty_list() -> None:
    """An account without campaigns has an empty list, a count of 0 and no first campaign."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaigns = tingting.campaigns.list()
        assert await campaigns.collect() == []
        assert await campaigns.count() == 0
        assert None is await campaigns.first()


async def test_methods_of_a_paginator() -> None:
    """Pages, count, first and collect agree, and a limit requests no page too many."""
    async with Sandbox(campaigns=57, page_size=10) as sandbox, connect(sandbox) as tingting:
        campaigns = tingting.campaigns.list()
        everything = await campaigns.collect()
        pages = [page async for page in campaigns.pages()]
        assert everything == [item for page in pages for item in page.items]
        assert [page.number for page in pages] == [1, 2, 3, 4, 5, 6]
        assert [page.has_next for page in pages] == [True] * 5 + [False]
        assert {(57, 6)} == {(page.total_items, page.total_pages) for page in pages}
        assert "messages" in pages[0].extra
        assert await campaigns.count() == 57
        assert everything[0] == await campaigns.first()
        sandbox.requests.clear()
        assert everything[:10] == await campaigns.collect(limit=10)
        assert len(queries(sandbox)) == 1


@pytest.mark.parametrize(
    "options",
    [{"page_parameter": None}, {"repeat_page": True}, {"endless": True}, {"page_parameter": None, "endless": True}],
)
async def test_contradictions(options: dict[str, Any]) -> None:
    """A service that ignores the page parameter, repeats a page, or never ends is a PaginationError."""
    async with Sandbox(campaigns=57, page_size=10, **options) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(PaginationError):
            await tingting.campaigns.list().collect()
        assert len(queries(sandbox)) < 12


async def test_missing_list() -> None:
    """A body without `campaign-lists` is a DecodeError that names the path, never an empty list."""
    body = {"pagination": {"page_number": 1, "has_next": False}, "result": {"messages": "…"}}
    async with Sandbox(campaigns=3) as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(path=CAMPAIGNS, kind="status", status=200, body=body))
        with pytest.raises(DecodeError, match="campaign-lists") as caught:
            await tingting.campaigns.list().collect()
        assert caught.value.path == "result.campaign-lists"


async def test_invalid_item() -> None:
    """An item that cannot be decoded is a DecodeError that names its path and what is wrong there."""
    item = {"id": 1, "name": "a", "services": "PHONE", "user_phone": [], "description": None, "usable_tags": []}
    body = {
        "pagination": {"page_number": 1, "has_next": False},
        "result": {"messages": "…", "campaign-lists": [item, {**item, "id": None}]},
    }
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(path=CAMPAIGNS, kind="status", status=200, body=body))
        with pytest.raises(DecodeError) as caught:
            await tingting.campaigns.list().collect()
        assert caught.value.problems == (("result.campaign-lists[1].id", "expected an integer, got null"),)


async def wait_idle(tingting: TingTing, sandbox: Sandbox) -> None:
    """Wait until the cancelled requests have ended, on both sides."""
    gc.collect()
    for _ in range(100):
        if not tingting._core._tasks:
            break
        await asyncio.sleep(0)
    await sandbox.wait_idle()


async def test_break() -> None:
    """`break` in a list of 1,000 items leaves no task and no open request."""
    async with Sandbox(campaigns=1000, page_size=10) as sandbox, connect(sandbox) as tingting:
        stalled = sandbox.faults.add(Fault(path=CAMPAIGNS, kind="stall", nth=5))
        seen = 0
        async for _ in tingting.campaigns.list(window=8):
            seen += 1
            if seen == 33:  # Pages 5 and on are in flight, and one of them hangs.
                break
        assert stalled.triggered.is_set()
        await wait_idle(tingting, sandbox)
        assert set() == tingting._core._tasks
        assert sandbox.in_flight == 0


async def test_break_at_the_start() -> None:
    """`break` at item 3 of 1,000 has requested one page, and leaves no task."""
    async with Sandbox(campaigns=1000, page_size=10) as sandbox, connect(sandbox) as tingting:
        seen = 0
        async for _ in tingting.campaigns.list():
            seen += 1
            if seen == 3:
                break
        await wait_idle(tingting, sandbox)
        assert set() == tingting._core._tasks
        assert len(queries(sandbox)) == 1


async def test_failing_page_is_held() -> None:
    """A page that fails raises when it is due, and the same iterator can then request it again."""
    async with Sandbox(campaigns=57, page_size=10) as sandbox, connect(sandbox) as tingting:
        expected = await tingting.campaigns.list().collect()
        sandbox.faults.add(Fault(path=CAMPAIGNS, query="page=4", kind="status", status=500, times=4))
        iterator = aiter(tingting.campaigns.list(window=8))
        seen = [await anext(iterator) for _ in range(30)]
        with pytest.raises(ServerError):
            await anext(iterator)
        seen += [campaign async for campaign in iterator]
        assert expected == seen


async def test_other_task_closes() -> None:
    """A session may be opened in one task and closed in another, which ends the requests in flight."""
    async with Sandbox(campaigns=30) as sandbox:
        tingting = connect(sandbox)
        await asyncio.create_task(tingting.__aenter__())
        assert len(await tingting.campaigns.list().collect()) == 30
        await asyncio.create_task(tingting.aclose())
        await sandbox.wait_idle()
        assert sandbox.in_flight == 0


async def test_many_lists() -> None:
    """Ten lists on one session all complete, with at most `max_in_flight` requests in flight."""
    async with Sandbox(campaigns=57, page_size=10) as sandbox, connect(sandbox, max_in_flight=3) as tingting:
        lists = await asyncio.gather(*(tingting.campaigns.list(window=4).collect() for _ in range(10)))
        assert [len(each) for each in lists] == [57] * 10
        assert sandbox.peak_in_flight <= 3


async def test_late_list() -> None:
    """A small list that starts late shares the slots with the earlier lists, and does not wait for all their pages."""
    async with (
        Sandbox(campaigns=400, numbers=30, page_size=10, number_pagination=True) as sandbox,
        connect(sandbox, max_in_flight=2) as tingting,
    ):
        campaign = await first_campaign(tingting)
        has_started = asyncio.Event()

        async def iterate() -> None:
            async for page in tingting.campaigns.list(window=8).pages():
                if page.number == 5:
                    has_started.set()

        large = [asyncio.create_task(iterate()) for _ in range(8)]
        await has_started.wait()
        before = len(queries(sandbox))
        assert len(await tingting.numbers.list(campaign.id, window=8).collect()) == 30
        between = len(queries(sandbox)) - before
        await asyncio.gather(*large)
        assert len(queries(sandbox)) == 8 * 40 + 1
        assert between <= 3 * (len(large) + 2), f"{between} pages of the large ones, for three of the small one"


async def test_numbers_with_and_without_pages() -> None:
    """All numbers of a campaign are listed, whether or not the service paginates them."""
    for paginated in (False, True):
        async with (
            Sandbox(campaigns=1, numbers=23, page_size=10, number_pagination=paginated) as sandbox,
            connect(sandbox) as tingting,
        ):
            campaign = await first_campaign(tingting)
            numbers = await tingting.numbers.list(campaign.id).collect()
            assert len({number.id for number in numbers}) == 23
