"""Campaigns that run: watching them, and looking before they leap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeVar

from tingting_async.errors import UsageError, WaitTimeoutError
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus

T = TypeVar("T")


class Progress(AsyncIterator[Campaign]):
    """A campaign, seen again whenever it has changed; see `Campaigns.progress`."""

    def __init__(
        self, id: int, look: Callable[[], Awaitable[Campaign]], *, poll_interval: float, max_poll_interval: float
    ) -> None:
        are_numbers = all(isinstance(seconds, int | float) for seconds in (poll_interval, max_poll_interval))
        if not are_numbers or not 0 < poll_interval <= max_poll_interval:
            raise UsageError(f"{poll_interval=!r}, {max_poll_interval=!r}: give seconds above 0, the longest last.")
        self._id = id
        self._look = look
        self._poll_interval = self._delay = poll_interval
        self._max_poll_interval = max_poll_interval
        self._last: Campaign | None = None

    async def __anext__(self) -> Campaign:
        if self._last is not None and _is_over(self._last):
            raise StopAsyncIteration
        campaign = await self._look() if self._last is None else await self._changed()
        self._last = campaign
        self._delay = self._poll_interval
        return campaign

    async def _changed(self) -> Campaign:
        while True:
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 1.5, self._max_poll_interval)
            campaign = await self._look()
            if campaign != self._last:
                return campaign

    async def wait(self, until: Collection[CampaignStatus], seconds: float | None) -> Campaign:
        """Wait until it is over, or stands as wanted.

        Raises:
            WaitTimeoutError: It took longer.
        """
        if seconds is not None and not isinstance(seconds, int | float):
            raise UsageError(f"campaigns.wait: `timeout` has to be a number of seconds, not {type(seconds).__name__}.")
        try:
            async with asyncio.timeout(seconds):
                async for campaign in self:
                    if campaign.status in until:
                        break
        except TimeoutError:
            stands = "was not seen" if self._last is None else f"stood at {str(self._last.status)!r}"
            raise WaitTimeoutError(
                f"campaigns.wait: after {seconds:g} s campaign {self._id} {stands}. Wait again, or end it with "
                f"campaigns.stop({self._id}); one that stands at 'Not Started' has not been run.",
                last=self._last,
            ) from None
        assert self._last is not None
        return self._last


def _is_over(campaign: Campaign) -> bool:
    return campaign.status is None or campaign.status.is_final
