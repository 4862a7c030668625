"""The iterators: one consumer at a time, timeouts that lose nothing, and resuming with a token."""

import asyncio
import base64
import hashlib
import json
import random
from typing import Any

import anyio
import pytest
from support.pages import PagedService

from tingting_async import RetryPolicy, ServerError, TingTing, UsageError, v1
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

EVERYTHING = list(range(57))


async def test_after_the_end() -> None:
    """An iterator that has reached the end stays there."""
    service = PagedService(7)
    iterator = aiter(service.list())
    assert [item async for item in iterator] == list(range(7))
    assert [item async for item in iterator] == []
    assert service.requested == [1]


async def test_two_tasks() -> None:
    """A second task that waits for the same iterator gets a UsageError, and no item is lost or repeated."""
    service = PagedService(by_offset=True)
    service.held = {2: asyncio.Event()}
    iterator = aiter(service.list(window=2))
    seen = [await anext(iterator) for _ in range(10)]
    first = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="Two tasks wait for the same iterator"):
        async with asyncio.timeout(1):
            await anext(iterator)
    service.held[2].set()
    seen += [await first]
    seen += [item async for item in iterator]
    assert seen == EVERYTHING


# Timeouts


async def test_timeout_around_an_item() -> None:
    """A timeout around one step leaves the iterator where it was: no item is lost, and no page is requested twice."""
    service = PagedService(by_offset=True)
    service.held = {2: asyncio.Event()}
    iterator = aiter(service.list(window=2))
    seen = [await anext(iterator) for _ in range(10)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(iterator)
    with anyio.move_on_after(0.001) as scope:
        await anext(iterator)
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(iterator), 0.001)
    service.held[2].set()
    seen += [item async for item in iterator]
    assert seen == EVERYTHING
    assert service.requested.count(2) == 1


async def test_timeout_around_a_page() -> None:
    """A consumer that stops waiting for a page and returns gets that page, which is requested once."""
    service = PagedService(knows_parameter=True)
    service.held = {2: asyncio.Event()}
    iterator = service.list(1).pages()
    await anext(iterator)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(iterator)
    service.held[2].set()
    assert (await anext(iterator)).number == 2
    assert service.requested == [1, 2]
    await iterator.aclose()


async def test_timeout_during_a_fallback() -> None:
    """A timeout while a page is requested with the second parameter loses nothing either."""
    service = PagedService()
    service.parameter = "page_number"
    service.held = {2: asyncio.Event()}
    iterator = aiter(service.list())
    seen = [await anext(iterator) for _ in range(10)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(iterator)
    service.held[2].set()
    seen += [item async for item in iterator]
    assert seen == EVERYTHING


# Resuming


@pytest.mark.parametrize("generation", [TingTing, v1.TingTing])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 35, 56])
async def test_resuming(generation: Any, count: int) -> None:
    """A later session continues after the last item that an earlier one delivered, with its token alone."""
    async with Sandbox(campaigns=57, page_parameter="page_number") as sandbox:
        async with generation(
            base_url=sandbox.url, api_token=sandbox.api_token, retries=RetryPolicy(initial_backoff=0)
        ) as first:
            everything = await first.campaigns.list().collect()
            iterator = aiter(first.campaigns.list())
            seen = [await anext(iterator) for _ in range(count)]
            token = iterator.resume_token
            await iterator.aclose()
        async with generation(base_url=sandbox.url, api_token=sandbox.api_token) as second:
            resumed = second.campaigns.list(resume=token)
            assert seen + [campaign async for campaign in resumed] == everything
            assert seen + await resumed.collect() == everything
            assert await resumed.collect(limit=1) == everything[count : count + 1]


async def test_resuming_pages() -> None:
    """The pages of a resumed list begin with the remaining items of the page."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        everything = [campaign.id async for campaign in tingting.campaigns.list()]
        for count in (0, 7, 10, 25):
            iterator = aiter(tingting.campaigns.list())
            for _ in range(count):
                await anext(iterator)
            pages = [page async for page in tingting.campaigns.list(resume=iterator.resume_token).pages()]
            assert [campaign.id for page in pages for campaign in page.items] == everything[count:]


async def test_resuming_after_a_failure() -> None:
    """If the first page of a resumed iterator fails, it still continues after the last item."""
    service = PagedService()
    style = PageNumberPagination("page")
    iterator = aiter(service.paginate(service.fetch, style))
    assert [await anext(iterator) for _ in range(15)] == EVERYTHING[:15]
    await service.run_pending()
    service.failures = {2: [ServerError("failed", status=500)]}
    resumed = aiter(service.paginate(service.fetch, PageNumberPagination("page"), resume=iterator.resume_token))
    with pytest.raises(ServerError):
        await anext(resumed)
    assert resumed.resume_token == iterator.resume_token
    assert [item async for item in resumed] == EVERYTHING[15:]
    await iterator.aclose()


async def test_resuming_after_the_end() -> None:
    """An iterator that is resumed at a page which no longer exists is at its end."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        iterator = aiter(tingting.campaigns.list())
        for _ in range(21):
            await anext(iterator)
        for campaign in [campaign async for campaign in tingting.campaigns.list()][:15]:
            await tingting.campaigns.delete(campaign.id)
        assert [campaign async for campaign in tingting.campaigns.list(resume=iterator.resume_token)] == []


async def test_no_token_at_the_end() -> None:
    """An iterator at the end of its list has no token."""
    iterator = aiter(PagedService(3).list())
    assert [item async for item in iterator] == [0, 1, 2]
    assert iterator.resume_token is None


async def test_no_token_of_an_exact_iterator() -> None:
    """The token of an exact iterator is a UsageError, not None, which would mean the end of the list."""
    iterator = aiter(PagedService().list(exact=True))
    with pytest.raises(UsageError, match="An exact iteration has no `resume_token`"):
        _ = iterator.resume_token


async def test_refused_tokens() -> None:
    """A token of another list, of the same list with other filters, or no token at all is a UsageError."""
    async with Sandbox(campaigns=3) as sandbox, TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        token = aiter(tingting.campaigns.list()).resume_token
        assert token is not None
        with pytest.raises(UsageError, match=r"`resume` is not a token of this list \(numbers\.list\)"):
            tingting.numbers.list(1, resume=token)
        nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        for bad in ("", "x", "é", "e30=", "W10=", "WzEsMiwzLDRd", token[:-8], nested):
            with pytest.raises(UsageError, match="not a token"):
                tingting.campaigns.list(resume=bad)
        campaign = next(iter(sandbox.world.campaigns))
        token = aiter(tingting.numbers.list(campaign)).resume_token
        with pytest.raises(UsageError, match="not a token"):
            tingting.numbers.list(campaign + 1, resume=token)


FORGED_OFFSETS: list[Any] = [
    [[["limit", "10"], ["offset", "-10"]], 2, 0],
    [[["limit", "10"], ["offset", "x"]], 2, 0],
    [[["limit", "10"], ["offset", "\u0661"]], 2, 0],
    [[["limit", "10"], ["offset", "9" * 5000]], 2, 0],
    [[["limit", "10"]], 2, 0],
    [[["offset", "10"], ["limit", "10"]], 2, 0],
    [[["limit", "1000000"], ["offset", "10"]], 2, 0],
    [[["limit", "10"], ["offset", "10"], ["status", "x"]], 2, 0],
    [[["limit", "10"], ["offset", "9" * 17]], 2, 0],
    [[["limit", "10"], ["offset", "010"]], 2, 0],
]
"""The states of tokens that no iterator by limit and offset makes."""

FORGED: list[Any] = [
    [[["limit", 10], ["offset", 10]], 2, 0],
    [[["limit", "10", "x"], ["offset", "10"]], 2, 0],
    [[["limit", "10"], ["offset", "10"]], "2", 0],
    [[["limit", "10"], ["offset", "10"]], 0, 0],
    [[["limit", "10"], ["offset", "10"]], 2.0, 0],
    [[["limit", "10"], ["offset", "10"]], 2, -1],
    [[["limit", "10"], ["offset", "10"]], 2, 10**15],
    [[["limit", "10"], ["offset", "10"]], 2, True],
    [[["limit", "10"], ["offset", "10"]], 2, None],
    [[["limit", "10"], ["offset", "10"]], 2],
    [None, 2, 0],
    [7, 2, 0],
    [{"limit": "10"}, 2, 0],
    ["limit", 2, 0],
    [[["page", "\ud800"]], 2, 0],
    [[["page", None]], 2, 0],
    [[["page", "2"]], -2, 0],
    [[["page", "2"]], 10**4200, 0],
    [[["page", "2"] * 1000] * 1000, 2, 0],
]
"""The states of tokens that no iterator of either kind makes."""


def forge(fingerprint: str, state: Any) -> str:
    """Return a token with a right checksum, which anyone can compute."""
    checksum = hashlib.sha256(json.dumps([fingerprint, state]).encode()).hexdigest()[:32]
    return base64.urlsafe_b64encode(json.dumps([*state, checksum]).encode()).decode()


@pytest.mark.parametrize(
    ("state", "by_offset"),
    [*((state, True) for state in FORGED_OFFSETS + FORGED), *((state, False) for state in FORGED)],
)
def test_forged_tokens(state: Any, by_offset: bool) -> None:
    """A token that no iterator can have made is a UsageError, even if its checksum is right."""
    with pytest.raises(UsageError, match="`resume` is not a token of this list"):
        PagedService(by_offset=by_offset).list(resume=forge("rows.list", state))


async def test_forged_token_that_is_right() -> None:
    """The forged tokens of these tests differ from a real one in their state only."""
    state = [[["limit", "10"], ["offset", "10"]], 2, 3]
    service = PagedService(by_offset=True)
    assert await service.list(resume=forge("rows.list", state)).collect() == EVERYTHING[13:]


async def test_seeded_changes_to_a_token() -> None:
    """A token with any changed, removed or inserted characters is a UsageError."""
    service = PagedService(by_offset=True)
    iterator = aiter(service.list())
    for _ in range(25):
        await anext(iterator)
    token = iterator.resume_token
    await iterator.aclose()
    assert token is not None
    script = random.Random(14)
    for _ in range(2000):
        start = script.randrange(len(token))
        inserted = "".join(script.choices("Aa0_-=/+ \n\0é\ud800", k=script.randint(0, 3)))
        changed = token[:start] + inserted + token[start + script.randint(0, 3) :]
        if changed != token:
            with pytest.raises(UsageError, match="`resume` is not a token of this list"):
                service.list(resume=changed)
