"""What there is: accounts, campaigns, contacts, lines, sent OTPs; and what happened. Tests read it as the truth."""

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
    """Someone who can sign in."""

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
    """A number of a campaign, and what came of it."""

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
    """How many runs meant to reach it."""
    plan: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    """What is still to come: when, and which status."""

    @property
    def carrier(self) -> str:
        """Whose network it is on."""
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
    """Of a survey, in their order."""
    contacts: list[Contact] = attrs.field(factory=list[Contact])
    on_hold: int = 0
    targets: list[Contact] = attrs.field(factory=list[Contact])
    """Whom the present run reaches, or the last one did."""
    pending: set[int] = attrs.field(factory=set[int])
    """The ids of those whom the present run has not done with."""
    spent: int = 0
    """The credits that the present run has used."""


@attrs.define
class Line:
    """A telephone number that can be bought."""

    sid: str
    phone_number: str = attrs.field(repr=False)
    rate: float
    owner: int | None = None


@attrs.define
class SentOtp:
    """A one-time password that went out."""

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
    """Something that happened in the world: a run, a call, a text message, an OTP, a purchase, and so on."""

    kind: str
    """`created`, `contact`, `run`, `call`, `sms`, `otp`, `demo`, `purchase`, `release`, `steps`, `template`, …"""
    key: str
    """The id of what it happened to."""
    at: float
    """Unix seconds, by the sandbox's clock."""
    target: str = attrs.field(default="", repr=False)
    """What the one who asked for it knows it by.

    The phone number of a `contact`, `call`, `sms`, `otp` or `demo`, the name of what was `created` or of a `template`,
    the e-mail address of whose `token` it is; of all others the key.
    """


class World:
    """The state of a sandbox."""

    def __init__(self, clock: Clock, *, campaigns: int, numbers: int, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.random = Random(seed)
        self.lock = RLock()
        """Held while campaigns move on: a test may look from another thread than the one that serves."""
        self.timers: list[tuple[float, int, Campaign, Contact | None]] = []
        """A heap of when which campaign starts, or which of its contacts moves on."""
        self.timer_order = count()
        """What keeps those of the timers that are due at once in the order in which they were noted."""
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
        self.side_effects.clear()  # What was there from the start did not happen.

    def id(self) -> int:
        """Return an id that nothing else has."""
        return next(self._ids)

    def record(self, kind: str, key: object, at: float | None = None, *, target: str | None = None) -> None:
        """Note that something happened, now unless said."""
        when = self.clock.now() if at is None else at
        self.side_effects.append(SideEffect(kind, str(key), when, str(key) if target is None else target))

    def make_otp(self, length: int) -> str:
        """Return a one-time password."""
        return "".join(str(self.random.randrange(10)) for _ in range(length))

    def add_account(self, email: str, password: str) -> Account:
        """Open an account."""
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
        """Add a number to a campaign."""
        now = self.clock.now()
        unique = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        contact = Contact(self.id(), campaign.id, number, tags, now, now, unique)
        campaign.contacts.append(contact)
        self.contacts[contact.id] = contact
        self.record("contact", contact.id, target=number)
        return contact

    def remove_campaign(self, campaign: Campaign) -> None:
        """Delete a campaign, with its numbers; if it runs, it ends."""
        with self.lock:
            self.bill(campaign)
            self._owned[campaign.owner].remove(campaign)
            del self.campaigns[campaign.id]
            for contact in campaign.contacts:
                contact.plan.clear()
                del self.contacts[contact.id]

    def remove_contact(self, contact: Contact) -> None:
        """Take a number out of its campaign; if that runs, it passes the number over."""
        with self.lock:
            campaign = self.campaigns[contact.campaign_id]
            contact.plan.clear()
            campaign.contacts.remove(contact)
            campaign.targets = [target for target in campaign.targets if target is not contact]
            del self.contacts[contact.id]

    def bill(self, campaign: Campaign) -> None:
        """Take what a run used from its owner's credits, and let go of what it held back."""
        account = next(each for each in self.accounts if each.id == campaign.owner)
        account.on_hold -= campaign.on_hold
        account.credits -= campaign.spent
        campaign.on_hold = campaign.spent = 0

    def campaigns_of(self, account: Account) -> list[Campaign]:
        """Return an account's campaigns, the newest first."""
        return self._owned.get(account.id, [])[::-1]

    def campaign(self, account: Account, id: int) -> Campaign | None:
        """Return one of an account's campaigns."""
        campaign = self.campaigns.get(id)
        return campaign if campaign is not None and campaign.owner == account.id else None

    def contact(self, account: Account, id: int) -> Contact | None:
        """Return one of an account's contacts."""
        contact = self.contacts.get(id)
        return contact if contact is not None and self.campaign(account, contact.campaign_id) else None
