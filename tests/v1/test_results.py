"""What became of the contacts of all campaigns."""

import asyncio
import gc
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from support.v1 import connect, count_requests, make_campaign, page, serving

from tingting_async import MisuseError, NotFoundError, ServerError, SessionClosedError, UsageError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import CampaignResult, CampaignStatus

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("concurrency", [1, 3, 50])
@pytest.mark.parametrize("exact", [True, False])
async def test_all_campaigns(concurrency: int, exact: bool) -> None:
    """Every contact of every campaign is in one row, campaign by campaign, and the row knows both."""
    async with Sandbox(campaigns=13, numbers=12) as sandbox, connect(sandbox) as tingting:
        del sandbox.world.campaigns_of(sandbox.world.owner)[3].contacts[:]
        expected = [
            (campaign.id, contact.id)
            async for campaign in tingting.campaigns.list()
            async for contact in tingting.contacts.list(campaign.id)
        ]
        rows = [row async for row in tingting.campaigns.results(concurrency=concurrency, exact=exact)]
    assert 144 == len(rows)
    assert expected == [(row.campaign.id, row.contact.id) for row in rows]
    assert {True} == {row.campaign.id == row.contact.campaign_id for row in rows}


async def test_a_period() -> None:
    """Contacts are selected by the time of their last change, also those of a campaign that runs since before."""
    async with Sandbox(campaigns=3) as sandbox, connect(sandbox) as tingting:
        sandbox.clock.advance(3600)
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(10)
        since = datetime.fromtimestamp(sandbox.clock.now(), UTC)
        sandbox.clock.advance(10)
        running = await tingting.campaigns.get(campaign.id)
        assert (CampaignStatus.RUNNING, True) == (running.status, running.updated_at is not None)
        sandbox.clock.advance(27)  # A call that nobody answers ends after 33 seconds, the others later.
        contacts = {contact.id: contact.updated_at for contact in await tingting.contacts.list(campaign.id).collect()}
        changed = {key for key, at in contacts.items() if at is not None and at >= since}
        assert 0 < len(changed)
        rows = await tingting.campaigns.results(since=since).collect()
        assert changed == {row.contact.id for row in rows}
        assert [row.contact.status and row.contact.status.was_reached for row in rows] == [
            row.was_reached for row in rows
        ]
        before = await tingting.campaigns.results(until=since).collect()
        assert 9 + 3 - len(changed) == len(before)
        assert [] == await tingting.campaigns.results(since=since + timedelta(hours=1)).collect()


async def test_each_campaign_counts_once() -> None:
    """A running campaign, which is in both lists, is read once."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        rows = await tingting.campaigns.results(since=datetime(2020, 1, 1, tzinfo=UTC)).collect()
        assert 3 == len(rows) == len({row.contact.id for row in rows})
        assert 1 == count_requests(sandbox, f"/api/v1/campaign-detail/{campaign.id}/")


async def test_a_campaign_that_is_deleted_meanwhile() -> None:
    """A campaign that is deleted before its contacts are requested has no rows; the others do."""
    async with Sandbox(campaigns=5) as sandbox, connect(sandbox) as tingting:
        gone = [*sandbox.world.campaigns][2]
        sandbox.faults.add(Fault("status", path=f"*/campaign-detail/{gone}/", status=404))
        rows = await tingting.campaigns.results().collect()
    assert 12 == len(rows)
    assert gone not in {row.campaign.id for row in rows}


@pytest.mark.parametrize("path", ["*/campaign-detail/{}/", "*/campaign/"])
async def test_continuing_after_a_failure(path: str) -> None:
    """A failed page raises when it is due. A consumer that continues gets every row, and none twice."""
    async with Sandbox(campaigns=15, numbers=3) as sandbox, connect(sandbox) as tingting:
        fault = sandbox.faults.add(Fault("status", path=path.format([*sandbox.world.campaigns][7]), status=500))
        rows, seen = aiter(tingting.campaigns.results(concurrency=2)), Counter[int]()
        failures = 0
        while True:
            try:
                seen[(await anext(rows)).contact.id] += 1
            except StopAsyncIteration:
                break
            except ServerError:
                failures += 1
                fault.times = fault.count
    assert (1, 45, {1}) == (failures, len(seen), {*seen.values()})


def two_steps(campaigns: int, gate: asyncio.Event) -> Any:
    """Return a handler of so many campaigns with one contact each, whose contacts wait for the gate, and its state."""
    state: dict[str, Any] = {"in flight": 0, "most": 0, "asked": asyncio.Event(), "requests": []}

    async def handler(request: web.Request) -> web.StreamResponse:
        rows: list[dict[str, Any]] = [{"id": key} for key in range(1, campaigns + 1)]
        if found := re.search(r"/campaign-detail/(\d+)/", request.path):
            state["in flight"] += 1
            state["most"] = max(state["most"], state["in flight"])
            state["requests"].append(request)
            state["asked"].set()
            await gate.wait()
            state["in flight"] -= 1
            rows = [{"id": int(found[1]) * 100, "number": "9800000001"}]
        return web.json_response({"count": len(rows), "next": None, "previous": None, "results": rows})

    return handler, state


async def test_concurrency_is_limited() -> None:
    """Contacts of at most so many campaigns are requested at the same time, and of so many if there are."""
    gate = asyncio.Event()
    handler, state = two_steps(9, gate)
    async with serving(handler) as tingting:
        task = asyncio.ensure_future(tingting.campaigns.results(concurrency=3).collect())
        while state["in flight"] < 3:
            await state["asked"].wait()
            state["asked"].clear()
        gate.set()
        rows: list[CampaignResult] = await task
    assert [key * 100 for key in range(1, 10)] == [row.contact.id for row in rows]
    assert 3 == state["most"]


async def test_a_cancelled_consumer() -> None:
    """If waiting for a row is cancelled, the row is delivered by the next attempt."""
    gate = asyncio.Event()
    handler, state = two_steps(3, gate)
    async with serving(handler) as tingting:
        rows = aiter(tingting.campaigns.results())
        waiting = asyncio.ensure_future(anext(rows))
        await state["asked"].wait()
        with pytest.raises(UsageError, match="Two tasks"):
            await anext(rows)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        assert [100, 200, 300] == [row.contact.id async for row in rows]


@pytest.mark.parametrize("end", ["aclose", "drop", "session"])
async def test_leaving_cancels_the_requests(end: str) -> None:
    """Closing or dropping the iterator, and closing the session, end the requests in flight."""
    gate = asyncio.Event()
    handler, state = two_steps(3, gate)
    async with serving(handler) as tingting:
        rows = aiter(tingting.campaigns.results(concurrency=3))
        waiting = asyncio.ensure_future(anext(rows))
        await state["asked"].wait()
        if end == "aclose":
            await rows.aclose()
            with pytest.raises(SessionClosedError):
                await waiting
            with pytest.raises(StopAsyncIteration):
                await anext(rows)
        elif end == "session":
            await tingting.aclose()
            with pytest.raises(SessionClosedError):
                await waiting
        else:
            waiting.cancel()
            await asyncio.wait([waiting])
            del rows, waiting
            gc.collect()
        while any(request.transport is not None for request in state["requests"]):
            await asyncio.sleep(0)  # The server notices in its own time that the connections were closed.
        gate.set()
    assert state["requests"]


async def test_invalid_arguments() -> None:
    """Naive datetimes, a period without length and a concurrency of 0 are refused; awaiting says what to write."""
    now = datetime.now(UTC)
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        for arguments, text in [
            ({"since": now.replace(tzinfo=None)}, "`since` has no time zone"),
            ({"until": "2026-01-01"}, "`until` must be a datetime"),
            ({"since": now, "until": now}, "`since` must be before `until`"),
            ({"concurrency": 0}, "`concurrency` is 0"),
        ]:
            with pytest.raises(UsageError, match=text):
                tingting.campaigns.results(**arguments)  # type: ignore[arg-type]
        with pytest.raises(MisuseError, match=r"`async for row in ….campaigns.results\(…\)`"):
            await tingting.campaigns.results()  # type: ignore[misc]
        assert [] == sandbox.requests


async def test_a_campaign_that_is_deleted_while_it_is_read() -> None:
    """A campaign that is deleted after some of its contacts were delivered raises an error: others are missing."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "campaign-detail" not in request.path:
            return web.json_response(page([{"id": 1}]))
        if request.query.get("offset", "0") != "0" or request.query.get("page", "1") != "1":
            return web.json_response({"detail": "Not found."}, status=404)
        following = str(request.url.update_query(offset=10, limit=10))
        return web.json_response(page([{"id": row} for row in range(10)], count=12, following=following))

    async with serving(handler) as tingting:
        rows = aiter(tingting.campaigns.results())
        assert [*range(10)] == [(await anext(rows)).contact.id for _ in range(10)]
        with pytest.raises(NotFoundError):
            await anext(rows)


async def test_the_end_of_a_period() -> None:
    """A period has its start and not its end, so that two of them in a row have each contact once."""
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]

    async def handler(request: web.Request) -> web.StreamResponse:
        rows: list[dict[str, Any]] = [{"id": 1}]
        if "campaign-detail" in request.path:
            rows = [{"id": row, "updated_at": at.isoformat()} for row, at in enumerate(times)]
        return web.json_response(page(rows))

    async with serving(handler) as tingting:
        results = tingting.campaigns.results
        assert [0, 1] == [row.contact.id async for row in results(since=times[0], until=times[2])]
        assert [2] == [row.contact.id async for row in results(since=times[2])]
