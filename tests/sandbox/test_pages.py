"""The pages of both generations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
LIST = "/api/system/campaigns"


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Sandbox, Any]]:
    """Serve 57 campaigns; yield the sandbox and a function that gets a page."""
    async with (
        Sandbox(campaigns=57, numbers=1, **options) as sandbox,
        aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_token}"}) as http,
    ):

        async def get(url: str) -> dict[str, Any]:
            async with http.get(url) as response:
                body: dict[str, Any] = await response.json()
                return body

        yield sandbox, get


def ids(body: dict[str, Any]) -> list[int]:
    """Return the ids on a page."""
    return [row["id"] for row in body["result"]["campaign-lists"]]


@pytest.mark.parametrize("parameter", ["page", "page_number"])
async def test_by_number(parameter: Any) -> None:
    """The configured parameter selects a page and the other is ignored. The pages hold all campaigns, newest first."""
    async with served(page_parameter=parameter) as (sandbox, get):
        seen: list[int] = []
        for number in range(1, 7):
            body = await get(f"{LIST}?{parameter}={number}")
            assert body["pagination"] == {
                "total_items": 57,
                "total_pages": 6,
                "page_number": number,
                "has_next": number < 6,
                "has_previous": number > 1,
                "links": [],
            }
            seen += ids(body)
        assert seen == sorted(sandbox.world.campaigns, reverse=True)
        other = "page" if parameter == "page_number" else "page_number"
        assert (await get(f"{LIST}?{other}=2"))["pagination"]["page_number"] == 1


async def test_no_parameter() -> None:
    """A service without a page parameter always returns page 1, without links."""
    async with served(page_parameter=None, links="objects") as (_, get):
        for query in ("page=2", "page_number=2", "p=2"):
            body = await get(f"{LIST}?{query}")
            assert (body["pagination"]["page_number"], body["pagination"]["links"]) == (1, [])


def numbers(links: list[Any]) -> list[Any]:
    """Return the page numbers in links."""
    return [link and int(link.rpartition("=")[2]) for link in links]


@pytest.mark.parametrize("page_parameter", ["page", "page_number", "links"])
@pytest.mark.parametrize("link_base", [None, "http://internal:8000"])
async def test_links(page_parameter: Any, link_base: str | None) -> None:
    """Links of each form lead to the neighbouring pages, from the first page, the middle and the last."""
    around = {1: (None, 2), 3: (2, 4), 6: (5, None)}
    for form in ("strings", "objects", "page_links", "labelled"):
        async with served(page_parameter=page_parameter, links=form, link_base=link_base) as (sandbox, get):
            name = {"links": "p"}.get(page_parameter, page_parameter)
            for number, (before, after) in around.items():
                links = (await get(f"{LIST}?{name}={number}"))["pagination"]["links"]
                match form:
                    case "strings":
                        assert numbers(links) == [page for page in (before, after) if page]
                        urls = links
                    case "objects":
                        assert numbers([links["previous"], links["next"]]) == [before, after]
                        urls = [url for url in links.values() if url]
                    case "page_links":
                        shown = {1: [1, 2, None, 6], 3: [1, 2, 3, 4, None, 6], 6: [1, None, 5, 6]}[number]
                        assert [link[1] for link in links] == numbers([link[0] for link in links]) == shown
                        assert [link[1] for link in links if link[2]] == [number]
                        assert [link[1] for link in links if link[3]] == [None]
                        urls = [link[0] for link in links if link[0]]
                    case _:
                        assert [link["label"] for link in links if link["active"]] == [str(number)]
                        labels = {link["label"]: link["url"] for link in links}
                        assert numbers([labels["Previous"], labels["Next"]]) == [before, after]
                        assert labels["..."] is None
                        urls = [link["url"] for link in links if link["url"]]
                assert {url.partition(LIST)[0] for url in urls} == {link_base or sandbox.url}
                if link_base is None:
                    follow = await get(urls[-1])
                    assert follow["pagination"]["page_number"] == int(urls[-1].rpartition("=")[2])


async def test_repeated_page() -> None:
    """With `repeat_page`, every page after the first repeats the items of the previous page."""
    async with served(repeat_page=True) as (_, get):
        bodies = [await get(f"{LIST}?page={number}") for number in (1, 2, 3)]
        assert ids(bodies[0]) == ids(bodies[1]) != ids(bodies[2])
        assert [body["pagination"]["page_number"] for body in bodies] == [1, 2, 3]


async def test_endless() -> None:
    """With `endless`, every page says that there is a next one, also in its links."""
    async with served(endless=True, links="objects") as (_, get):
        for number in (6, 7, 1000):
            body = await get(f"{LIST}?page={number}")
            assert (body["pagination"]["has_next"], body["pagination"]["page_number"]) == (True, number)
            assert numbers([body["pagination"]["links"]["next"]]) == [number + 1]


async def test_past_the_end() -> None:
    """A page that does not exist is a 404 or the last page, by the setting."""
    for past_the_end, expected in (("404", {"detail": "Invalid page."}), ("last", 6)):
        async with served(past_the_end=past_the_end) as (_, get):
            for page in ("7", "0", "x", "-1"):
                body = await get(f"{LIST}?page={page}")
                assert expected in (body, body.get("pagination", {}).get("page_number"))


@pytest.mark.parametrize(("past_the_end", "status"), [("404", 404), ("last", 200)])
@pytest.mark.parametrize("page", ["9", "x"])
async def test_status_past_the_end(past_the_end: Any, page: str, status: int) -> None:
    """The HTTP status for a page that does not exist follows the setting."""
    async with (
        Sandbox(campaigns=25, past_the_end=past_the_end) as sandbox,
        aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_token}"}) as http,
        http.get(LIST, params={"page": page}) as response,
    ):
        assert response.status == status


async def test_v1_limit_is_capped() -> None:
    """A v1 page has at most ten rows, whatever the limit, and can be selected by `page` as well."""
    async with Sandbox(campaigns=25) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        seen: list[int] = []
        url: str | None = f"{sandbox.url}/api/v1/campaign/?limit=100&search="
        while url:
            async with http.get(url) as response:
                body = await response.json()
            assert (body["count"], body["total_pages"]) == (25, 3)
            seen += [row["id"] for row in body["results"]]
            url = body["next"]
        assert len(seen) == len(set(seen)) == 25
        async with http.get("/api/v1/campaign/?page=3") as response:
            assert [row["id"] for row in (await response.json())["results"]] == seen[20:]
