"""Buying and releasing lines."""

from collections.abc import Callable
from typing import Any

import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]
PATH = "/api/system/phone_numbers/"


def for_sale(sandbox: Sandbox) -> dict[str, str]:
    """Return the body that buys or releases a line that is for sale."""
    return {"phone_sid": next(line.sid for line in sandbox.world.lines.values() if line.owner is None)}


async def test_too_few_credits(connect: Connect, post: Post) -> None:
    """A line that costs more than the account has cannot be bought."""
    async with connect(campaigns=0) as (sandbox, http):
        sandbox.world.owner.credits = 39
        assert (await post(http, PATH, for_sale(sandbox)))[0] == 400
        assert sandbox.side_effects == []


async def test_bought_once(connect: Connect, post: Post) -> None:
    """A line is bought once, for its rate."""
    async with connect(campaigns=0) as (sandbox, http):
        sid, owner = for_sale(sandbox), sandbox.world.owner
        owner.credits = 100
        assert (await post(http, PATH, sid))[0] == 200
        assert (await post(http, PATH, sid))[0] == 400
        assert (owner.credits, sandbox.world.lines[sid["phone_sid"]].owner) == (60, owner.id)
        assert [effect.kind for effect in sandbox.side_effects] == ["purchase"]


async def test_released(connect: Connect, post: Post) -> None:
    """A released line is for sale again. The envelope says 204, under HTTP status 200."""
    async with connect(campaigns=0) as (sandbox, http):
        sid = for_sale(sandbox)
        assert (await post(http, PATH, sid))[0] == 200
        async with http.delete("/api/system/phone_numbers", json=sid) as response:
            assert (response.status, (await response.json())["status"]) == (200, 204)
        assert sandbox.world.lines[sid["phone_sid"]].owner is None
        assert [effect.kind for effect in sandbox.side_effects] == ["purchase", "release"]


async def test_line_of_another_account(connect: Connect) -> None:
    """A line of another account cannot be released: it is a 404."""
    async with connect(campaigns=0) as (sandbox, http):
        sid = next(line.sid for line in sandbox.world.lines.values() if line.owner)
        http.headers["Authorization"] = f"Bearer {sandbox.world.add_account('ram@example.com', 'p').api_token}"
        async with http.delete("/api/system/phone_numbers", json={"phone_sid": sid}) as response:
            assert response.status == 404
