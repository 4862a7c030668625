"""Running campaigns through the endpoints of both generations."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]


def reached(sandbox: Sandbox) -> list[str]:
    """Return the ids of the contacts that were called or texted, in order."""
    return [effect.key for effect in sandbox.side_effects if effect.kind in ("call", "sms")]


@asynccontextmanager
async def begun(connect: Connect, post: Post) -> AsyncIterator[Sandbox]:
    """Run four campaigns with six numbers each."""
    async with connect(campaigns=4, numbers=6, seed=3) as (sandbox, http):
        for campaign in sandbox.world.campaigns:
            assert (await post(http, f"/api/system/campaigns/{campaign}/begin/", {"message": "m"}))[0] == 200
        yield sandbox


async def test_each_number_is_reached_once(connect: Connect, post: Post) -> None:
    """A run calls or texts each of its numbers once, and completes."""
    async with begun(connect, post) as sandbox:
        sandbox.clock.advance(600)
        assert sorted(reached(sandbox)) == sorted(map(str, sandbox.world.contacts))
        assert {campaign.status for campaign in sandbox.world.campaigns.values()} == {"Completed"}
        assert {contact.status for contact in sandbox.world.contacts.values()} > {"completed", "unanswered"}


async def test_credits_are_on_hold(connect: Connect, post: Post) -> None:
    """The credits of a run are on hold until it ends, and are charged then."""
    async with begun(connect, post) as sandbox:
        owner = sandbox.world.owner
        assert (owner.on_hold, owner.credits) == (24, 100_000)
        sandbox.clock.advance(600)
        assert len(sandbox.side_effects) == 24 + 4  # A call or text per number, a run per campaign.
        assert (owner.on_hold, owner.credits) == (0, 100_000 - 24)


async def test_running_campaign_cannot_be_run(connect: Connect, post: Post) -> None:
    """A campaign that is running cannot be run a second time."""
    async with connect(campaigns=1) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        statuses = [
            (await post(http, f"/api/system/campaigns/{campaign}/begin/", {"message": "m"}))[0] for _ in range(2)
        ]
        assert statuses == [200, 400]


async def test_too_few_credits(connect: Connect, post: Post) -> None:
    """A run that can cost more than the account has does not begin."""
    async with connect(campaigns=1) as (sandbox, http):
        sandbox.world.owner.credits = 2
        (campaign,) = sandbox.world.campaigns
        status, body = await post(http, f"/api/system/campaigns/{campaign}/begin/", {"message": "m"})
        assert (status, "credits" in str(body)) == (400, True)
        assert sandbox.side_effects == []


async def test_deleting_a_running_campaign(connect: Connect, post: Post) -> None:
    """Deleting a running campaign releases its credits on hold."""
    async with connect(campaigns=1) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        assert (await post(http, f"/api/system/campaigns/{campaign}/begin/", {"message": "m"}))[0] == 200
        assert sandbox.world.owner.on_hold == 3
        async with http.delete(f"/api/system/campaigns/{campaign}/delete") as response:
            assert response.status == 200
        assert sandbox.world.owner.on_hold == 0


async def test_schedule_is_nepals_time(connect: Connect, post: Post) -> None:
    """A schedule is a date and time in Nepal, which is 5:45 hours ahead of UTC."""
    async with connect(campaigns=1, numbers=1) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns.values()
        body = {"message": "m", "schedule_date": "2030-01-01T00:00"}
        assert (await post(http, f"/api/system/campaigns/{campaign.id}/begin/", body))[0] == 200
        instant = datetime(2029, 12, 31, 18, 15, tzinfo=UTC).timestamp()
        assert (campaign.status, campaign.scheduled_at) == ("Scheduled", instant)
        sandbox.clock.advance(instant - sandbox.clock.now() - 60)
        assert reached(sandbox) == []
        sandbox.clock.advance(120)
        assert reached(sandbox) == [str(campaign.contacts[0].id)]


async def test_scheduled_campaign_cannot_be_run(connect: Connect, post: Post) -> None:
    """A scheduled campaign cannot be run a second time."""
    async with connect(campaigns=1) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        path = f"/api/system/campaigns/{campaign}/begin/"
        assert (await post(http, path, {"message": "m", "schedule_date": "2030-01-01T00:00"}))[0] == 200
        assert (await post(http, path, {"message": "m"}))[0] == 400


async def run_v1(http: aiohttp.ClientSession, post: Post) -> int:
    """Create and run a v1 campaign with five contacts, whose calls are all followed by a text."""
    failover = ["unanswered", "failed", "hungup", "completed"]
    fields = {"name": "n", "services": "SMS & PHONE", "user_phone": [1], "failover_target": failover}
    campaign: int = (await post(http, "/api/v1/campaign/create/", fields))[1]["id"]
    contacts = {"contacts": [{"number": str(9800000000 + index)} for index in range(5)]}
    assert (await post(http, f"/api/v1/campaign/{campaign}/add-contact/", contacts))[1]["created"] == 5
    assert (await post(http, f"/api/v1/run-campaign/{campaign}/", {}))[0] == 200
    return campaign


async def test_v1_failover(connect: Connect, post: Post) -> None:
    """With `failover_target`, a text follows each call with one of these results."""
    async with connect(campaigns=0) as (sandbox, http):
        await run_v1(http, post)
        sandbox.clock.advance(600)
        kinds = [effect.kind for effect in sandbox.side_effects]
        assert (kinds.count("call"), kinds.count("sms")) == (5, 5)


async def test_v1_finished_campaign_cannot_be_run(connect: Connect, post: Post) -> None:
    """A v1 campaign that has finished is refused as already run, and not as one without contacts."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = await run_v1(http, post)
        sandbox.clock.advance(600)
        status, body = await post(http, f"/api/v1/run-campaign/{campaign}/", {})
        assert (status, "Campaign has already been run." in str(body)) == (400, True)
        sandbox.world.campaigns[campaign].contacts.clear()
        status, body = await post(http, f"/api/v1/run-campaign/{campaign}/", {})
        assert (status, "Campaign has no contacts." in str(body)) == (400, True)


async def test_v1_emergency_stop(connect: Connect, post: Post) -> None:
    """A stopped campaign calls no further number; a call that has been placed already stays."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = await run_v1(http, post)
        assert (await post(http, f"/api/v1/campaign/emergency-stop/{campaign}/", {}))[0] == 200
        sandbox.clock.advance(600)
        assert sum(effect.kind == "call" for effect in sandbox.side_effects) <= 1


async def test_v1_stop_leaves_other_campaigns(connect: Connect, post: Post) -> None:
    """Stopping one campaign does not affect another."""
    async with connect(campaigns=0) as (sandbox, http):
        other, stopped = await run_v1(http, post), await run_v1(http, post)
        assert (await post(http, f"/api/v1/campaign/emergency-stop/{stopped}/", {}))[0] == 200
        sandbox.clock.advance(600)
        keys = [effect.key for effect in sandbox.side_effects if effect.kind == "call"]
        assert {str(contact.id) for contact in sandbox.world.campaigns[other].contacts} <= set(keys)


async def test_v1_report(connect: Connect, post: Post) -> None:
    """The report of a campaign has a header and a row per contact."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = await run_v1(http, post)
        sandbox.clock.advance(600)
        async with http.get(f"/api/v1/download/report/{campaign}/") as response:
            assert len((await response.text()).splitlines()) == 6
