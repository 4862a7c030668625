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
        id: int,
        poll: Callable[[], Awaitable[Campaign]],
        sleep: Callable[[float], Awaitable[None]],
        *,
        poll_interval: float,
        max_poll_interval: float,
    ) -> None:
        for name, seconds in (("poll_interval", poll_interval), ("max_poll_interval", max_poll_interval)):
            if not is_seconds(seconds):
                raise UsageError(f"`{name}` is {shown(seconds)}; it must be {SECONDS}.")
        if poll_interval > max_poll_interval:
            raise UsageError(
                f"`poll_interval` is {poll_interval:g} s; it must be at most as long as `max_poll_interval`, which is "
                f"{max_poll_interval:g} s."
            )
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
        if timeout is not None and not is_seconds(timeout):
            raise UsageError(
                f"campaigns.wait: `timeout` is {shown(timeout)}; it must be {SECONDS}, or None for no limit."
            )
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
