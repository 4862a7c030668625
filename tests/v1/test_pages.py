"""Pages of lists that the documents leave open, or that a service sends wrongly."""

from typing import Any

import pytest
from aiohttp import web
from support.v1 import always, page, serving

from tingting_async import DecodeError, PaginationError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "body", [b'{"count": 1, "next": null, "results": [{"id": 1, "voice": "x"}]}', b'{"results": []}', b"<html>", b""]
)
async def test_a_page_that_cannot_be_decoded_is_kept(body: bytes) -> None:
    """The error has the bytes of a page that does not fit, lacks a field, or is not JSON."""
    async with serving(always(body)) as tingting:
        with pytest.raises(DecodeError) as caught:
            await tingting.campaigns.list().collect()
    assert body == caught.value.body


@pytest.mark.parametrize(
    ("resource", "following", "message", "requests"),
    [
        ("campaigns", "http://x/?offset=10", "Page 2 begins at offset 10, but its next page at offset 10", 2),
        ("survey_templates", "http://x/?page=2", "Page 3 .* 25 items", 3),
    ],
)
async def test_a_service_that_ignores_the_parameter_of_the_page(
    resource: str, following: str, message: str, requests: int
) -> None:
    """If every page request gets the first page, with rows that change, the list ends with a PaginationError."""
    served = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal served
        served += 1
        rows = [{"id": index, "name": str(served)} for index in range(10)]
        return web.json_response(page(rows, count=25, following=following))

    async with serving(handler) as tingting:
        with pytest.raises(PaginationError, match=message):
            await getattr(tingting, resource).list(window=1).collect()
    assert requests == served


@pytest.mark.parametrize("following", [None, "", False])
async def test_no_next_page(following: object) -> None:
    """A list ends if the page names no next page, in whichever form."""
    async with serving(always(page([{"id": 1}], following=following))) as tingting:
        assert [1] == [campaign.id async for campaign in tingting.campaigns.list()]


async def test_small_pages_are_counted() -> None:
    """The pages of a service that sends fewer rows than requested are numbered one after the other."""

    async def handler(request: web.Request) -> web.StreamResponse:
        offset = int(request.query["offset"])
        rows: list[Any] = [{"id": row} for row in range(offset, min(offset + 4, 10))]
        following = f"http://inside/?offset={offset + 4}" if offset + 4 < 10 else None
        return web.json_response(page(rows, count=10, following=following))

    async with serving(handler) as tingting:
        pages = [(each.number, len(each.items)) async for each in tingting.campaigns.list().pages()]
    assert [(1, 4), (2, 4), (3, 2)] == pages


async def test_an_absurd_length() -> None:
    """A length that no float can hold is not proven, whatever the list contains."""
    async with serving(always(page([{"id": 1}], count=10**400, following=None))) as tingting:
        with pytest.raises(PaginationError, match="not proven"):
            await tingting.campaigns.list(exact=True).collect()
        assert [1] == [campaign.id for campaign in await tingting.campaigns.list().collect()]
