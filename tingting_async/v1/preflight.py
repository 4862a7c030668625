"""The check of a campaign before it is run."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tingting_async.client.core import Core
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.models import Services
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus, PreflightReport

T = TypeVar("T")


async def preflight(core: Core, campaign: Campaign, timeout: TimeoutLike) -> PreflightReport:
    """Find out what would happen if a campaign were run."""
    contacts = Contacts(core)
    page = await anext(contacts.list(campaign.id, window=1, timeout=timeout).pages())
    texts = " ".join(filter(None, (campaign.message, campaign.sms_message)))
    placeholders = frozenset(arguments.placeholders(texts))
    problems: list[str] = []
    if not page.total_items:
        problems.append("It has no contacts.")
    if placeholders and page.items:
        for contact, variables in zip(
            page.items,
            await gather_or_cancel([contacts.variables(contact.id, timeout=timeout) for contact in page.items]),
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
    return PreflightReport(campaign=campaign, contacts=total, placeholders=placeholders, problems=tuple(problems))


async def gather_or_cancel(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what calls return; where one of them fails, none of the others is left behind."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
