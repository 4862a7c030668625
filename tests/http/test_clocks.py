"""What a response's `Date` says about the service's clock."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from support.messages import READ
from support.servers import Received

from tingting_async import TingTing
from tingting_async.http.clocks import note_clocks, read_clocks


def now_by_service(offset: float, *, ago: float = 0.0, took: float = 0.0, set_by: float = 0.0, **more: str) -> Any:
    """Return by how many seconds the service's clock is ahead of this machine's, as a response shows it.

    Args:
        offset: By how many seconds it is ahead.
        ago: How long ago the response was received.
        took: How long it took.
        set_by: By how many seconds this machine's clock was set forward since.
        more: Other headers.
    """
    wall, monotonic = time.time(), time.monotonic()
    date = datetime.fromtimestamp(wall - ago - took / 2 - set_by + offset, UTC)
    headers = {"Date": format_datetime(date.replace(microsecond=0), usegmt=True), **more}
    clocks = read_clocks((headers, monotonic - ago - took, monotonic - ago, wall - ago - set_by))
    return None if clocks.service is None else (clocks.service - clocks.local).total_seconds() + set_by


@pytest.mark.parametrize("ago", [0.0, 10.0, 5000.0])
@pytest.mark.parametrize("took", [0.0, 0.5, 20.0])
@pytest.mark.parametrize("offset", [-100_000.0, -60.0, 30.0, 100_000.0])
def test_clocks_that_differ(offset: float, took: float, ago: float) -> None:
    """The service's time is the latest that its clock may show."""
    assert offset <= now_by_service(offset, ago=ago, took=took) + 0.001
    assert now_by_service(offset, ago=ago, took=took) <= offset + 1 + took


@pytest.mark.parametrize("ago", [0.0, 5000.0])
def test_clocks_that_agree(ago: float) -> None:
    """If the clocks agree as far as whole seconds show, the service's time is this machine's, to the microsecond."""
    assert 0.0 == now_by_service(0.0, ago=ago)


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": ""},
        {"Date": "yesterday"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"Date": "Thu, 26 Nov 99999 02:00:00 GMT"},
        {"Date": "Thu, 26 Nov 2026 02:00:00 -0000"},
        {"Age": "3600"},
    ],
)
def test_dates_that_tell_nothing(headers: dict[str, str]) -> None:
    """A date that is missing, garbage, or that of a cached response tells nothing."""
    assert now_by_service(0.0, **headers) is None


def test_no_response() -> None:
    """Without a response, the service's time is unknown."""
    assert read_clocks(None).service is None


@pytest.mark.parametrize("offset", [-100_000.0, 0.0, 100_000.0])
def test_noted_clocks(offset: float) -> None:
    """Clocks that were noted show the time when they were noted, however late they are read."""
    date = format_datetime(datetime.fromtimestamp(int(time.time() + offset), UTC), usegmt=True)
    latest = ({"Date": date}, time.monotonic(), time.monotonic(), time.time())
    before = read_clocks(latest)
    noted = note_clocks(latest)
    after = read_clocks(latest)
    while read_clocks(latest).local == after.local:
        pass
    assert before.local <= noted().local <= after.local
    assert before.monotonic <= noted().monotonic <= after.monotonic
    assert before.service is not None
    assert after.service is not None
    assert (service := noted().service) is not None
    assert before.service <= service <= after.service


@pytest.mark.parametrize("set_by", [-100_000.0, -2.0, 2.0, 100_000.0])
def test_clock_that_was_set_since(set_by: float) -> None:
    """If this machine's clock was set since the response, the response tells nothing."""
    assert now_by_service(0.0, ago=10.0, set_by=set_by) is None


@pytest.mark.anyio
async def test_latest_response(serve: Any) -> None:
    """The latest response tells the service's time, whatever its status."""
    dates = [datetime.now(UTC) + timedelta(hours=hours) for hours in (5, 9)]

    async def script(received: Received) -> None:
        date = format_datetime(dates[received.number].replace(microsecond=0), usegmt=True)
        await received.respond(b"{}", 200 if received.number else 404, date=date)

    server = await serve(script)
    async with TingTing(base_url=server.url, api_token="k") as tingting:
        for date in dates:
            await tingting._core.execute(READ) if date is dates[1] else await fails(tingting)
            service = tingting._core.read_clocks().service
            assert service is not None
            assert timedelta(0) <= service - date < timedelta(seconds=30)


async def fails(tingting: TingTing) -> None:
    """Make a request that fails."""
    with pytest.raises(Exception, match="404"):
        await tingting._core.execute(READ)
