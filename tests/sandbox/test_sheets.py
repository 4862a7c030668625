"""Files of phone numbers."""

import io
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from openpyxl import Workbook

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]


def form(content: bytes) -> aiohttp.FormData:
    """Return the form that creates a campaign with a file."""
    fields = aiohttp.FormData({"name": "n", "services": "PHONE"})
    fields.add_field("send_to_number_file", content, filename="n.xlsx")
    return fields


async def test_columns_become_tags(connect: Connect, post: Post) -> None:
    """The other columns of a sheet become the campaign's tags, and only these can be used in its message."""
    book = Workbook()
    for row in (["numbers", "name", "tags_age"], [9800000001, "सीता", 30], [9800000002, "राम", 40]):
        book.active.append(row)  # type: ignore[union-attr]
    content = io.BytesIO()
    book.save(content)
    async with connect(campaigns=0) as (sandbox, http):
        async with http.post("/api/system/campaigns/", data=form(content.getvalue())) as response:
            assert response.status == 201
        (campaign,) = sandbox.world.campaigns.values()
        assert campaign.usable_tags == ["tags_name", "tags_age"]
        assert [contact.tags["tags_name"] for contact in campaign.contacts] == ["सीता", "राम"]
        path = f"/api/system/campaigns/{campaign.id}/begin/"
        assert (await post(http, path, {"message": "{tags_city}"}))[0] == 400
        assert (await post(http, path, {"message": "{tags_name}, {tags_age}"}))[0] == 200


async def test_invalid_file(connect: Connect) -> None:
    """A file that is not a sheet is a validation error."""
    async with connect(campaigns=0) as (_, http):
        async with http.post("/api/system/campaigns/", data=form(b"no sheet")) as response:
            assert response.status == 400
            assert "valid file" in await response.text()
