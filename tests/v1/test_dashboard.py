"""The dashboard."""

import pytest
from support.v1 import connect

from tingting_async import UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_get() -> None:
    """The totals of the last days are read."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        assert 0 == (await tingting.dashboard.get(days=7)).credits_used
        assert "days=7" == sandbox.requests[-1].query


async def test_no_days() -> None:
    """The totals of no day are refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="`days` is 0"):
            await tingting.dashboard.get(days=0)
        assert [] == sandbox.requests
