"""The check of a campaign before it is run."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from support.v1 import connect, count_effects, make_campaign, page, serving

from tingting_async import PermissionDeniedError, UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_an_empty_draft() -> None:
    """The report of a draft without contacts, line and voice names each of these problems."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        draft = await tingting.campaigns.create("n", "PHONE", message="{name}", draft=True)
        report = await tingting.campaigns.preflight(draft.id)
    assert (0, {"name"}) == (report.contacts, report.placeholders)
    expected = ("It has no contacts.", "It has no line to call from.", "It has no voice.", "It is a draft.")
    assert expected == report.problems


async def test_variables_that_are_missing() -> None:
    """A contact without a value for a placeholder is a problem until the value is set."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, message="Hi {name}")
        contacts = await tingting.contacts.list(campaign.id).collect()
        expected = tuple(f"Contact {contact.id} has no value for name." for contact in contacts)
        assert expected == (await tingting.campaigns.preflight(campaign.id)).problems
        for contact in contacts:
            await tingting.contacts.set_variables(contact.id, {"name": "सीता"})
        assert () == (await tingting.campaigns.preflight(campaign.id)).problems


async def test_run_with_problems() -> None:
    """`run(preflight=True)` refuses a campaign with problems, and runs nothing."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, message="Hi {name}")
        with pytest.raises(UsageError, match=r"was not run.* has no value for name"):
            await tingting.campaigns.run(campaign.id, preflight=True)
        assert 0 == count_effects(sandbox, "run")


async def test_run_without_problems() -> None:
    """`run(preflight=True)` runs a campaign without problems."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id, preflight=True)
        assert 1 == count_effects(sandbox, "run")


async def test_a_campaign_that_runs_already() -> None:
    """A status other than "Not Started" is a problem."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        assert ("Its status is 'Running'.",) == (await tingting.campaigns.preflight(campaign.id)).problems


async def test_a_call_without_a_message() -> None:
    """A campaign that calls needs a message."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, message="")
        assert ("It has no message.",) == (await tingting.campaigns.preflight(campaign.id)).problems


@pytest.mark.parametrize(
    ("services", "expected"),
    [("SMS", ["It has no SMS message."]), ("SMS & PHONE", ["It has no SMS message."]), ("PHONE", [])],
)
async def test_an_sms_without_a_message(services: str, expected: list[str]) -> None:
    """A campaign that sends SMS needs an SMS message; one that only calls does not."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "campaign-detail" in request.path:
            return web.json_response(page([{"id": 1}]))
        fields = {"message": "m", "sms_message": "", "user_phone": [1], "voice": 3, "status": "Not Started"}
        return web.json_response({"id": 1, "services": services, **fields})

    async with serving(handler) as tingting:
        assert expected == list((await tingting.campaigns.preflight(1)).problems)


async def test_a_check_that_fails_leaves_no_task() -> None:
    """If a contact's variables cannot be read, the check fails with that error and cancels the other requests."""
    started, released = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/0/attributes/"):
            await started.wait()
            return web.json_response({"detail": "Not yours."}, status=403)
        if request.path.endswith("/attributes/"):
            started.set()
            await released.wait()
            return web.json_response({})
        if "campaign-detail" in request.path:
            return web.json_response(page([{"id": index} for index in range(3)]))
        return web.json_response({"id": 1, "services": "PHONE", "message": "{name}"})

    def reading() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if "variables" in repr(task.get_coro())}

    async with serving(handler) as tingting:
        before = reading()
        with pytest.raises(PermissionDeniedError):
            await tingting.campaigns.preflight(1)
        assert before == reading()
        released.set()
