"""The state of the service: accounts, campaigns, contacts, lines, sent OTPs, and the log of side effects."""

import uuid
from itertools import count
from random import Random
from threading import RLock
from typing import Any

import attrs

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.names import CARRIERS, TAGS, VOICES, message, mobile, occasion, person, place


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
class Contact:
    """A phone number of a campaign, and its result."""

    id: int
    campaign_id: int
    number: str = attrs.field(repr=False)
    tags: dict[str, Any]
    created_at: float
    updated_at: float
    uuid: str
    status: str = "not started"
    duration: int | None = None
    playback: int | None = None
    credit_consumed: int = 0
    credit_consumed_sms: int = 0
    failover_sms_sent: bool = False
    runs: int = 0
    """How many runs had this contact among their targets."""
    plan: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    """The statuses still to come, each with its time in Unix seconds."""

    @property
    def carrier(self) -> str:
        """The carrier of the number."""
        return CARRIERS.get(self.number[:3], "other")


@attrs.define
class Campaign:
    """A campaign, as both generations of the API know it."""

    id: int
    owner: int
    name: str
    services: str
    description: str
    updated_at: float
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
    steps: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    """The steps of a survey, in order."""
    contacts: list[Contact] = attrs.field(factory=list[Contact])
    on_hold: int = 0
    targets: list[Contact] = attrs.field(factory=list[Contact])
    """The contacts of the current or last run."""
    pending: set[int] = attrs.field(factory=set[int])
    """The ids of the contacts that the current run has not finished with."""
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


class World:
    """The state of a simulated service."""

    def __init__(self, clock: Clock, *, campaigns: int, numbers: int, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.random = Random(seed)
        self.lock = RLock()
        """Held while timers run, because tests may read the state from another thread."""
        self.timers: list[tuple[float, int, Campaign, Contact | None]] = []
        """A heap of timers: when a campaign starts (contact None) or a contact reaches its next status."""
        self.timer_order = count()
        """A counter that keeps timers with the same time in the order of their creation."""
        self.side_effects: list[SideEffect] = []
        self.accounts: list[Account] = []
        self.campaigns: dict[int, Campaign] = {}
        self.contacts: dict[int, Contact] = {}
        self.lines: dict[str, Line] = {}
        self.otps: list[SentOtp] = []
        self.templates: dict[int, dict[str, Any]] = {}
        self.voices = list(VOICES)
        self.brokers = [{"id": 1, "phone_number": "+97715970425"}, {"id": 2, "phone_number": "+97715970426"}]
        self._ids = iter(range(1, 10**12))
        self._owned: dict[int, list[Campaign]] = {}
        self.owner = self.add_account("sita@example.com", "sandbox-password")
        for _ in range(campaigns):
            campaign = self.add_campaign(
                self.owner,
                occasion(self.random),
                self.random.choice(("PHONE", "SMS")),
                f"{person(self.random)}, {place(self.random)}",
                tags=list(TAGS)[: self.random.randrange(len(TAGS) + 1)],
            )
            campaign.message = message(self.random, campaign.usable_tags)
            for _ in range(numbers):
                tags = {tag: TAGS[tag](self.random) for tag in campaign.usable_tags}
                self.add_contact(campaign, mobile(self.random), tags)
        for index in range(6):
            sid = uuid.UUID(int=self.random.getrandbits(128)).hex
            number = f"1597{self.random.randrange(10**4):04d}"
            self.lines[sid] = Line(sid, number, 40.0, self.owner.id if index < 2 else None)
        self.side_effects.clear()  # Creating the initial data is not a side effect.

    def id(self) -> int:
        """Return a new unique id."""
        return next(self._ids)

    def record(self, kind: str, key: object, at: float | None = None, *, target: str | None = None) -> None:
        """Add a side effect to the log.

        Args:
            kind: What happened.
            key: The id of the object concerned.
            at: When it happened, in Unix seconds; None for now.
            target: How the caller knows the object; None for the key.
        """
        when = self.clock.now() if at is None else at
        self.side_effects.append(SideEffect(kind, str(key), when, str(key) if target is None else target))

    def make_otp(self, length: int) -> str:
        """Return a new one-time password."""
        return "".join(str(self.random.randrange(10)) for _ in range(length))

    def add_account(self, email: str, password: str) -> Account:
        """Create an account."""
        account = Account(
            id=self.id(),
            email=email,
            password=password,
            api_token=f"{self.random.getrandbits(256):064x}",
            first_name="Sita",
            last_name="Example",
            username=email.partition("@")[0],
            contact_number=mobile(self.random),
            address="Balkot",
        )
        self.accounts.append(account)
        return account

    def sign_in(self, email: object, password: object) -> Account | None:
        """Return the account with these credentials."""
        return next((each for each in self.accounts if (each.email, each.password) == (email, password)), None)

    def add_campaign(
        self, owner: Account, name: str, services: str, description: str, *, tags: list[str] | None = None
    ) -> Campaign:
        """Create a campaign."""
        now = self.clock.now()
        campaign = Campaign(self.id(), owner.id, name, services, description, now, usable_tags=tags or [])
        self.campaigns[campaign.id] = campaign
        self._owned.setdefault(owner.id, []).append(campaign)
        self.record("created", campaign.id, target=name)
        return campaign

    def add_contact(self, campaign: Campaign, number: str, tags: dict[str, Any]) -> Contact:
        """Add a phone number to a campaign."""
        now = self.clock.now()
        unique = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        contact = Contact(self.id(), campaign.id, number, tags, now, now, unique)
        campaign.contacts.append(contact)
        self.contacts[contact.id] = contact
        self.record("contact", contact.id, target=number)
        return contact

    def remove_campaign(self, campaign: Campaign) -> None:
        """Delete a campaign and its numbers. A running campaign ends."""
        with self.lock:
            self.bill(campaign)
            self._owned[campaign.owner].remove(campaign)
            del self.campaigns[campaign.id]
            for contact in campaign.contacts:
                contact.plan.clear()
                del self.contacts[contact.id]

    def remove_contact(self, contact: Contact) -> None:
        """Delete a number from its campaign. A running campaign skips it."""
        with self.lock:
            campaign = self.campaigns[contact.campaign_id]
            contact.plan.clear()
            campaign.contacts.remove(contact)
            campaign.targets = [target for target in campaign.targets if target is not contact]
            del self.contacts[contact.id]

    def bill(self, campaign: Campaign) -> None:
        """Charge the owner for the credits that a run used, and release the credits on hold."""
        account = next(each for each in self.accounts if each.id == campaign.owner)
        account.on_hold -= campaign.on_hold
        account.credits -= campaign.spent
        campaign.on_hold = campaign.spent = 0

    def campaigns_of(self, account: Account) -> list[Campaign]:
        """Return an account's campaigns, newest first."""
        return self._owned.get(account.id, [])[::-1]

    def campaign(self, account: Account, id: int) -> Campaign | None:
        """Return a campaign of an account, or None."""
        campaign = self.campaigns.get(id)
        return campaign if campaign is not None and campaign.owner == account.id else None

    def contact(self, account: Account, id: int) -> Contact | None:
        """Return a contact of an account, or None."""
        contact = self.contacts.get(id)
        return contact if contact is not None and self.campaign(account, contact.campaign_id) else None
