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
    """Find the problems that a run of a campaign would have."""
    contacts = Contacts(core)
    page = await anext(contacts.list(campaign.id, window=1, timeout=timeout).pages())
    placeholders = frozenset(arguments.placeholders(f"{campaign.message or ''} {campaign.sms_message or ''}"))
    problems: list[str] = []

    async def missing_values(contact_id: int) -> str:
        # It returns neither values nor names as they are: asyncio logs the results of tasks in its debug mode.
        variables = await contacts.variables(contact_id, timeout=timeout)
        return arguments.names_of(sorted(placeholders - variables.keys()))

    if not page.total_items:
        problems.append("It has no contacts.")
    if placeholders and page.items:
        calls = [missing_values(contact.id) for contact in page.items]
        for contact, missing in zip(page.items, await gather_or_cancel(calls), strict=True):
            if missing:
                problems.append(f"Contact {contact.id} has no value for {missing}.")
    problems += _problems(campaign)
    total: Any = page.total_items
    return PreflightReport(campaign=campaign, contacts=total, placeholders=placeholders, problems=tuple(problems))


def _problems(campaign: Campaign) -> list[str]:
    """Return the problems that the campaign's own fields show."""
    is_call = campaign.services is not Services.SMS
    has_message = campaign.services in (Services.PHONE, Services.SMS_AND_PHONE)
    has_sms = campaign.services in (Services.SMS, Services.SMS_AND_PHONE)
    found = {
        "It has no line to call from.": is_call and not campaign.lines,
        "It has no voice.": is_call and campaign.voice is None and not campaign.audio_file,
        "It has no message.": has_message and not campaign.message and not campaign.audio_file,
        "It has no SMS message.": has_sms and not campaign.sms_message,
        "It is a draft.": campaign.draft,
        f"Its status is {str(campaign.status)!r}.": campaign.status not in (None, CampaignStatus.NOT_STARTED),
    }
    return [problem for problem, is_found in found.items() if is_found]


async def gather_or_cancel(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of calls; if one of them fails, cancel the others and wait for them."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
