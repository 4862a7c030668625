"""The account's lines in the classic API, against the sandbox."""

from typing import Any

import pytest
from support.classic import connect

from tingting_async import DecodeError, PaginationError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_buy() -> None:
    """A line that was bought is among those that the account owns."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        line = await tingting.phone_numbers.for_sale().first()
        assert line is not None
        assert line.phone_number == (await tingting.phone_numbers.buy(line.sid)).phone_number
        assert line.sid in [owned.sid async for owned in tingting.phone_numbers.owned()]


async def test_release() -> None:
    """A line that was released is no longer among those that the account owns."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        before = await tingting.phone_numbers.owned().count()
        line = await tingting.phone_numbers.for_sale().first()
        assert line is not None
        await tingting.phone_numbers.buy(line.sid)
        assert "released" in (await tingting.phone_numbers.release(line.sid)).text
        assert before == await tingting.phone_numbers.owned().count()


@pytest.mark.parametrize(
    "beside",
    [
        {"next": "http://x/?page=2"},
        {"count": 9},
        {"total_items": "9"},
        {"total_pages": 3},
        {"links": {"next": "http://x/?page=2"}},
        {"pagination": {"page_number": 1}},
    ],
)
@pytest.mark.parametrize("inside", [False, True])
async def test_incomplete_list(beside: dict[str, Any], inside: bool) -> None:
    """A list without documented pages is refused if another field shows that there are more items."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        data = {"owned_numbers": [], **(beside if inside else {})}
        body = {"success": True, "data": data, **({} if inside else beside)}
        sandbox.faults.add(Fault(path="*/owned/phone_numbers", kind="status", status=200, body=body))
        with pytest.raises((PaginationError, DecodeError)):
            await tingting.phone_numbers.owned().collect()
