"""Campaigns that run: watching them, and looking before they leap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar

from tingting_async import inputs
from tingting_async.errors import StillRunningError, UsageError
from tingting_async.resource import Limit
from tingting_async.session import Session
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.models import Campaign, CampaignStatus, RunCheck, Services

T = TypeVar("T")


class Progress(AsyncIterator[Campaign]):
    """A campaign, seen again whenever it has changed; see `Campaigns.progress`."""

    def __init__(self, id: int, look: Callable[[], Awaitable[Campaign]], *, pause: float, longest_pause: float) -> None:
        are_numbers = all(isinstance(seconds, int | float) for seconds in (pause, longest_pause))
        if not are_numbers or not 0 < pause <= longest_pause:
            raise UsageError(f"{pause=!r}, {longest_pause=!r}: give seconds above 0, the longest last.")
        self._id = id
        self._look = look
        self._first_pause = self._pause = pause
        self._longest_pause = longest_pause
        self._last: Campaign | None = None

    async def __anext__(self) -> Campaign:
        if self._last is not None and _is_over(self._last):
            raise StopAsyncIteration
        campaign = await self._look() if self._last is None else await self._changed()
        self._last = campaign
        self._pause = self._first_pause
        return campaign

    async def _changed(self) -> Campaign:
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 1.5, self._longest_pause)
            campaign = await self._look()
            if campaign != self._last:
                return campaign

    async def wait(self, until: Collection[CampaignStatus], seconds: float | None) -> Campaign:
        """Wait until it is over, or stands as wanted.

        Raises:
            StillRunningError: It took longer.
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
            raise StillRunningError(
                f"campaigns.wait: after {seconds:g} s campaign {self._id} {stands}. Wait again, or end it with "
                f"campaigns.stop({self._id}); one that stands at 'Not Started' has not been run.",
                last=self._last,
            ) from None
        assert self._last is not None
        return self._last


def _is_over(campaign: Campaign) -> bool:
    return campaign.status is None or campaign.status.is_over


async def check(session: Session, campaign: Campaign, timeout: Limit) -> RunCheck:
    """Find out what would happen if a campaign were run."""
    contacts = Contacts(session)
    page = await anext(contacts.list(campaign.id, window=1, timeout=timeout).pages())
    texts = " ".join(filter(None, (campaign.message, campaign.sms_message)))
    placeholders = frozenset(inputs.placeholders(texts))
    problems: list[str] = []
    if not page.total_items:
        problems.append("It has no contacts.")
    if placeholders and page.items:
        for contact, variables in zip(
            page.items,
            await _together([contacts.variables(contact.id, timeout=timeout) for contact in page.items]),
            strict=True,
        ):
            if missing := sorted(placeholders - variables.keys()):
                problems.append(f"Contact {contact.id} lacks {', '.join(missing)}.")
    if campaign.services is not Services.SMS:
        if not campaign.lines:
            problems.append("It has no line to call from.")
        if campaign.voice is None and not campaign.audio_file:
            problems.append("It has no voice.")
    if campaign.services in (Services.PHONE, Services.SMS_AND_PHONE) and not (campaign.message or campaign.audio_file):
        problems.append("It has no message.")
    if campaign.services in (Services.SMS, Services.SMS_AND_PHONE) and not campaign.sms_message:
        problems.append("It has no text message.")
    if campaign.draft:
        problems.append("It is a draft.")
    if campaign.status is not None and campaign.status is not CampaignStatus.NOT_STARTED:
        problems.append(f"It stands at {str(campaign.status)!r}.")
    total: Any = page.total_items
    return RunCheck(campaign=campaign, contacts=total, placeholders=placeholders, problems=tuple(problems))


async def _together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what calls return; where one of them fails, none of the others is left behind."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
