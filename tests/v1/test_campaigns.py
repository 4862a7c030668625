"""Campaigns: listed, created, changed and deleted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from aiohttp import web
from support.v1 import connect, make_campaign, serving

from tingting_async import ApiError, NotFoundError, UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Campaign, CampaignStatus, Services, Sort, TingTing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tingting() -> AsyncIterator[TingTing]:
    """A session of an account with 57 campaigns, and one more: a draft named "New"."""
    async with Sandbox(campaigns=57) as sandbox, connect(sandbox) as session:
        await make_campaign(session, draft=True)
        yield session


async def test_list_all_pages(tingting: TingTing) -> None:
    """A list yields the campaigns of all pages, each once."""
    ids = [campaign.id async for campaign in tingting.campaigns.list()]
    assert (58, 58) == (len(ids), len(set(ids)))
    assert 58 == await tingting.campaigns.list().count()


@pytest.mark.parametrize("filters", [{"search": "new"}, {"drafts": True}])
async def test_list_by_name_or_draft(tingting: TingTing, filters: dict[str, Any]) -> None:
    """A list can be limited to names that contain a text, and to drafts."""
    assert ["New"] == [campaign.name async for campaign in tingting.campaigns.list(**filters)]


@pytest.mark.parametrize(("status", "count"), [(CampaignStatus.NOT_STARTED, 58), ("Running", 0)])
async def test_list_by_status(tingting: TingTing, status: CampaignStatus | str, count: int) -> None:
    """A list can be limited to a status."""
    assert count == await tingting.campaigns.list(status=status).count()


async def test_list_sorted(tingting: TingTing) -> None:
    """A list can be sorted by the time of the last change."""
    campaigns = await tingting.campaigns.list(sort=Sort.OLDEST_FIRST).collect()
    changed = [campaign.updated_at for campaign in campaigns if campaign.updated_at]
    assert (58, sorted(changed)) == (len(changed), changed)


@pytest.mark.parametrize(("days", "count"), [((2, None), 0), ((-2, 2), 58), ((None, -400), 0)])
async def test_list_by_time_of_change(tingting: TingTing, days: tuple[int | None, int | None], count: int) -> None:
    """A list can be limited to campaigns that changed from one time to another."""
    first, last = (None if each is None else datetime.now(UTC) + timedelta(days=each) for each in days)
    assert count == await tingting.campaigns.list(changed_from=first, changed_to=last).count()


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"changed_from": datetime(2026, 1, 1)}, "time zone"),
        ({"changed_to": datetime(2026, 1, 1)}, "time zone"),
        ({"status": "running"}, "'Not Started'"),
    ],
)
async def test_list_by_invalid_filters(tingting: TingTing, filters: dict[str, Any], message: str) -> None:
    """A naive datetime and an undocumented status are refused at once."""
    with pytest.raises(UsageError, match=message):
        tingting.campaigns.list(**filters)


async def test_create() -> None:
    """A campaign is created with the fields that are given."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create(
            "New", "SMS & PHONE", lines=[1], voice=3, category="Text", failover=["failed"], length_factor=1.2
        )
        read = await tingting.campaigns.get(campaign.id)
    assert ("New", "SMS & PHONE", (1,), "Text") == (read.name, read.services, read.lines, read.category)
    assert (("failed",), "1.20") == (read.failover_target, str(read.length_factor))
    assert 3 == (read.voice and read.voice.id)


@pytest.mark.parametrize("methods", [("PATCH", "PUT"), ("PUT",)])
async def test_update(methods: tuple[str, ...]) -> None:
    """An update changes the fields that are given, by whichever method the service accepts."""
    async with Sandbox(campaigns=0, update_methods=methods) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, length_factor=1.2, credit_limit=50, description="d", category="Text")
        changed = await tingting.campaigns.update(campaign.id, name="Newer", lines=[2])
    assert ("Newer", (2,)) == (changed.name, changed.lines)
    assert ("नमस्ते", "1.20") == (changed.message, str(changed.length_factor))


@pytest.mark.parametrize("methods", [("PATCH", "PUT"), ("PUT",)])
async def test_set_message(methods: tuple[str, ...]) -> None:
    """A campaign's voice and message are set by whichever method the service accepts."""
    async with Sandbox(campaigns=0, update_methods=methods) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        message = await tingting.campaigns.set_message(campaign.id, voice=5, message="फेरि")
    assert ("फेरि", 5) == (message.message, message.voice and message.voice.id)


@pytest.mark.parametrize(("methods", "rejected"), [(("PATCH", "PUT"), 0), (("PUT",), 2)])
async def test_a_method_is_tried_once_for_each_operation(methods: tuple[str, ...], rejected: int) -> None:
    """A method that the service rejects for an operation is not tried again for that operation."""
    async with Sandbox(campaigns=0, update_methods=methods) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        for _ in range(2):
            await tingting.campaigns.update(campaign.id, draft=False)
            await tingting.campaigns.set_message(campaign.id, voice=5)
        paths = [received.path for received in sandbox.requests if received.status == 405]
    assert (rejected, rejected) == (len(paths), len(set(paths)))


async def test_methods_that_are_all_rejected() -> None:
    """If the service rejects both PATCH and PUT, the 405 is the error, each time."""
    async with Sandbox(campaigns=1, update_methods=()) as sandbox, connect(sandbox) as tingting:
        (campaign_id,) = sandbox.world.campaigns
        for _ in range(2):
            with pytest.raises(ApiError, match="405"):
                await tingting.campaigns.update(campaign_id, name="n")


async def test_methods_are_found_together() -> None:
    """If several tasks find out at once that PATCH is rejected, all of them continue with PUT."""
    together = asyncio.Barrier(3)
    methods: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        methods.append(request.method)
        if request.method == "PUT":
            return web.json_response({"id": 1})
        await together.wait()
        return web.json_response({"detail": "Method not allowed."}, status=405)

    async with serving(handler) as tingting:
        await asyncio.gather(*(tingting.campaigns.update(1, name="n") for _ in range(3)))
        await tingting.campaigns.update(1, name="n")
    assert (3, 4) == (methods.count("PATCH"), methods.count("PUT"))


async def test_the_method_of_one_operation_says_nothing_of_another() -> None:
    """A message that accepts only PUT and a campaign that accepts only PATCH are both changed."""

    async def handler(request: web.Request) -> web.StreamResponse:
        is_accepted = request.method == ("PUT" if request.path.endswith("/message/") else "PATCH")
        return web.json_response({"id": 1} if is_accepted else {"detail": "no"}, status=200 if is_accepted else 405)

    async with serving(handler) as tingting:
        await tingting.campaigns.set_message(1, voice=3, message="m")
        assert 1 == (await tingting.campaigns.update(1, name="n")).id


CLEARABLE: dict[str, tuple[Any, Any]] = {
    "description": ("d", ""),
    "message": ("m", ""),
    "sms_message": ("s", ""),
    "category": ("Audio", None),
    "voice": (3, None),
    "schedule": (datetime.now(UTC) + timedelta(days=1), None),
    "credit_limit": (50, None),
    "lines": ([1], ()),
    "failover": (["failed"], ()),
}
"""A value of each field of a campaign that can be cleared, and what the field is afterwards."""


def fields_of(campaign: Campaign) -> dict[str, Any]:
    """Return the fields of a campaign that can be cleared, by the names of the arguments."""
    return {name: getattr(campaign, "failover_target" if name == "failover" else name) for name in CLEARABLE}


@pytest.mark.parametrize("seed", range(12))
async def test_none_clears(seed: int) -> None:
    """An update clears exactly the fields that are None; those that are not given stay as they are."""
    random = Random(seed)
    cleared = random.sample(sorted(CLEARABLE), random.randint(1, len(CLEARABLE)))
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        given: dict[str, Any] = {name: value for name, (value, _) in CLEARABLE.items()}
        before = await tingting.campaigns.create("n", "SMS & PHONE", **given)
        changes: dict[str, Any] = dict.fromkeys(cleared)
        after = await tingting.campaigns.update(before.id, **changes)
        read = await tingting.campaigns.get(before.id)
    expected = {**fields_of(before), **{name: CLEARABLE[name][1] for name in cleared}}
    assert expected == fields_of(after) == fields_of(read)
    assert not {name for name, value in fields_of(before).items() if not value}


@pytest.mark.parametrize("name", ["name", "services", "draft", "length_factor"])
async def test_what_cannot_be_cleared(name: str) -> None:
    """None for a field that a campaign always has is refused by name, and nothing is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=f"`{name}` cannot be cleared"):
            await tingting.campaigns.update(1, **{"description": "d", name: None})  # type: ignore[misc]
        assert [] == sandbox.requests


async def test_set_message_clears() -> None:
    """A message that is set to None is cleared, and so is the voice; what is not given stays."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        message = await tingting.campaigns.set_message(campaign.id, voice=None, message=None)
    assert (None, "", "Hi") == (message.voice, message.message, message.sms_message)


async def test_a_run_keeps_what_is_none() -> None:
    """A run leaves the message and the schedule as they are if they are None: it is no update."""
    when = datetime.now(UTC) + timedelta(hours=3)
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, Services.SMS_AND_PHONE, schedule=when)
        started = await tingting.campaigns.run(campaign.id, message=None, sms_message="New", schedule=None)
        read = await tingting.campaigns.get(campaign.id)
    assert ("नमस्ते", "New", when) == (read.message, read.sms_message, read.schedule)
    assert "Scheduled" in started.text


async def test_update_nothing() -> None:
    """An update without a field to change is refused, and nothing is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="at least one field"):
            await tingting.campaigns.update(1, name=None)
        assert [] == sandbox.requests


@pytest.mark.parametrize(("kind", "text"), [("message", "Successfully Deleted."), ("empty", "")])
async def test_delete(kind: Any, text: str) -> None:
    """A deletion is confirmed by a message, or by a response without a body."""
    options = {"delete_response": kind} if kind == "message" else {}
    async with Sandbox(campaigns=1, **options) as sandbox, connect(sandbox) as tingting:
        (campaign_id,) = sandbox.world.campaigns
        assert text == (await tingting.campaigns.delete(campaign_id)).text
        assert {} == sandbox.world.campaigns
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(campaign_id)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda to: to.create("n", "SMS", mesage="m"), r"campaigns\.create\(\) .* 'mesage'\. Did you mean 'message'\?"),
        (lambda to: to.create("n", "SMS", nam="m"), r"'nam'\. Did you mean 'name'\?"),
        (lambda to: to.update(1, naem="n"), r"campaigns\.update\(\) .* 'naem'\. Did you mean 'name'\?"),
        (lambda to: to.update(1, timout=5), r"'timout'\. Did you mean 'timeout'\?"),
        (lambda to: to.update(1, user_phone=[1]), r"'user_phone'\. It accepts category, credit_limit"),
        (lambda to: to.set_message(1, voice=3, lines=[1]), r"campaigns\.set_message\(\) .* 'lines'\."),
    ],
)
async def test_unknown_field(call: Any, message: str) -> None:
    """An unknown keyword argument is a TypeError that suggests the nearest name, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(TypeError, match=message):
            await call(tingting.campaigns)
        assert [] == sandbox.requests
