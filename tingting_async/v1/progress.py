"""Watching a campaign while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from tingting_async.errors import UsageError, WaitTimeoutError
from tingting_async.pagination.iterators import AsyncForIterator
from tingting_async.quantities import SECONDS, is_seconds, shown
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus


class Progress(AsyncForIterator[Campaign]):
    """A campaign as it is now, and again after each change; see `Campaigns.progress`."""

    _usage = "write `async for campaign in ….campaigns.progress(id)`, or `await ….campaigns.wait(id)`"

    def __init__(
        self,
        operation: str,
        id: int,
        poll: Callable[[], Awaitable[Campaign]],
        sleep: Callable[[float], Awaitable[None]],
        *,
        poll_interval: float,
        max_poll_interval: float,
    ) -> None:
        require_poll_intervals(operation, poll_interval, max_poll_interval)
        self._id = id
        self._poll = poll
        self._sleep = sleep  # It ends when the session is closed.
        self._poll_interval = poll_interval
        self._max_poll_interval = max_poll_interval
        self._last: Campaign | None = None

    async def __anext__(self) -> Campaign:
        if self._last is None:
            self._last = await self._poll()
        elif self._last.status is None or self._last.status.is_final:
            raise StopAsyncIteration
        else:
            self._last = await self._next_change(self._last)
        return self._last

    async def _next_change(self, last: Campaign) -> Campaign:
        interval = self._poll_interval
        while True:
            await self._sleep(interval)
            interval = min(interval * 1.5, self._max_poll_interval)
            if (campaign := await self._poll()) != last:
                return campaign

    async def wait(self, until: Collection[CampaignStatus], timeout: float | None) -> Campaign:
        """Wait until the campaign has a final or unknown status, or one of those in `until`.

        Raises:
            WaitTimeoutError: The wait timed out.
        """
        require_wait_timeout("campaigns.wait", timeout)
        try:
            async with asyncio.timeout(timeout):
                async for campaign in self:
                    if campaign.status in until:
                        break
        except TimeoutError:
            seen = "was not seen" if self._last is None else f"had the status {str(self._last.status)!r}"
            raise WaitTimeoutError(
                f"campaigns.wait: timed out after {timeout:g} s; campaign {self._id} {seen}. Wait again, or stop it "
                f"with campaigns.stop({self._id}). A campaign that is 'Not Started' has not been run.",
                last=self._last,
            ) from None
        assert self._last is not None
        return self._last


def require_poll_intervals(operation: str, poll_interval: float, max_poll_interval: float) -> None:
    """Refuse intervals that cannot be waited for.

    Raises:
        UsageError: One is not a number of seconds, or the first is longer than the second.
    """
    for name, seconds in (("poll_interval", poll_interval), ("max_poll_interval", max_poll_interval)):
        if not is_seconds(seconds):
            raise UsageError(f"{operation}: `{name}` is {shown(seconds)}; it must be {SECONDS}.")
    if poll_interval > max_poll_interval:
        raise UsageError(
            f"{operation}: `poll_interval` is {poll_interval:g} s; it must be at most as long as `max_poll_interval`, "
            f"which is {max_poll_interval:g} s."
        )


def require_wait_timeout(operation: str, timeout: float | None) -> None:
    """Refuse a limit of a wait that is neither a number of seconds nor None.

    Raises:
        UsageError: It is something else.
    """
    if timeout is not None and not is_seconds(timeout):
        raise UsageError(f"{operation}: `timeout` is {shown(timeout)}; it must be {SECONDS}, or None for no limit.")
