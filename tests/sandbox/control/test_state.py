"""The clock and the tokens, by the control interface."""

from collections.abc import Callable
from typing import Any

import pytest

from tingting_async import TingTing
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]


async def test_clock(sandbox: Sandbox, call: Call) -> None:
    """The clock shows the sandbox's time in both forms, and moves forward on request."""
    _, before = await call("GET", "clock")
    status, after = await call("POST", "clock/advance", {"seconds": 3600})
    assert status == 200
    assert 3600 <= after["now"] - before["now"] < 3660
    assert after["iso"] == sandbox.clock.iso(after["now"])


async def test_what_is_due_has_happened(sandbox: Sandbox, call: Call) -> None:
    """After the response to `clock/advance`, everything that was due by then has happened."""
    async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        campaign = await tingting.campaigns.create("Notice", "SMS", numbers=["9800000001"])
        await tingting.campaigns.run(campaign.id, message="नमस्ते")
    await call("POST", "clock/advance", {"seconds": 60})
    assert sandbox.world.campaigns[campaign.id].status == "Completed"


@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_expire_tokens(sandbox: Sandbox, call: Call, kind: str) -> None:
    """All tokens of a kind become invalid, and those of the other kind stay valid."""
    other = "refresh" if kind == "access" else "access"
    tokens = {each: sandbox.tokens.issue(sandbox.world.owner, each) for each in (kind, other)}
    assert await call("POST", "tokens/expire", {"kind": kind}) == (200, {"kind": kind})
    assert sandbox.tokens.account(tokens[kind], kind) is None
    assert sandbox.tokens.account(tokens[other], other) is sandbox.world.owner


async def test_unknown_kinds_of_tokens(call: Call) -> None:
    """A kind of token that does not exist is refused with those that do."""
    status, body = await call("POST", "tokens/expire", {"kind": "api"})
    assert (status, body["field"]) == (400, "kind")
    assert body["error"] == 'kind="api" is not valid: use "access" or "refresh".'
