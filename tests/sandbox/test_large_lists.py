"""Large lists: a page costs what it shows, and the totals that it shows are those of all contacts."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import aiohttp
import pytest

from tingting_async.sandbox.records import Campaign, SentOtp
from tingting_async.sandbox.running import begin, run_due, stop

pytestmark = pytest.mark.anyio
T = TypeVar("T")
ROWS = 500


class CountingList(list[T]):
    """A list that counts the items that are read from it."""

    items_read = 0

    def __iter__(self) -> Iterator[T]:
        return map(self._count, super().__iter__())

    def __reversed__(self) -> Iterator[T]:
        return map(self._count, super().__reversed__())

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        self.items_read += len(found) if isinstance(index, slice) else 1
        return found

    def _count(self, item: T) -> T:
        self.items_read += 1
        return item


class CountingTime(float):
    """A time in Unix seconds that adds its comparisons to a list."""

    comparisons: list[float]

    def __lt__(self, other: float) -> bool:
        self.comparisons.append(other)
        return super().__lt__(other)


async def get(http: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """Return the body of a response."""
    async with http.get(path) as response:
        assert response.status == 200
        body: dict[str, Any] = await response.json()
        return body


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/campaign-detail/{}/",
        "/api/v1/campaign-detail/{}/?offset=490",
        "/api/v1/campaign/",
        "/api/v1/campaign/{}/",
        "/api/system/campaigns/number/{}?page=50",
        "/api/system/campaigns",
    ],
)
async def test_contacts_read(connect: Callable[..., Any], path: str) -> None:
    """A page reads the contacts that it shows, and no others."""
    async with connect(campaigns=1, numbers=ROWS, number_pagination=True) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns.values()
        campaign.contacts = contacts = CountingList(campaign.contacts)
        await get(http, path.format(campaign.id))
        assert contacts.items_read <= 10


async def test_otps_read(connect: Callable[..., Any]) -> None:
    """A page of sent OTPs reads those that it shows, and no others."""
    async with connect(campaigns=0) as (sandbox, http):
        world = sandbox.world
        for _ in range(ROWS):
            world.add_otp(SentOtp(world.id(), world.owner.id, "9800000001", "1", "1", "generated", "text", 0.0))
        world.otps = otps = CountingList(world.otps)
        body = await get(http, "/api/v1/auths/list/send-otps/?offset=490")
        assert (body["count"], len(body["results"]["data"])) == (ROWS, 10)
        assert otps.items_read <= 10


async def test_campaigns_are_sorted_once(connect: Callable[..., Any]) -> None:
    """The campaigns are sorted by their last update once for each update, and not for each page."""
    async with connect(campaigns=ROWS, numbers=0) as (sandbox, http):
        comparisons: list[float] = []
        for campaign in sandbox.world.campaigns.values():
            campaign.updated_at = CountingTime(campaign.updated_at)
            campaign.updated_at.comparisons = comparisons
        await get(http, "/api/v1/campaign/")
        assert len(comparisons) >= ROWS - 1
        comparisons.clear()
        await get(http, "/api/v1/campaign/?offset=250")
        assert comparisons == []


@pytest.mark.parametrize(("query", "newest_first"), [("", True), ("sort_by=desc", True), ("sort_by=asc", False)])
async def test_order_of_updates(connect: Callable[..., Any], query: str, newest_first: bool) -> None:
    """The v1 list is in the order of the last updates, also after an update, a creation and a deletion."""
    async with connect(campaigns=25, numbers=0) as (sandbox, http):
        world = sandbox.world

        async def list_ids() -> list[int]:
            pages = [await get(http, f"/api/v1/campaign/?offset={offset}&{query}") for offset in (0, 10, 20)]
            return [row["id"] for page in pages for row in page["results"]]

        def expected() -> list[int]:
            campaigns = sorted(world.campaigns.values(), key=lambda each: each.updated_at, reverse=newest_first)
            return [campaign.id for campaign in campaigns]

        first, second, *_ = world.campaigns.values()
        assert await list_ids() == expected()
        async with http.patch(f"/api/v1/campaign/{first.id}/", json={"name": "Reminder"}) as response:
            assert response.status == 200
        assert await list_ids() == expected()
        second.updated_at = sandbox.clock.now() + 60
        assert await list_ids() == expected()
        world.remove_campaign(first)
        world.add_campaign(world.owner, "Reminder", "SMS", "")
        assert await list_ids() == expected()


async def test_totals(connect: Callable[..., Any]) -> None:
    """Credits, carriers and progress are those of all contacts after additions, runs, stops, changes and deletions."""
    async with connect(campaigns=0) as (sandbox, http):
        world, owner = sandbox.world, sandbox.world.owner
        campaign = world.add_campaign(owner, "Reminder", "SMS & PHONE", "")
        campaign.failover_target = ["failed", "unanswered"]

        async def check() -> tuple[int, int]:
            run_due(world)
            page = await get(http, f"/api/v1/campaign-detail/{campaign.id}/")
            progress = (await get(http, f"/api/v1/campaign/{campaign.id}/"))["progress_percent"]
            assert (page["total_credits_consumed"], page["carrier_summary"], progress) == count(campaign)
            return page["total_credits_consumed"], progress

        assert await check() == (0, 0)
        for index in range(60):
            world.add_contact(campaign, f"98{index % 4}0000{index:03d}", {})
        assert await check() == (0, 0)
        begin(world, owner, campaign, campaign.contacts, None)
        sandbox.clock.advance(20)
        spent, progress = await check()
        assert spent > 0
        assert 0 < progress < 100
        world.remove_contact(campaign.contacts[0])
        world.remove_contact(campaign.contacts[-1])
        changed, edited, *_ = campaign.contacts
        for method, path, number in (
            ("PATCH", f"/api/v1/phone-number/update/{changed.id}/", "9610000000"),
            ("PUT", f"/api/system/number/{edited.id}/", "9740000000"),
        ):
            async with http.request(method, path, json={"number": number}) as response:
                assert response.status == 200
        await check()
        stop(world, campaign)
        assert (await check())[1] == 100 * sum(c.status != "not started" for c in campaign.contacts) // 58
        begin(world, owner, campaign, campaign.contacts[:30], None)
        assert (await check())[1] < 100
        sandbox.clock.advance(600)
        assert (await check())[1] == 100
        changed.status, changed.credit_consumed = "not started", 0
        assert (await check())[1] < 100


def count(campaign: Campaign) -> tuple[int, dict[str, int], int]:
    """Return the credits, the carriers and the progress of a campaign, counted from its contacts."""
    spent = sum(contact.credit_consumed + contact.credit_consumed_sms for contact in campaign.contacts)
    finished = sum(contact.status != "not started" and not contact.plan for contact in campaign.contacts)
    carriers = Counter(contact.carrier for contact in campaign.contacts)
    return spent, dict(carriers), 100 * finished // len(campaign.contacts) if campaign.contacts else 0


async def test_added_twice(connect: Callable[..., Any], post: Callable[..., Any]) -> None:
    """A number is skipped if the campaign has it, from this request or an earlier one, but not once it was deleted."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = sandbox.world.add_campaign(sandbox.world.owner, "Reminder", "SMS", "")
        path = f"/api/v1/campaign/{campaign.id}/add-contact/"
        body = {"contacts": [{"number": number} for number in ("9800000001", "9800000002", "9800000001")]}
        seen: list[tuple[int, int]] = []
        for _ in range(2):
            _, added = await post(http, path, body)
            seen.append((added["created"], added["skipped"]))
        sandbox.world.remove_contact(campaign.contacts[0])
        _, added = await post(http, path, body)
        assert [*seen, (added["created"], added["skipped"])] == [(2, 1), (0, 3), (1, 2)]
