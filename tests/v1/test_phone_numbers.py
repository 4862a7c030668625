"""Lines."""

import pytest
from support.v1 import connect

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_list() -> None:
    """The lines that campaigns can call from are listed."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        assert [1, 2] == [line.id async for line in tingting.phone_numbers.list()]


async def test_active() -> None:
    """The account's active lines are listed."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        assert 2 == await tingting.phone_numbers.active().count()
