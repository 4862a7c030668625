"""Campaigns that run: what reaches whom and when, watching, waiting and stopping."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.v1 import (
    always,
    connect,
    count_effects,
    first_contact,
    make_campaign,
    serving,
)

from tingting_async import OutcomeUnknownError, UsageError, WaitTimeoutError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import Campaign, CampaignStatus, ContactStatus, Services, TingTing

pytestmark = pytest.mark.anyio


async def test_run() -> None:
    """A run calls every contact once; the contacts' statuses are the results."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        assert (await tingting.campaigns.run(campaign.id)).scheduled_for is None
        sandbox.clock.advance(600)
        assert CampaignStatus.COMPLETED == (await tingting.campaigns.get(campaign.id)).status
        assert 3 == count_effects(sandbox, "call")
        contacts = await tingting.contacts.list(campaign.id).collect()
        assert {ContactStatus} == {type(contact.status) for contact in contacts}


async def test_run_sets_texts_first() -> None:
    """Texts that are given to a run are set before it."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id, message="new", sms_message="new SMS")
        ran = await tingting.campaigns.get(campaign.id)
        assert ("new", "new SMS", 1) == (ran.message, ran.sms_message, count_effects(sandbox, "run"))


async def test_a_schedule_keeps_its_instant() -> None:
    """A schedule is the same instant in the run, and in the campaign; no one is called before it."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        when = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
        campaign = await make_campaign(tingting)
        assert when == (await tingting.campaigns.run(campaign.id, schedule=when)).scheduled_for
        stored = await tingting.campaigns.get(campaign.id)
        assert (when, CampaignStatus.SCHEDULED) == (stored.schedule, stored.status)
        sandbox.clock.advance(4.9 * 3600)
        assert 0 == count_effects(sandbox, "call")
        sandbox.clock.advance(3600)
        assert 3 == count_effects(sandbox, "call")


async def test_a_naive_schedule() -> None:
    """A schedule without a time zone is refused."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="time zone"):
            await tingting.campaigns.create("n", "PHONE", schedule=datetime(2030, 1, 1))
        assert [] == sandbox.requests


WRONG_TEXTS = pytest.mark.parametrize(
    ("services", "wrong", "right"), [("SMS", "message", "sms_message"), ("PHONE", "sms_message", "message")]
)


@WRONG_TEXTS
async def test_create_with_a_text_that_is_not_used(services: str, wrong: str, right: str) -> None:
    """A campaign that is created with only the text that it does not use is refused."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=f"`{services}` .* `{right}`, not `{wrong}`: give `{right}`"):
            await tingting.campaigns.create("n", services, **{wrong: "new"})  # type: ignore[arg-type]
        assert [] == sandbox.requests


@WRONG_TEXTS
async def test_run_with_a_text_that_is_not_used(services: str, wrong: str, right: str) -> None:
    """A run with only the text that the campaign does not use is refused: the old text would have gone out."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", services, **{right: "old"})  # type: ignore[arg-type]
        await tingting.contacts.add(campaign.id, "9800000001")
        with pytest.raises(UsageError, match=f"`{services}` .* `{right}`, not `{wrong}`: give `{right}`"):
            await tingting.campaigns.run(campaign.id, **{wrong: "new"})  # type: ignore[arg-type]
        unchanged = await tingting.campaigns.get(campaign.id)
        assert (CampaignStatus.NOT_STARTED, "old") == (unchanged.status, getattr(unchanged, right))
        assert 0 == count_effects(sandbox, "run")


async def test_stop() -> None:
    """A campaign that is stopped calls no one else."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        await tingting.campaigns.stop(campaign.id)
        before = count_effects(sandbox, "call")
        sandbox.clock.advance(600)
        assert before == count_effects(sandbox, "call") <= 1
        assert CampaignStatus.TERMINATED == (await tingting.campaigns.get(campaign.id)).status


@pytest.mark.parametrize(("body", "text"), [(b"", ""), (b"Stopped.", "Stopped."), (b'{"message": "m"}', "m")])
async def test_responses_that_are_not_documented(body: bytes, text: str) -> None:
    """If the documents print no response, text and an empty body are a confirmation, too."""
    async with serving(always(body)) as tingting:
        assert text == (await tingting.campaigns.stop(1)).text


async def test_a_web_page_confirms_nothing() -> None:
    """A web page in response to a send leaves its outcome unknown."""
    async with serving(always(b"<html>Sign in</html>")) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting.contacts.demo_call(1)


@pytest.mark.parametrize("kind", ["reset_after", "gateway_timeout", "truncate", "html"])
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("campaigns.run", lambda to, campaign, _: to.campaigns.run(campaign)),
        ("surveys.run", lambda to, campaign, _: to.surveys.run(campaign)),
        ("surveys.test_call", lambda to, _, contact: to.surveys.test_call(contact)),
        ("contacts.demo_call", lambda to, _, contact: to.contacts.demo_call(contact)),
        ("otp.send", lambda to, *_: to.otp.send("9800000001", "{otp}", channel="text")),
    ],
)
async def test_a_send_whose_response_is_lost_is_sent_once(kind: Any, operation: str, call: Any) -> None:
    """Whatever happens to its response, a send is made once, and its outcome is unknown."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, Services.SURVEY if "surveys" in operation else Services.PHONE)
        contact = await first_contact(tingting, campaign.id)
        sandbox.faults.add(Fault(kind, method="POST"))
        before = len(sandbox.requests)
        with pytest.raises(OutcomeUnknownError, match="To find out") as caught:
            await call(tingting, campaign.id, contact.id)
        assert (operation, 1) == (caught.value.operation, len(sandbox.requests) - before)
        assert 1 == count_effects(sandbox, "run", "demo", "otp")


async def running(tingting: TingTing) -> int:
    """Run a campaign, and return its id."""
    campaign = await make_campaign(tingting)
    await tingting.campaigns.run(campaign.id)
    return campaign.id


async def test_progress() -> None:
    """`progress()` yields a running campaign after each change, once, until it is completed."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign_id = await running(tingting)
        seen: list[Any] = []
        async for campaign in tingting.campaigns.progress(campaign_id, poll_interval=0.001, max_poll_interval=0.01):
            seen.append((campaign.progress_percent, campaign.status))
            while (
                len(seen) < 10
                and not campaign.status.is_final
                and campaign == await tingting.campaigns.get(campaign_id)
            ):
                sandbox.clock.advance(5)
        assert (100, CampaignStatus.COMPLETED) == seen[-1]
        assert sorted(set(seen)) == seen
        assert len(seen) > 2


async def test_wait_until_a_campaign_is_completed() -> None:
    """`wait()` returns the campaign once its status is final."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign_id = await running(tingting)
        sandbox.clock.advance(600)
        assert CampaignStatus.COMPLETED == (await tingting.campaigns.wait(campaign_id)).status


async def test_wait_until_a_status() -> None:
    """`wait(until=…)` returns the campaign once it has the status."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        waited = await tingting.campaigns.wait(await running(tingting), until="Running", timeout=5)
        assert CampaignStatus.RUNNING == waited.status


async def test_wait_ends_at_an_unknown_status() -> None:
    """`wait()` returns a campaign whose status is unknown: it may never change."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign_id = await running(tingting)
        sandbox.world.campaigns[campaign_id].status = "Paused by Carrier"
        assert "Paused by Carrier" == (await tingting.campaigns.wait(campaign_id)).status


async def test_wait_times_out() -> None:
    """A wait that times out says what the status is and how to stop the campaign, and has the campaign."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign_id = await running(tingting)
        message = rf"campaign {campaign_id} had the status 'Running'.*stop\({campaign_id}\)"
        with pytest.raises(WaitTimeoutError, match=message) as caught:
            await tingting.campaigns.wait(campaign_id, timeout=0.05, poll_interval=0.01)
        assert isinstance(caught.value.last, Campaign)


async def test_wait_until_a_status_that_is_not_documented() -> None:
    """A status that does not exist is refused: it would never be reached."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="'Done'"):
            await tingting.campaigns.wait(1, until="Done")
        assert [] == sandbox.requests


@pytest.mark.parametrize(("interval", "longest"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1)])
async def test_poll_intervals(interval: float, longest: float) -> None:
    """A poll interval that would send requests without end is refused before anything is sent."""
    async with serving(always({}, 500)) as tingting:
        with pytest.raises(UsageError, match=r"campaigns\.progress: `poll_interval` is"):
            tingting.campaigns.progress(1, poll_interval=interval, max_poll_interval=longest)
        with pytest.raises(UsageError, match=r"campaigns\.wait: `poll_interval` is"):
            await tingting.campaigns.wait(1, poll_interval=interval, max_poll_interval=longest)
        assert 0 == tingting.requests_sent
