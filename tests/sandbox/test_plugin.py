"""The pytest plugin's fixture `tingting_sandbox`."""

import asyncio
from typing import Any

import aiohttp
import pytest
import requests

from tingting_async.sandbox import Fault, Sandbox

PROFILE = "/api/accounts/user_details/"


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Override the options of the plugin's sandbox."""
    return {"campaigns": 7}


def test_sync(tingting_sandbox: Sandbox) -> None:
    """The fixture serves code that does not use asyncio, with the options that a suite sets."""
    headers = {"Authorization": f"Bearer {tingting_sandbox.api_token}"}
    page = requests.get(f"{tingting_sandbox.url}/api/system/campaigns", headers=headers, timeout=20).json()
    assert page["pagination"]["total_items"] == 7


@pytest.mark.anyio
async def test_async(tingting_sandbox: Sandbox) -> None:
    """The fixture serves async tests, which can await and release its faults in their own event loop."""
    fault = tingting_sandbox.faults.add(Fault("stall", path=PROFILE))
    async with aiohttp.ClientSession(tingting_sandbox.url) as http:
        request = asyncio.ensure_future(http.get(PROFILE))
        await fault.stalled.wait()
        fault.release()
        async with await request as response:
            assert response.status == 401
    await tingting_sandbox.wait_idle()
    assert tingting_sandbox.in_flight == 0
