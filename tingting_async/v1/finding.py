"""How to find out what became of a lost request, in the v1 API."""

from collections.abc import AsyncIterable
from datetime import UTC, datetime, timedelta

from tingting_async import inputs
from tingting_async.findings import Finding, Verdict, by_presence
from tingting_async.resource import Limit
from tingting_async.session import Session
from tingting_async.v1.models import Campaign, CampaignStatus, Contact, SentOtp
from tingting_async.wire import Effect, Request

CLOCKS = timedelta(minutes=5)
"""By how much the service's clock and this machine's may differ."""


def details(id: int, timeout: Limit = None) -> Request[Campaign]:
    """Return the request for one campaign."""
    path = f"/api/v1/campaign/{inputs.identifier(id)}/"
    return Request("GET", path, Effect.READS, "campaigns.get", Campaign, timeout=timeout)


async def find_run(session: Session, id: int) -> Finding:
    """Tell by a campaign's status whether it was run."""
    campaign = await session.call(details(id))
    said = f"The campaign's status is {campaign.status!s}."
    if campaign.status == CampaignStatus.NOT_STARTED:
        return Finding(Verdict.NOT_DONE, said, campaign)
    if campaign.status in (CampaignStatus.RUNNING, CampaignStatus.SCHEDULED):
        return Finding(Verdict.DONE, said, campaign)
    # It may have been over before it was run again: look at its contacts.
    return Finding(Verdict.UNKNOWN, f"{said} It does not tell which run that is of.", campaign)


async def find_campaign(campaigns: AsyncIterable[Campaign], name: str, asked_at: datetime) -> Finding:
    """Tell whether a campaign of this name was created since then."""
    named = [campaign async for campaign in campaigns if campaign.name == name]
    if any(campaign.updated_at is None for campaign in named):
        return Finding(Verdict.UNKNOWN, "There is one of this name, and it is not told since when.", named[0])
    new = [each for each in named if each.updated_at is not None and each.updated_at >= asked_at - CLOCKS]
    return by_presence(max(new, key=lambda each: each.id, default=None), "A new campaign of this name")


async def find_contact(contacts: AsyncIterable[Contact], number: str) -> Finding:
    """Tell whether a number is among a campaign's contacts."""
    async for contact in contacts:
        if (contact.number or "").endswith(number):
            return by_presence(contact, "The contact")
    return by_presence(None, "The contact")


async def find_otp(sent: AsyncIterable[SentOtp], number: str, otp: str | None, asked_at: datetime) -> Finding:
    """Tell whether a code of the caller's own is among those sent to this number since then."""
    if otp is None:
        return Finding(Verdict.UNKNOWN, "The code was the service's own, so that it cannot be told from others.")
    async for each in sent:
        if each.created_at is not None and each.created_at < asked_at - CLOCKS:
            break  # The newest come first.
        if each.otp == otp and (each.number or "").endswith(number):
            if each.created_at is None:
                return Finding(Verdict.UNKNOWN, "The code is there, and it is not told since when.", each)
            return by_presence(each, "The code")
    return by_presence(None, "The code")


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)
