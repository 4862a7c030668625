"""How to find out what became of a lost request, in the v1 API."""

from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tingting_async.client.core import Core
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.outcomes import Reconciliation, Verdict, from_presence
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.phone_numbers import is_same_number
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.models.otp import SentOtp

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the service's clock and this machine's may differ."""


def details(id: int, timeout: TimeoutLike = None) -> Request[Campaign]:
    """Return the request for one campaign."""
    path = f"/api/v1/campaign/{arguments.identifier(id)}/"
    return Request("GET", path, Effect.READ, "campaigns.get", Campaign, timeout=timeout)


async def reconcile_run(core: Core, id: int, *, is_first: bool) -> Reconciliation:
    """Tell by a campaign's status whether it was run; where that may be of a run before, it tells nothing."""
    campaign = await core.execute(details(id))
    said = f"The campaign's status is {campaign.status!s}."
    if campaign.status == CampaignStatus.NOT_STARTED:
        return Reconciliation(Verdict.NOT_DONE, said, campaign)
    if is_first and campaign.status in (CampaignStatus.RUNNING, CampaignStatus.SCHEDULED):
        return Reconciliation(Verdict.DONE, said, campaign)
    # It may have been over before it was run again: look at its contacts.
    return Reconciliation(Verdict.UNKNOWN, f"{said} It does not tell which run that is of.", campaign)


async def reconcile_created(
    campaigns: Callable[..., AsyncIterable[Campaign]], name: str, asked_at: datetime
) -> Reconciliation:
    """Tell whether a campaign of this name was created since then; `campaigns` lists those that a search finds."""
    finding = await _find_created(campaigns(search=name.strip()), name, asked_at)
    if finding.verdict is Verdict.NOT_DONE:  # Whether a list without this filter has drafts is not documented.
        finding = await _find_created(campaigns(search=name.strip(), drafts=True), name, asked_at)
    return finding


async def _find_created(campaigns: AsyncIterable[Campaign], name: str, asked_at: datetime) -> Reconciliation:
    # Services trim names.
    named = [campaign async for campaign in campaigns if (campaign.name or "").strip() == name.strip()]
    what = "A new campaign of this name"
    if any(each.updated_at is None for each in named):
        return Reconciliation(Verdict.UNKNOWN, "There is one of this name, and it is not told since when.", named[0])
    recent = [each for each in named if not is_older(each.updated_at, asked_at)]
    newest = max(recent, key=lambda each: each.id, default=None)
    # One that runs changes by itself: that it changed is no proof that it was created.
    if newest is not None and newest.status not in (None, CampaignStatus.NOT_STARTED):
        return Reconciliation(Verdict.UNKNOWN, "There is one of this name, and it was run already.", newest)
    return from_timestamp(newest, None if newest is None else newest.updated_at, asked_at, what)


async def reconcile_contact(contacts: AsyncIterable[Contact], number: str, asked_at: datetime) -> Reconciliation:
    """Tell whether a number was added to a campaign's contacts since then."""
    found = [each async for each in contacts if is_same_number(each.number, number)]
    newest = max(found, key=lambda each: each.id, default=None)
    told = None if newest is None else newest.created_at or newest.updated_at
    if newest is not None and (told is None or is_older(told, asked_at)):
        return Reconciliation(Verdict.UNKNOWN, "The contact is there; it may have been there before.", newest)
    return from_timestamp(newest, told, asked_at, "The contact")


async def reconcile_otp(
    sent: AsyncIterable[SentOtp], number: str, otp: str | None, asked_at: datetime
) -> Reconciliation:
    """Tell whether a code of the caller's own is among those sent to this number since then."""
    if otp is None:
        return Reconciliation(Verdict.UNKNOWN, "The code was the service's own, so that it cannot be told from others.")
    what = "The code"
    last: datetime | None = None
    doubtful: Reconciliation | None = None
    async for each in sent:
        if each.otp == otp and is_same_number(each.number, number):
            if each.created_at is None:
                doubtful = Reconciliation(Verdict.UNKNOWN, "The code is there, and it is not told since when.", each)
            elif not is_older(each.created_at, asked_at):
                finding = from_timestamp(each, each.created_at, asked_at, what)
                if finding.verdict is Verdict.DONE:
                    return finding
                doubtful = finding
        if each.created_at is not None:
            # The order of this list is not documented: only where rows are seen to become older do no new ones follow.
            if is_older(each.created_at, asked_at) and last is not None and each.created_at < last:
                break
            last = each.created_at
    return doubtful or from_presence(None, what)


async def is_server_clock_behind(core: Core) -> bool:
    """Tell whether the service's clock is so far behind this machine's that what is new looks old."""
    path, first = "/api/v1/auths/list/send-otps/", (("limit", "1"),)
    answer = await core.execute(Request("GET", path, Effect.READ, "otp.list", Response, params=first))
    try:
        told = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return False
    return told.tzinfo is not None and utc_now() - told > CLOCK_SKEW


def is_older(when: datetime | None, asked_at: datetime) -> bool:
    """Tell whether something was there before, whatever the clocks."""
    return when is not None and when < asked_at - CLOCK_SKEW


def from_timestamp(found: object, when: datetime | None, asked_at: datetime, what: str) -> Reconciliation:
    """Tell by when the thing came about, of what is not surely older."""
    if when is not None and when < (asked_at if when.microsecond else asked_at.replace(microsecond=0)):
        # The same was asked for shortly before, or the service's clock is behind.
        return Reconciliation(
            Verdict.UNKNOWN, f"{what} is there; it may be of shortly before, as clocks differ.", found
        )
    return from_presence(found, what)


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)
