"""What the service stores: accounts, campaigns, contacts, lines, sent OTPs, side effects."""

from collections import Counter, deque
from operator import attrgetter
from typing import Any

import attrs

from tingting_async.sandbox.names import CARRIERS


@attrs.define
class Account:
    """An account that can sign in."""

    id: int
    email: str
    password: str = attrs.field(repr=False)
    api_token: str = attrs.field(repr=False)
    first_name: str
    last_name: str
    username: str
    contact_number: str = attrs.field(repr=False)
    address: str
    is_activated: bool = True
    token_created_at: float = 0.0
    token_used_at: float | None = None
    credits: int = 100_000
    on_hold: int = 0

    @property
    def available_credits(self) -> int:
        """The credits that are not on hold for a run."""
        return self.credits - self.on_hold


@attrs.define
class Totals:
    """The totals of a campaign's contacts. They are kept, because a response must not count every contact."""

    numbers: Counter[str] = attrs.field(factory=Counter[str], repr=False)
    carriers: Counter[str] = attrs.field(factory=Counter[str])
    statuses: Counter[str] = attrs.field(factory=Counter[str])
    credits: int = 0

    @property
    def finished(self) -> int:
        """The number of contacts with a result."""
        return self.statuses.total() - sum(self.statuses[status] for status in _WITHOUT_RESULT)

    def add(self, contact: "Contact") -> None:
        """Count a contact, and from now on the changes of its fields."""
        contact.totals = self
        self._count(contact, 1)

    def remove(self, contact: "Contact") -> None:
        """Stop counting a contact."""
        contact.totals = None
        self._count(contact, -1)

    def _count(self, contact: "Contact", sign: int) -> None:
        _shift(self.numbers, contact.number, sign)
        _shift(self.carriers, contact.carrier, sign)
        _shift(self.statuses, contact.status, sign)
        self.credits += sign * (contact.credit_consumed + contact.credit_consumed_sms)


_WITHOUT_RESULT = ("not started", "dialing", "ringing", "answered")


def _shift(counter: Counter[str], key: str, change: int) -> None:
    counter[key] += change
    if not counter[key]:
        del counter[key]


def _carrier(number: str) -> str:
    return CARRIERS.get(number[:3], "other")


def _set_number(contact: "Contact", _: object, number: str) -> str:
    if contact.totals is not None:
        for counter, before, after in (
            (contact.totals.numbers, contact.number, number),
            (contact.totals.carriers, contact.carrier, _carrier(number)),
        ):
            _shift(counter, before, -1)
            _shift(counter, after, 1)
    return number


def _set_status(contact: "Contact", _: object, status: str) -> str:
    if contact.totals is not None:
        _shift(contact.totals.statuses, contact.status, -1)
        _shift(contact.totals.statuses, status, 1)
    return status


def _set_credits(contact: "Contact", attribute: "attrs.Attribute[int]", credits_: int) -> int:
    if contact.totals is not None:
        contact.totals.credits += credits_ - getattr(contact, attribute.name)
    return credits_


@attrs.define(eq=False)
class Contact:
    """A phone number of a campaign, and its result."""

    id: int
    campaign_id: int
    number: str = attrs.field(repr=False, on_setattr=_set_number)
    tags: dict[str, Any]
    created_at: float
    updated_at: float
    uuid: str
    status: str = attrs.field(default="not started", on_setattr=_set_status)
    answered_at: float | None = None
    """When the last call was answered, in Unix seconds."""
    duration: int | None = None
    playback: int | None = None
    credit_consumed: int = attrs.field(default=0, on_setattr=_set_credits)
    credit_consumed_sms: int = attrs.field(default=0, on_setattr=_set_credits)
    failover_sms_sent: bool = False
    runs: int = 0
    """How many runs had this contact among their targets."""
    plan: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    """The statuses still to come, each with its time in Unix seconds."""
    totals: Totals | None = attrs.field(default=None, init=False, repr=False)
    """The totals of the campaign that the contact is in."""

    @property
    def carrier(self) -> str:
        """The carrier of the number."""
        return _carrier(self.number)


class OwnedCampaigns:
    """The campaigns of an account."""

    def __init__(self) -> None:
        self.by_creation: list[Campaign] = []
        self._by_update: list[Campaign] = []
        self._is_sorted = True

    def add(self, campaign: "Campaign") -> None:
        """Add a new campaign."""
        campaign.siblings = self
        self.by_creation.append(campaign)
        self.reorder()

    def remove(self, campaign: "Campaign") -> None:
        """Remove a campaign."""
        campaign.siblings = None
        self.by_creation.remove(campaign)
        self.reorder()

    def reorder(self) -> None:
        """Note that the order of the last updates has changed."""
        self._is_sorted = False

    def by_update(self) -> list["Campaign"]:
        """Return the campaigns in the order of their last updates. They are sorted once for each change."""
        if not self._is_sorted:
            self._is_sorted = True  # First, so that a change from another thread during the sorting is not missed.
            self._by_update = sorted(self.by_creation, key=attrgetter("updated_at"))
        return self._by_update


def _set_updated_at(campaign: "Campaign", _: object, at: float) -> float:
    if campaign.siblings is not None:
        campaign.siblings.reorder()
    return at


@attrs.define(eq=False)
class Campaign:
    """A campaign, as both generations of the API know it."""

    id: int
    owner: int
    name: str
    services: str
    description: str
    updated_at: float = attrs.field(on_setattr=_set_updated_at)
    usable_tags: list[str] = attrs.field(factory=list[str])
    user_phone: list[int] = attrs.field(factory=list[int])
    status: str = "Not Started"
    message: str = ""
    sms_message: str = ""
    scheduled_at: float | None = None
    voice: int | None = None
    category: str = ""
    draft: bool = False
    failover_target: list[str] = attrs.field(factory=list[str])
    length_factor: str = "1.00"
    credit_limit: int | None = None
    bulk_file: str | None = None
    audio_file: str | None = None
    survey_id: int | None = None
    """The id of the campaign's survey, if it has one of its own."""
    steps: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    """The steps of a survey, in order."""
    contacts: list[Contact] = attrs.field(factory=list[Contact])
    totals: Totals = attrs.field(factory=Totals)
    siblings: OwnedCampaigns | None = attrs.field(default=None, init=False, repr=False)
    """All campaigns of the owner."""
    on_hold: int = 0
    targets: list[Contact] = attrs.field(factory=list[Contact])
    """The contacts of the current or last run."""
    pending: set[int] = attrs.field(factory=set[int])
    """The ids of the contacts that the current run has not finished with."""
    waiting: deque[Contact] = attrs.field(factory=deque[Contact], repr=False)
    """The contacts that the current run has not begun with."""
    next_contact_at: float | None = None
    """When the current run begins with the next contact, in Unix seconds; None if none is waiting."""
    spent: int = 0
    """The credits that the current run has used."""


@attrs.define
class Line:
    """A phone line that an account can buy."""

    sid: str
    phone_number: str = attrs.field(repr=False)
    rate: float
    owner: int | None = None


@attrs.define
class SentOtp:
    """A one-time password that was sent."""

    id: int
    owner: int
    number: str = attrs.field(repr=False)
    message: str = attrs.field(repr=False)
    otp: str = attrs.field(repr=False)
    options: str
    channel: str
    created_at: float
    company_name: str = ""


@attrs.frozen
class SideEffect:
    """An entry in the log of what the service did: a run, a call, a text message, an OTP, a purchase, and so on."""

    kind: str
    """`created`, `contact`, `run`, `call`, `sms`, `otp`, `demo`, `purchase`, `release`, `steps`, `template`, …"""
    key: str
    """The id of the object concerned."""
    at: float
    """When it happened, in Unix seconds by the sandbox's clock."""
    target: str = attrs.field(default="", repr=False)
    """How the caller knows the object.

    The phone number for `contact`, `call`, `sms`, `otp` and `demo`; the name for `created` and `template`; the
    account's e-mail address for `token`; otherwise the key.
    """
