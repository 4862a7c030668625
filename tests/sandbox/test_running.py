"""Campaigns that run on the sandbox's clock: who is reached, when, how often, and what it costs."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.running import begin, reschedule, run_due, stop
from tingting_async.sandbox.world import Campaign, Contact

FINAL = {"completed", "unanswered", "hungup", "failed"}


def make(sandbox: Sandbox, services: str, numbers: int, **fields: Any) -> Campaign:
    """Make a campaign of the sandbox's own account."""
    campaign = sandbox.world.add_campaign(sandbox.world.owner, "n", services, "")
    for name, value in fields.items():
        setattr(campaign, name, value)
    for index in range(numbers):
        sandbox.world.add_contact(campaign, str(9800000000 + index), {})
    return campaign


def run(sandbox: Sandbox, campaign: Campaign, targets: list[Contact] | None = None, at: float | None = None) -> None:
    """Run a campaign."""
    begin(sandbox.world, sandbox.world.owner, campaign, targets or campaign.contacts, at)


def happened(sandbox: Sandbox, *kinds: str) -> list[str]:
    """Return what such things happened to, in order."""
    return [effect.key for effect in sandbox.side_effects if effect.kind in kinds]


def test_a_call_goes_through_its_stages() -> None:
    """A number is dialled, rings, is answered and ends, each at its time, and says then how long that took."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 40)
    run(sandbox, campaign)
    seen: dict[int, list[str]] = {contact.id: [] for contact in campaign.contacts}
    for _ in range(120):
        sandbox.clock.advance(1)
        run_due(sandbox.world)
        for contact in campaign.contacts:
            if [contact.status] != seen[contact.id][-1:]:
                seen[contact.id].append(contact.status)
    ways = {tuple(status for status in way if status != "not started") for way in seen.values()}
    assert ways == {
        ("dialing", "failed"),
        ("dialing", "ringing", "unanswered"),
        ("dialing", "ringing", "answered", "hungup"),
        ("dialing", "ringing", "answered", "completed"),
    }
    answered = [contact for contact in campaign.contacts if contact.status in ("completed", "hungup")]
    assert {(contact.status == "completed", contact.playback == 100) for contact in answered} == {
        (True,) * 2,
        (False,) * 2,
    }
    assert {contact.duration for contact in campaign.contacts if contact not in answered} == {None}
    assert (campaign.status, campaign.pending) == ("Completed", set())


def test_one_leap_is_many_steps() -> None:
    """However the clock is moved, the same things happen, in the order of their times and with these."""
    worlds = []
    for steps in (1, 500):
        sandbox = Sandbox(campaigns=0)
        start = sandbox.clock.now() + 1000
        campaigns = [make(sandbox, services, 9) for services in ("PHONE", "SMS", "PHONE")]
        for campaign in campaigns:
            run(sandbox, campaign, at=start)
        for _ in range(steps):
            sandbox.clock.advance(2000 / steps)
            run_due(sandbox.world)
        effects = [effect for effect in sandbox.side_effects if effect.kind in ("call", "sms")]
        assert [effect.at for effect in effects] == sorted(effect.at for effect in effects)
        assert all(start <= effect.at < start + 60 for effect in effects)
        worlds.append([(effect.kind, effect.key) for effect in effects])
    assert worlds[0] == worlds[1]
    assert len(worlds[0]) == 27


def test_credits() -> None:
    """A run holds credits back until it ends, and uses one for each call, also where a number is called again."""
    sandbox = Sandbox(campaigns=0)
    owner = sandbox.world.owner
    campaign = make(sandbox, "PHONE", 5)
    for round_ in (1, 2):
        run(sandbox, campaign)
        assert owner.on_hold == 5
        sandbox.clock.advance(600)
        assert len(happened(sandbox, "call")) == 5 * round_
        assert (owner.on_hold, owner.credits) == (0, 100_000 - 5 * round_)
        assert [contact.credit_consumed for contact in campaign.contacts] == [round_] * 5


def test_failover() -> None:
    """Where an outcome fails over, one text follows that call, and is held for beforehand."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS & PHONE", 40, failover_target=["unanswered", "failed"])
    run(sandbox, campaign)
    assert sandbox.world.owner.on_hold == 80
    sandbox.clock.advance(600)
    assert len(happened(sandbox, "call")) == 40
    missed = [contact for contact in campaign.contacts if contact.status in ("unanswered", "failed")]
    assert sorted(happened(sandbox, "sms")) == sorted(str(contact.id) for contact in missed)
    assert missed == [contact for contact in campaign.contacts if contact.failover_sms_sent]
    assert sandbox.world.owner.credits == 100_000 - 40 - len(missed)


def test_outcomes_change_with_the_run() -> None:
    """A number that failed does not fail for ever: what comes of a call is another chance each time."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 60)
    run(sandbox, campaign)
    sandbox.clock.advance(600)
    run_due(sandbox.world)
    failed = [contact for contact in campaign.contacts if contact.status == "failed"]
    assert failed
    for _ in range(20):
        run(sandbox, campaign, failed)
        sandbox.clock.advance(600)
        run_due(sandbox.world)
        failed = [contact for contact in failed if contact.status == "failed"]
        if not failed:
            break
    assert failed == []


def test_schedule() -> None:
    """A scheduled campaign starts at its time and not before; it can be put off, brought forward, and stopped."""
    sandbox = Sandbox(campaigns=0)
    now = sandbox.clock.now()
    kept, later, earlier, stopped, never = (make(sandbox, "PHONE", 1) for _ in range(5))
    for campaign in (kept, later, earlier, stopped, never):
        run(sandbox, campaign, at=now + 1000)
    reschedule(sandbox.world, later, now + 3000)
    reschedule(sandbox.world, earlier, now + 500)
    reschedule(sandbox.world, never, None)
    stop(sandbox.world, stopped)
    assert (stopped.status, stopped.contacts[0].status) == ("Terminated", "not started")
    rung = []
    for hop in (400, 400, 400, 2800):
        sandbox.clock.advance(hop)
        rung.append(happened(sandbox, "call"))
    ids = [str(campaign.contacts[0].id) for campaign in (earlier, kept, later)]
    assert rung == [[], ids[:1], ids[:2], ids]
    assert [campaign.status for campaign in (kept, never)] == ["Completed", "Scheduled"]


def test_stop() -> None:
    """A campaign that is stopped reaches nobody any more, pays for whom it reached, and can be run again."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 20)
    run(sandbox, campaign)
    sandbox.clock.advance(4.9)
    rung = len(happened(sandbox, "call"))
    assert 10 <= rung < 20
    stop(sandbox.world, campaign)
    sandbox.clock.advance(600)
    assert len(happened(sandbox, "call")) == rung
    owner = sandbox.world.owner
    assert (campaign.status, owner.on_hold, owner.credits) == ("Terminated", 0, 100_000 - rung)
    assert {contact.status for contact in campaign.contacts} <= {"terminated", "failed"}
    run(sandbox, campaign)
    sandbox.clock.advance(4.7)
    rung = len(happened(sandbox, "call"))
    stop(sandbox.world, campaign)
    start = sandbox.clock.now()
    run(sandbox, campaign)  # While what was planned for the run that was stopped would come due.
    sandbox.clock.advance(600)
    again = [effect.at - start for effect in sandbox.side_effects if effect.kind == "call"][rung:]
    assert again == pytest.approx([index / 2 for index in range(20)], abs=0.1)
    assert {contact.status for contact in campaign.contacts} <= FINAL


def test_deleted_on_the_way() -> None:
    """What is deleted is not reached any more, and holds nothing back; the rest of the run comes to its end."""
    sandbox = Sandbox(campaigns=0)
    gone, left, emptied = (make(sandbox, "PHONE", 4) for _ in range(3))
    run(sandbox, gone)
    run(sandbox, left)
    run(sandbox, emptied, at=sandbox.clock.now() + 60)
    first, *rest = left.contacts
    sandbox.world.remove_campaign(gone)
    sandbox.world.remove_contact(first)
    for contact in list(emptied.contacts):
        sandbox.world.remove_contact(contact)
    sandbox.clock.advance(600)
    assert sorted(happened(sandbox, "call")) == sorted(str(contact.id) for contact in rest)
    assert (left.status, emptied.status) == ("Completed", "Completed")
    assert (sandbox.world.owner.on_hold, sandbox.world.owner.credits) == (0, 100_000 - 3)


def test_added_on_the_way() -> None:
    """A number that is added while a campaign runs waits for the next run."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS", 2)
    run(sandbox, campaign, at=sandbox.clock.now() + 60)
    late = sandbox.world.add_contact(campaign, "9811111111", {})
    sandbox.clock.advance(600)
    assert len(happened(sandbox, "sms")) == 2
    assert (late.status, campaign.status) == ("not started", "Completed")


@pytest.mark.anyio
async def test_deleting_a_running_campaign_over_http() -> None:
    """Deleting a campaign that runs lets go of the credits it held."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        (campaign,) = sandbox.world.campaigns
        async with http.post(f"/api/system/campaigns/{campaign}/begin/", json={"message": "m"}) as answer:
            assert answer.status == 200
        assert sandbox.world.owner.on_hold == 3
        async with http.delete(f"/api/system/campaigns/{campaign}/delete") as answer:
            assert answer.status == 200
        assert sandbox.world.owner.on_hold == 0


def test_a_generated_world_is_nepali() -> None:
    """Generated campaigns and numbers have Nepali names and texts, and values for each tag that they may use."""
    world = Sandbox(campaigns=40, numbers=2).world
    assert all("\u0900" <= campaign.name[0] <= "\u097f" for campaign in world.campaigns.values())
    assert {len(campaign.usable_tags) for campaign in world.campaigns.values()} == {0, 1, 2, 3, 4}
    for campaign in world.campaigns.values():
        assert ("{tags_name}" in campaign.message) == bool(campaign.usable_tags)
        for contact in campaign.contacts:
            assert list(contact.tags) == campaign.usable_tags
            assert all(contact.tags.values())
    assert world.side_effects == []


def test_runs_leave_the_ids_alone() -> None:
    """What is made after a run has the next id, as it would have had without."""
    ids = []
    for runs in (False, True):
        sandbox = Sandbox(campaigns=1)
        if runs:
            run(sandbox, next(iter(sandbox.world.campaigns.values())))
            sandbox.clock.advance(600)
            run_due(sandbox.world)
        ids.append(make(sandbox, "SMS", 0).id)
    assert ids[0] == ids[1]


@pytest.mark.anyio
async def test_schedule_is_nepals_time() -> None:
    """A schedule is a date and time in Nepal, 5:45 ahead of UTC, to the minute."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        (campaign,) = sandbox.world.campaigns.values()
        path = f"/api/system/campaigns/{campaign.id}/begin/"
        async with http.post(path, json={"message": "m", "schedule_date": "2030-01-01T00:00"}) as answer:
            assert (answer.status, campaign.status) == (200, "Scheduled")
        async with http.post(path, json={"message": "m"}) as answer:
            assert answer.status == 400
        instant = datetime(2029, 12, 31, 18, 15, tzinfo=UTC).timestamp()
        assert campaign.scheduled_at == instant
        sandbox.clock.advance(instant - sandbox.clock.now() - 60)
        assert happened(sandbox, "call", "sms") == []
        sandbox.clock.advance(120)
        assert happened(sandbox, "call", "sms") == [str(campaign.contacts[0].id)]
