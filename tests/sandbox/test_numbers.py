"""The numbers of a campaign in the classic API."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]


@pytest.mark.parametrize(("shape", "keys"), [("envelope", set[str]()), ("object", {"details"})])
async def test_add(connect: Connect, post: Post, shape: str, keys: set[str]) -> None:
    """The response to an added number contains the number or not, by the setting."""
    async with connect(campaigns=1, add_number_response=shape) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns.values()
        status, body = await post(http, f"/api/system/campaigns/number/{campaign.id}/", {"number": 9800000001})
        assert (status, body["success"], body["data"].keys()) == (201, True, keys)
        assert campaign.contacts[-1].number == "9800000001"


@pytest.mark.parametrize("paginated", [False, True])
async def test_list(connect: Connect, paginated: bool) -> None:
    """A campaign's numbers are in one envelope or in pages, by the setting, newest first."""
    async with connect(campaigns=1, numbers=1, number_pagination=paginated, page_size=4) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns.values()
        for index in range(9):
            sandbox.world.add_contact(campaign, str(9800000000 + index), {})
        bodies = []
        for page in (1, 2, 3) if paginated else (1,):
            async with http.get(f"/api/system/campaigns/number/{campaign.id}", params={"page": page}) as response:
                bodies.append(await response.json())
        rows = [row for body in bodies for row in body["result" if paginated else "data"]["number-lists"]]
        assert [row["id"] for row in rows] == [contact.id for contact in reversed(campaign.contacts)]
        assert [body["pagination"]["total_items"] for body in bodies if paginated] == [10] * 3 * paginated
