"""Starting over, and the version that tells that something changed."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.sandboxes import make, run

from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]
OTP = {"number": "9800000001", "message": "{otp}", "sms_send_options": "text"}


async def test_reset(connect: Connect, post: Post) -> None:
    """After a reset, the sandbox is as it was at its start: data, tokens, faults, requests, inbox, clock."""
    async with connect(campaigns=3) as (sandbox, http):
        names = [campaign.name for campaign in sandbox.world.campaigns.values()]
        login = {"email": sandbox.email, "password": sandbox.password}
        _, body = await post(http, "/api/accounts/login/", login)
        access = {"Authorization": f"Bearer {body['data']['token']['access']}"}
        sandbox.clock.speed = 2
        sandbox.clock.advance(86_000)
        sandbox.faults.add(Fault("status", path="/api/v1/campaign/", times=1))
        await post(http, "/api/system/send/otp/", OTP)
        assert 500 == (await http.get("/api/v1/campaign/")).status
        run(sandbox, make(sandbox, "PHONE", 1))
        sandbox.change_password("other")
        login["password"] = "other"
        sandbox.reset()
        sandbox.clock.advance(600)
        assert names == [campaign.name for campaign in sandbox.world.campaigns.values()]
        assert {"Not Started"} == {campaign.status for campaign in sandbox.world.campaigns.values()}
        assert ([], [], [], []) == (
            sandbox.side_effects,
            sandbox.requests,
            list(sandbox.inbox),
            list(sandbox.recent_requests),
        )
        assert ([], []) == (list(sandbox.faults), list(sandbox.faults.struck))
        assert 2 == sandbox.clock.speed
        assert 100_000 == sandbox.world.owner.credits
        assert 401 == (await http.get("/api/v1/campaign/", headers=access)).status
        assert 200 == (await http.get("/api/v1/campaign/")).status  # With the API token, which is the same again.
        assert login == {"email": sandbox.email, "password": sandbox.password}  # How to connect stays.


@pytest.mark.parametrize("kind", ["stall", "delay"])
async def test_a_request_that_waits(connect: Connect, kind: Any) -> None:
    """A request that a fault held back during a reset has no effect afterwards: its connection is reset."""
    async with connect(campaigns=0) as (sandbox, http):
        fault = sandbox.faults.add(Fault(kind, delay=0.05))
        request = asyncio.ensure_future(http.post("/api/system/send/otp/", json=OTP))
        await fault.triggered.wait()
        sandbox.reset()
        with pytest.raises(aiohttp.ClientConnectionError):
            await request
        assert (0, []) == (len(sandbox.inbox), sandbox.side_effects)


async def test_version(connect: Connect, post: Post) -> None:
    """The version grows with whatever a person who watches the sandbox may see, and a reset makes it grow, too."""
    async with connect(campaigns=1) as (sandbox, http):
        versions = [sandbox.version]

        def grows() -> bool:
            versions.append(sandbox.version)
            return versions[-2] < versions[-1]

        assert not grows()
        sandbox.clock.advance(1)
        assert grows()
        sandbox.clock.speed = 3
        assert grows()
        fault = sandbox.faults.add(Fault("delay", times=1))
        assert grows()
        await post(http, "/api/system/send/otp/", OTP)
        assert grows()
        sandbox.faults.remove(fault)
        assert grows()
        campaign = make(sandbox, "PHONE", 1)
        assert grows()
        run(sandbox, campaign)
        assert grows()
        sandbox.run_to_end()
        assert grows()
        sandbox.world.remove_contact(campaign.contacts[0])
        assert grows()
        sandbox.world.remove_campaign(campaign)
        assert grows()
        sandbox.expire_access_tokens()
        assert grows()
        sandbox.revoke_refresh_tokens()
        assert grows()
        sandbox.change_password("p")
        assert grows()
        for _ in range(3):
            sandbox.reset()
            assert grows()


def test_reset_from_another_thread() -> None:
    """A sandbox that serves in its own thread can be reset while campaigns run as fast as possible."""
    with Sandbox(campaigns=2, speed=float("inf")).in_thread() as sandbox:
        for _ in range(5):
            run(sandbox, make(sandbox, "PHONE", 200))
            sandbox.reset()
            assert (2, 0) == (len(sandbox.world.campaigns), len(sandbox.inbox))
            assert not sandbox.world.timers
