"""How `reconcile()` finds out what became of a request of the v1 API whose response was lost."""

import enum
from collections.abc import AsyncIterable, Callable
from datetime import datetime, timedelta
from math import nan

import attrs

from tingting_async.client.core import Core
from tingting_async.http.messages import Request
from tingting_async.outcomes import Clocks, Reconciliation, Send, Verdict, from_presence, target_id
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.evidence import Match, match_code, match_name, match_number, reconcile_rows
from tingting_async.resources.models import CallStatus
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.models.otp import SentOtp

CLOCK_SKEW = timedelta(minutes=5)
"""How far a clock may drift between a request and its check before it counts as having been set."""
MISREAD = timedelta(hours=36)
"""How far a row's time may be off: it may be in another time zone, or have no time of day."""
WINDOW = timedelta(minutes=10)
"""How long after a request its effect may appear. A later change may be the effect of another request."""


def details(id: int, timeout: TimeoutLike = None) -> Request[Campaign]:
    """Return the request for one campaign."""
    return Request.read(f"/api/v1/campaign/{arguments.identifier(id)}/", Campaign, "campaigns.get", timeout=timeout)


ReadClocks = Callable[[], Clocks]
"""Returns the times of the clocks, now or at some earlier moment."""


class Age(enum.Enum):
    """What the service's time of a row says about a request."""

    BEFORE = enum.auto()
    """The row was there before the request."""
    AFTER = enum.auto()
    """The row appeared shortly after the request."""
    DOUBTFUL = enum.auto()
    """Either: clocks differ, were set, or show no evidence."""


@attrs.frozen(eq=False, repr=False)
class Since:
    """When a request was about to leave, by the service's clock. Ages are told from this clock alone.

    Attributes:
        at: The latest time that the service's clock may have shown; None if it is unknown.
        proves_before: Whether an older row was there before. It was not proven if the clock may have been set since.
        proves_after: Whether a newer row appeared after the request.
        drift: How much more time has passed since then by the service's clock than by this machine's, if that is known.
    """

    at: datetime | None
    proves_before: bool
    proves_after: bool
    drift: timedelta = timedelta(0)

    @classmethod
    def compare(cls, sent: Clocks, now: Clocks) -> "Since":
        """Compare what the clocks showed when the request was about to leave with what they show now."""
        if now.service is None:
            return cls(None, proves_before=False, proves_after=False)
        passed, by_service = now.local - sent.local, None if sent.service is None else now.service - sent.service
        if by_service is not None:
            # If the two clocks do not agree on how much time has passed, one of them was set.
            is_steady = abs(passed - by_service) <= CLOCK_SKEW
            return cls(sent.service, proves_before=is_steady, proves_after=is_steady, drift=by_service - passed)
        # No response had told the service's time. It is known now, and this machine may know how much time has passed.
        if not abs(passed.total_seconds() - (now.monotonic - sent.monotonic)) < 1:  # Also for another start of it.
            return cls(None, proves_before=False, proves_after=False)
        return cls(now.service - passed, proves_before=False, proves_after=True)

    def age(self, when: datetime | None) -> Age:
        """Return the age of a row."""
        if when is None or self.at is None or when.year < 2000:  # No time, or a placeholder for it.
            return Age.DOUBTFUL
        if when < self.at - MISREAD:
            return Age.BEFORE if self.proves_before else Age.DOUBTFUL
        is_after = (self.at if when.microsecond else self.at.replace(microsecond=0)) <= when <= self.at + WINDOW
        return Age.AFTER if is_after and self.proves_after else Age.DOUBTFUL


def clocks_at(send: Send | None, called: ReadClocks) -> Clocks:
    """Return the times of the clocks when a request was about to leave.

    Args:
        send: The ledger's record of it, if there is one.
        called: Returns their times when the operation was called.
    """
    if send is None:
        return called()
    return send.clocks or Clocks(send.started_at, None, nan)


async def reconcile_run(core: Core, id: int, send: Send | None, called: ReadClocks) -> Reconciliation:
    """Return the verdict that a campaign gives about a run.

    Args:
        core: The session's.
        id: The campaign's id, if the ledger has no record of the run.
        send: The ledger's record of the run: its target is the campaign that may be running.
        called: Returns the times of the clocks when the operation was called.
    """
    campaign = await core.execute(details(int(target_id(send, str(id)))))
    reason = f"The campaign's status is {campaign.status!s}"
    if campaign.status == CampaignStatus.NOT_STARTED:
        return Reconciliation(Verdict.NOT_DONE, f"{reason}.", campaign)
    # It may be the status of an earlier run, which also leaves times of its own.
    since = Since.compare(clocks_at(send, called), core.read_clocks())
    is_after = since.age(campaign.updated_at) is Age.AFTER
    is_latest = send is None or send.is_latest  # The traces of a later run do not prove this one.
    match campaign.status:
        case CampaignStatus.SCHEDULED if is_latest:
            is_done = is_after
        case CampaignStatus.RUNNING if is_latest:
            is_done = is_after and await _ages_of_reached(core, campaign.id, since) <= {Age.AFTER}
        case CampaignStatus.COMPLETED if send is not None and send.is_only:
            # A run that began before this one may end after it. So the ledger must have no other.
            is_done = await _ages_of_reached(core, campaign.id, since) == {Age.AFTER}
        case _:
            is_done = False
    if is_done:
        return Reconciliation(Verdict.DONE, f"{reason}, and began when this run was sent.", campaign)
    reason += ". That may be the work of another run."
    if send is not None:
        reason += " If there was no other, call the ledger's `mark_sent()`."
    return Reconciliation(Verdict.UNKNOWN, reason, campaign)


async def _ages_of_reached(core: Core, campaign_id: int, since: Since) -> set[Age]:
    """Return when contacts were reached, compared with the time when a run was sent, as far as the first page shows."""
    contacts = await core.execute(
        Request.read(f"/api/v1/campaign-detail/{campaign_id}/", list[Contact], "contacts.list", payload=("results",))
    )
    return {since.age(each.updated_at) for each in contacts if each.status not in (None, CallStatus.NOT_STARTED)}


async def reconcile_created(
    read_clocks: ReadClocks, campaigns: Callable[..., AsyncIterable[Campaign]], name: str, sent: Clocks
) -> Reconciliation:
    """Return whether a campaign of this name was created then; `campaigns` is `campaigns.list`."""

    def judge(campaign: Campaign) -> Reconciliation | None:
        match = match_name(campaign.name, name)
        since = Since.compare(sent, read_clocks())
        age = since.age(campaign.updated_at)
        if match is Match.OTHER or age is Age.BEFORE:
            return None
        # A running campaign is updated by the service, so its update time does not prove that it was created.
        if campaign.status not in (None, CampaignStatus.NOT_STARTED):
            reason = "There is a campaign of this name, but it was run already."
            return Reconciliation(Verdict.UNKNOWN, reason, campaign)
        return _from_match(campaign, match, age, since, "A new campaign of this name")

    # Not `search`, which does not find a name that the service has changed.
    reconciliation = await reconcile_rows(campaigns(exact=True), judge, "A new campaign of this name")
    # The documents do not say whether a list without this filter includes drafts.
    if reconciliation.verdict is Verdict.NOT_DONE:
        drafts = campaigns(drafts=True, exact=True)
        reconciliation = await reconcile_rows(drafts, judge, "A new campaign of this name")
    return reconciliation


async def reconcile_contact(
    read_clocks: ReadClocks, contacts: AsyncIterable[Contact], number: str, sent: Clocks
) -> Reconciliation:
    """Return whether a number was added to a campaign's contacts then."""

    def judge(contact: Contact) -> Reconciliation | None:
        match = match_number(contact.number, number)
        # A contact that was called since has another update time than when it was added.
        is_untouched = contact.status in (None, CallStatus.NOT_STARTED)
        when = contact.created_at or (contact.updated_at if is_untouched else None)
        since = Since.compare(sent, read_clocks())
        age = since.age(when)
        if match is Match.SAME and age is not Age.AFTER:
            reason = "The contact is there, but it may have been there before."
            return Reconciliation(Verdict.UNKNOWN, reason, contact)
        if match is Match.OTHER or age is Age.BEFORE:
            return None
        return _from_match(contact, match, age, since, "The contact")

    return await reconcile_rows(contacts, judge, "The contact")


async def reconcile_otp(
    read_clocks: ReadClocks, codes: AsyncIterable[SentOtp], number: str, otp: str, sent: Clocks
) -> Reconciliation:
    """Return whether a code that the caller chose was sent to this number then."""

    def judge(code: SentOtp) -> Reconciliation | None:
        matches = {match_code(code.otp, otp), match_number(code.number, number)}
        since = Since.compare(sent, read_clocks())
        age = since.age(code.created_at)
        if Match.OTHER in matches or age is Age.BEFORE:
            return None
        return _from_match(code, Match.MAYBE if Match.MAYBE in matches else Match.SAME, age, since, "The code")

    return await reconcile_rows(codes, judge, "The code")


def _from_match(found: object, match: Match, age: Age, since: Since, what: str) -> Reconciliation:
    """Return the verdict for a row that may be what a request has made, and is not older."""
    if match is Match.MAYBE:
        return Reconciliation(
            Verdict.UNKNOWN, f"{what} was not found, but the service shows a row that may be it in another form.", found
        )
    if age is Age.AFTER:
        return from_presence(found, what)
    reason = (
        f"{what} is there, but the service's and this machine's clocks do not show that it appeared after the send."
    )
    if abs(since.drift) > CLOCK_SKEW:
        more = "more" if since.drift > timedelta(0) else "less"
        seconds = f"{abs(since.drift).total_seconds():,.0f} s"
        reason += f" Since the send, {seconds} {more} have passed by the service's clock than by this machine's."
    return Reconciliation(Verdict.UNKNOWN, reason, found)
