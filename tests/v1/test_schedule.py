"""When a campaign that was scheduled will run: the campaign's own date counts, not a converted one."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from support.v1 import connect, make_campaign, serving

from tingting_async import PartialFailureError
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.bikram_sambat import format_date
from tingting_async.v1 import RunStarted

pytestmark = pytest.mark.anyio

Call = Callable[[Any], Any]

RUNS = pytest.mark.parametrize("run", [lambda to: to.campaigns.run(1), lambda to: to.surveys.run(1)])


class Service:
    """Schedules a campaign, and shows it."""

    def __init__(self, said: str, campaign: Any, status: int = 200) -> None:
        self.said = said
        self.campaign = campaign
        self.status = status
        self.reads = 0
        self.is_read = asyncio.Event()
        self.may_respond = asyncio.Event()
        self.may_respond.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond to a run, or to a request for the campaign."""
        if request.method == "POST":
            return web.json_response({"message": self.said})
        self.reads += 1
        self.is_read.set()
        await self.may_respond.wait()
        return web.json_response(self.campaign, status=self.status)


def said(day: str) -> str:
    """Return the message of a run that was scheduled."""
    return f"Campaign Scheduled successfully for {day} at 14:46:00"


@RUNS
@pytest.mark.parametrize("day", ["2082-03-25", "2082-03-24", "2084-02-32", "2084-03-01", "2125-01-01", "2025-07-09"])
async def test_the_date_of_the_campaign(run: Call, day: str) -> None:
    """The campaign's own date is the result, however the date in the message would be converted."""
    when = datetime(2025, 7, 9, 14, 46, tzinfo=KATHMANDU)
    service = Service(said(day), {"id": 1, "schedule": when.isoformat()})
    async with serving(service.handle) as tingting:
        started = await run(tingting)
    assert (when, None, 1) == (started.scheduled_for, started.converted_by, service.reads)


@RUNS
@pytest.mark.parametrize(
    ("campaign", "status"), [({"id": 1, "schedule": None}, 200), ({}, 200), ({"detail": "Not found."}, 404), ([], 500)]
)
async def test_a_date_of_the_message_alone(run: Call, campaign: Any, status: int) -> None:
    """If the campaign has no date or cannot be read, the message's date is converted, and the table is named."""
    service = Service(said("2082-03-25"), campaign, status)
    async with serving(service.handle) as tingting:
        started = await run(tingting)
    assert datetime(2025, 7, 9, 14, 46, tzinfo=KATHMANDU) == started.scheduled_for
    assert started.converted_by is not None
    assert started.converted_by.startswith("nepali-datetime 1.")


@RUNS
async def test_a_run_that_starts_at_once(run: Call) -> None:
    """A run that starts at once has no date, and the campaign is not read."""
    service = Service("Campaign Began Successfully!!", {"id": 1})
    async with serving(service.handle) as tingting:
        started = await run(tingting)
    assert (None, None, 0) == (started.scheduled_for, started.converted_by, service.reads)


@RUNS
async def test_cancelled_after_the_run(run: Call) -> None:
    """If a call is cancelled after its run was confirmed, the confirmation is behind the cancellation."""
    service = Service(said("2082-03-25"), {"id": 1})
    service.may_respond.clear()
    async with serving(service.handle) as tingting:
        task = asyncio.create_task(run(tingting))
        await service.is_read.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        service.may_respond.set()
    partial = PartialFailureError.behind(caught.value)
    assert partial is not None
    assert isinstance(partial.result, RunStarted)
    assert said("2082-03-25") == partial.result.text


async def test_schedules_of_many_years() -> None:
    """Whenever a run is scheduled, also in years in which tables differ, it is scheduled for that instant."""
    chance = random.Random(14)
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        now = datetime.now(UTC).replace(microsecond=0)
        for sets_before in (True, False) * 15:
            when = now + timedelta(minutes=chance.randrange(60, 60 * 24 * 365 * 20))
            campaign = await make_campaign(tingting, schedule=when if sets_before else None)
            started = await tingting.campaigns.run(campaign.id, schedule=None if sets_before else when)
            assert (when, None) == (started.scheduled_for, started.converted_by)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2013, 4, 13), "2013-04-13"),
        (date(2013, 4, 14), "2070-01-01"),
        (date(2015, 4, 25), "2072-01-12"),
        (date(2025, 7, 9), "2082-03-25"),
        (date(2026, 4, 14), "2083-01-01"),
        (date(2027, 6, 15), "2084-02-32"),
        (date(2027, 6, 16), "2084-03-01"),
        (date(2100, 1, 1), "2100-01-01"),
    ],
)
def test_the_calendar_of_the_sandbox(day: date, expected: str) -> None:
    """The sandbox writes Bikram Sambat dates by its own table, and beyond it ISO dates."""
    assert expected == format_date(day)
