"""Campaigns progress by themselves while a sandbox serves, at the speed of its clock."""

import asyncio
import math

import pytest
import requests
from support.sandboxes import make, run, wait_for

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.driver import CHUNK


def test_without_requests() -> None:
    """A campaign runs to its end without any request, and its calls have the times of a clock at that speed."""
    with Sandbox(campaigns=0, speed=1000).in_thread() as sandbox:
        start = sandbox.clock.now()
        campaign = make(sandbox, "PHONE", 4)
        run(sandbox, campaign)
        wait_for(lambda: campaign.status == "Completed")
        times = [effect.at - start for effect in sandbox.world.side_effects if effect.kind == "call"]
        assert [0.0, 0.5, 1.0, 1.5] == pytest.approx([at - times[0] for at in times], abs=0.001)
        assert [] == sandbox.requests


def test_the_clock_is_moved() -> None:
    """When the clock is moved, what is due then happens without a request."""
    with Sandbox(campaigns=0).in_thread() as sandbox:
        campaign = make(sandbox, "PHONE", 2)
        run(sandbox, campaign, at=sandbox.clock.now() + 86_400)
        sandbox.clock.advance(90_000)
        wait_for(lambda: campaign.status == "Completed")


def test_the_speed_is_set() -> None:
    """When the speed is set, campaigns that already run go on at the new speed."""
    with Sandbox(campaigns=0).in_thread() as sandbox:
        campaign = make(sandbox, "PHONE", 2)
        run(sandbox, campaign, at=sandbox.clock.now() + 3600)
        sandbox.clock.speed = 100_000
        wait_for(lambda: campaign.status == "Completed")


def test_as_fast_as_possible() -> None:
    """At the speed `math.inf`, the clock jumps from timer to timer, to scheduled campaigns too, and no further."""
    with Sandbox(campaigns=0, speed=math.inf).in_thread() as sandbox:
        start = sandbox.clock.now()
        campaigns = [make(sandbox, "PHONE", 30), make(sandbox, "SMS", 30)]
        run(sandbox, campaigns[0])
        run(sandbox, campaigns[1], at=start + 7 * 86_400)
        wait_for(lambda: {"Completed"} == {campaign.status for campaign in campaigns})
        assert 60 == sum(effect.kind in ("call", "sms") for effect in sandbox.side_effects)
        assert 7 * 86_400 <= sandbox.clock.now() - start < 7 * 86_400 + 60


def test_a_campaign_that_was_deleted_or_stopped() -> None:
    """The clock does not jump to what was deleted, stopped or postponed without a date."""
    sandbox = Sandbox(campaigns=0)
    start = sandbox.clock.now()
    deleted, stopped, postponed = (make(sandbox, "PHONE", 2) for _ in range(3))
    for campaign in (deleted, stopped, postponed):
        run(sandbox, campaign, at=start + 3600)
    sandbox.world.remove_campaign(deleted)
    with requests.Session() as http, sandbox.in_thread():
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        path = f"{sandbox.url}/api/v1/campaign"
        assert http.post(f"{path}/emergency-stop/{stopped.id}/", timeout=20).ok
        assert http.patch(f"{path}/{postponed.id}/", json={"schedule": None}, timeout=20).ok
        sandbox.run_to_end()
        assert ("Terminated", "Scheduled") == (stopped.status, postponed.status)
        assert sandbox.clock.now() < start + 600


def test_run_to_end() -> None:
    """`run_to_end()` runs all campaigns to their end at any speed, and the clock then shows when that was."""
    sandbox = Sandbox(campaigns=0)
    start = sandbox.clock.now()
    campaigns = [make(sandbox, "PHONE", 3) for _ in range(3)]
    for days, campaign in enumerate(campaigns):
        run(sandbox, campaign, at=start + days * 86_400 + 1)
    sandbox.run_to_end()
    assert {"Completed"} == {campaign.status for campaign in campaigns}
    assert 9 == len(sandbox.inbox)
    assert 2 * 86_400 < sandbox.clock.now() - start < 2 * 86_400 + 120


@pytest.mark.anyio
async def test_the_loop_serves_meanwhile() -> None:
    """While thousands of calls run as fast as possible, other tasks of the event loop have their turns."""
    async with Sandbox(campaigns=0, speed=math.inf) as sandbox:
        campaign = make(sandbox, "PHONE", 2000)
        run(sandbox, campaign)
        turns = 0
        while campaign.status != "Completed":
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 7000 // CHUNK  # At least that many timers for 2,000 calls.
