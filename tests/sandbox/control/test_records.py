"""What the sandbox did and received, by the control interface."""

from collections.abc import Callable
from typing import Any

import pytest

from tingting_async import TingTing
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]


async def test_effects(sandbox: Sandbox, call: Call) -> None:
    """Side effects are listed oldest first, and can be filtered by kind and target."""
    async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        for number in ("9800000001", "9800000002"):
            await tingting.otp.send(number, "Your code is {otp}", channel="text")
        await tingting.campaigns.create("Notice", "SMS", numbers=["9800000001"])
    _, body = await call("GET", "effects")
    assert [(each["kind"], each["target"]) for each in body["effects"]] == [
        ("otp", "9800000001"),
        ("otp", "9800000002"),
        ("created", "Notice"),
        ("contact", "9800000001"),
    ]
    counts = [
        (await call("GET", f"effects{query}"))[1]["count"]
        for query in ("?kind=otp", "?target=9800000001", "?kind=otp&target=9800000001", "?kind=call")
    ]
    assert [2, 2, 1, 0] == counts
