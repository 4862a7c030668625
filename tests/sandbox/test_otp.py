"""One-time passwords, in both generations."""

from collections.abc import Callable
from typing import Any

import pytest

Post = Connect = Callable[..., Any]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("path", ["/api/system/send/otp/", "/api/v1/auths/send/otp/"]),
]
GENERATED = {"number": "9800000001", "message": "कोड {otp}", "sms_send_options": "text"}
OWN = {**GENERATED, "otp_options": "personnel", "otp": "4711"}


async def test_length(connect: Connect, post: Post, path: str) -> None:
    """A generated password has the requested length."""
    async with connect(campaigns=0) as (_, http):
        status, body = await post(http, path, {**GENERATED, "otp_length": 8})
        assert (status, len(body["data"]["details"]["otp"])) == (200, 8)


async def test_own_password(connect: Connect, post: Post, path: str) -> None:
    """The caller's own password is sent as it is."""
    async with connect(campaigns=0) as (sandbox, http):
        assert (await post(http, path, OWN))[1]["data"]["details"]["otp"] == "4711"
        assert [sent.otp for sent in sandbox.world.otps] == ["4711"]


async def test_each_is_a_side_effect(connect: Connect, post: Post, path: str) -> None:
    """Each password is one side effect with the number as its target, and costs one credit."""
    async with connect(campaigns=0) as (sandbox, http):
        for body in (GENERATED, OWN):
            assert (await post(http, path, body))[0] == 200
        assert [(effect.kind, effect.target) for effect in sandbox.side_effects] == [("otp", "9800000001")] * 2
        assert sandbox.world.owner.credits == 100_000 - 2


async def test_invalid_length(connect: Connect, post: Post, path: str) -> None:
    """A password of 99 digits is a validation error, and nothing is sent."""
    async with connect(campaigns=0) as (sandbox, http):
        assert (await post(http, path, {**GENERATED, "otp_length": 99}))[0] == 400
        assert sandbox.world.otps == []


async def test_no_credits(connect: Connect, post: Post, path: str) -> None:
    """An account without credits cannot send a password."""
    async with connect(campaigns=0) as (sandbox, http):
        sandbox.world.owner.credits = 0
        assert (await post(http, path, OWN))[0] == 400
        assert sandbox.world.otps == []
