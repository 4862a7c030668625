"""The numbers of a campaign of the classic API, against the sandbox."""

from typing import Any

import pytest
from support.classic import connect, first_campaign

from tingting_async import NotFoundError, UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("response", ["envelope", "object"])
async def test_add(response: Any) -> None:
    """A number that was added is in the list, in whichever form the service confirms it."""
    async with Sandbox(campaigns=1, numbers=0, add_number_response=response) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        assert (await tingting.numbers.add(campaign.id, "+977-9800000001")).is_confirmed
        number = await tingting.numbers.list(campaign.id).first()
        assert number is not None
        assert (number.number, number.campaign) == ("9800000001", campaign.name)


async def test_edit_tags() -> None:
    """An edit keeps the tags of a number if they are not given, and clears them if they are None."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        number = await tingting.numbers.list(campaign.id).first()
        assert number is not None
        assert number.available_tags
        assert number.available_tags == (await tingting.numbers.edit(number.id, "9800000001")).available_tags
        assert {} == (await tingting.numbers.edit(number.id, "9800000001", tags=None)).available_tags


async def test_get() -> None:
    """A single number is equal to the one in the list."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        number = await tingting.numbers.list((await first_campaign(tingting)).id).first()
        assert number is not None
        assert number == await tingting.numbers.get(number.id)


async def test_edit() -> None:
    """An edit returns the number with its new phone number."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        number = await tingting.numbers.list((await first_campaign(tingting)).id).first()
        assert number is not None
        assert (await tingting.numbers.edit(number.id, 9800000002)).number == "9800000002"
        assert (await tingting.numbers.get(number.id)).number == "9800000002"


async def test_delete() -> None:
    """A deleted number is no longer in its campaign."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        number = await tingting.numbers.list(campaign.id).first()
        assert number is not None
        assert "deleted" in (await tingting.numbers.delete(number.id)).text
        assert await tingting.numbers.list(campaign.id).count() == 0
        with pytest.raises(NotFoundError):
            await tingting.numbers.get(number.id)


async def test_unknown_tags_are_refused() -> None:
    """With `check_tags`, tags that the campaign does not have are refused before the number is added."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        with pytest.raises(UsageError, match="tags_nobody"):
            await tingting.numbers.add(campaign.id, "9800000001", tags={"tags_nobody": "x"}, check_tags=True)
        assert {received.method for received in sandbox.requests} == {"GET"}


async def test_usable_tags_are_accepted() -> None:
    """With `check_tags`, a number is added with values for the campaign's usable tags."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        assert campaign.usable_tags
        tag = campaign.usable_tags[0]
        await tingting.numbers.add(campaign.id, "9811111111", tags={tag: "सीता"}, check_tags=True)
        numbers = await tingting.numbers.list(campaign.id).collect()
        assert "सीता" in [number.available_tags.get(tag) for number in numbers]


@pytest.mark.parametrize("exact", [True, False])
async def test_results_of_all_campaigns(exact: bool) -> None:
    """Every number of every campaign is in one row, which knows both."""
    async with Sandbox(campaigns=25, numbers=3) as sandbox, connect(sandbox) as tingting:
        rows = await tingting.campaigns.results(exact=exact).collect()
        expected = {contact.id: contact.campaign_id for contact in sandbox.world.contacts.values()}
    assert (75, expected) == (len(rows), {row.number.id: row.campaign.id for row in rows})
