"""How `reconcile()` finds out what became of a request of the v1 API whose response was lost."""

from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tingting_async.client.core import Core
from tingting_async.http.messages import Request, Response
from tingting_async.outcomes import Reconciliation, Send, Verdict, from_presence, target_id
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.phone_numbers import is_same_number
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.models.otp import SentOtp

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the service's clock and this machine's clock may differ."""


def details(id: int, timeout: TimeoutLike = None) -> Request[Campaign]:
    """Return the request for one campaign."""
    return Request.read(f"/api/v1/campaign/{arguments.identifier(id)}/", Campaign, "campaigns.get", timeout=timeout)


def started_at(send: Send | None, sent_at: datetime) -> datetime:
    """Return when a request was about to leave: by the ledger's record of it, or `sent_at` if there is none."""
    return sent_at if send is None else send.started_at


async def reconcile_run(core: Core, id: int, send: Send | None) -> Reconciliation:
    """Return the verdict that a campaign's status gives about a run.

    Args:
        core: The session's.
        id: The campaign's id, if the ledger has no record of the run.
        send: The ledger's record of the run: its target is the campaign that may be running.
    """
    campaign = await core.execute(details(int(target_id(send, str(id)))))
    reason = f"The campaign's status is {campaign.status!s}."
    if campaign.status == CampaignStatus.NOT_STARTED:
        return Reconciliation(Verdict.NOT_DONE, reason, campaign)
    # With a key of its own, it may be another run of the same campaign, of which an earlier run still lasts.
    is_first = send is None or send.key is None
    if is_first and campaign.status in (CampaignStatus.RUNNING, CampaignStatus.SCHEDULED):
        return Reconciliation(Verdict.DONE, reason, campaign)
    # It may have completed an earlier run. The contacts can show that, the status cannot.
    reason += " It does not show which run that is about."
    if not is_first:
        reason += " A run with a key may be one of several runs of this campaign."
        reason += " If it is the only one, call the ledger's `mark_sent()`."
    return Reconciliation(Verdict.UNKNOWN, reason, campaign)


async def reconcile_created(
    campaigns: Callable[..., AsyncIterable[Campaign]], name: str, sent_at: datetime
) -> Reconciliation:
    """Return whether a campaign of this name was created since then; `campaigns` lists those that a search finds."""
    reconciliation = await _find_created(campaigns(search=name.strip()), name, sent_at)
    # The documents do not say whether a list without this filter includes drafts.
    if reconciliation.verdict is Verdict.NOT_DONE:
        reconciliation = await _find_created(campaigns(search=name.strip(), drafts=True), name, sent_at)
    return reconciliation


async def _find_created(campaigns: AsyncIterable[Campaign], name: str, sent_at: datetime) -> Reconciliation:
    # Services strip spaces from names.
    named = [campaign async for campaign in campaigns if (campaign.name or "").strip() == name.strip()]
    if any(each.updated_at is None for each in named):
        return Reconciliation(
            Verdict.UNKNOWN, "There is a campaign of this name, but the service does not say since when.", named[0]
        )
    recent = [each for each in named if not is_older(each.updated_at, sent_at)]
    newest = max(recent, key=lambda each: each.id, default=None)
    # A running campaign is updated by the service, so its update time is no evidence that it was created.
    if newest is not None and newest.status not in (None, CampaignStatus.NOT_STARTED):
        return Reconciliation(Verdict.UNKNOWN, "There is a campaign of this name, but it was run already.", newest)
    updated_at = None if newest is None else newest.updated_at
    return from_timestamp(newest, updated_at, sent_at, "A new campaign of this name")


async def reconcile_contact(contacts: AsyncIterable[Contact], number: str, sent_at: datetime) -> Reconciliation:
    """Return whether a number was added to a campaign's contacts since then."""
    found = [each async for each in contacts if is_same_number(each.number, number)]
    newest = max(found, key=lambda each: each.id, default=None)
    when = None if newest is None else newest.created_at or newest.updated_at
    if newest is not None and (when is None or is_older(when, sent_at)):
        return Reconciliation(Verdict.UNKNOWN, "The contact is there, but it may have been there before.", newest)
    return from_timestamp(newest, when, sent_at, "The contact")


async def reconcile_otp(
    sent: AsyncIterable[SentOtp], number: str, otp: str | None, sent_at: datetime
) -> Reconciliation:
    """Return whether a code that the caller chose was sent to this number since then."""
    if otp is None:
        return Reconciliation(
            Verdict.UNKNOWN, "The service chose the code, so that it cannot be distinguished from other codes."
        )
    what = "The code"
    last: datetime | None = None
    doubtful: Reconciliation | None = None
    async for each in sent:
        if each.otp == otp and is_same_number(each.number, number):
            if each.created_at is None:
                doubtful = Reconciliation(
                    Verdict.UNKNOWN, "The code is there, but the service does not say since when.", each
                )
            elif not is_older(each.created_at, sent_at):
                reconciliation = from_timestamp(each, each.created_at, sent_at, what)
                if reconciliation.verdict is Verdict.DONE:
                    return reconciliation
                doubtful = reconciliation
        if each.created_at is not None:
            # The order of this list is not documented. Only if its rows become older can no newer ones follow.
            if is_older(each.created_at, sent_at) and last is not None and each.created_at < last:
                break
            last = each.created_at
    return doubtful or from_presence(None, what)


async def is_server_clock_behind(core: Core) -> bool:
    """Return whether the service's clock is so far behind this machine's that new rows look old."""
    request = Request.read("/api/v1/auths/list/send-otps/", Response, "otp.list", params=(("limit", "1"),))
    response = await core.execute(request)
    try:
        server_time = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return False
    return server_time.tzinfo is not None and utc_now() - server_time > CLOCK_SKEW


def is_older(when: datetime | None, sent_at: datetime) -> bool:
    """Return whether something was there before, even if the clocks differ."""
    return when is not None and when < sent_at - CLOCK_SKEW


def from_timestamp(found: object, when: datetime | None, sent_at: datetime, what: str) -> Reconciliation:
    """Return the verdict that the time of a row gives, if the row is not clearly older (`is_older`)."""
    if when is not None and when < (sent_at if when.microsecond else sent_at.replace(microsecond=0)):
        # It may be an earlier request for the same, or the service's clock is behind.
        return Reconciliation(
            Verdict.UNKNOWN, f"{what} is there, but it may be from shortly before, as clocks differ.", found
        )
    return from_presence(found, what)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)
