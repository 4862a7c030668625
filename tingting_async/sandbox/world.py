"""The state of the service, and how it changes."""

import itertools
import threading
import uuid
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from tingting_async.sandbox.changes import Changes
from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.contents import spoken
from tingting_async.sandbox.inbox import Inbox
from tingting_async.sandbox.names import TAGS, VOICES, message, mobile, occasion, person, place
from tingting_async.sandbox.records import Account, Campaign, Contact, Line, OwnedCampaigns, SentOtp, SideEffect


class World:
    """The state of a simulated service.

    Args:
        clock: Its time.
        campaigns: The number of campaigns at the start.
        numbers: The number of phone numbers of each.
        seed: The seed of what is generated.
        changes: Counts the changes.
    """

    def __init__(
        self, clock: Clock, *, campaigns: int, numbers: int, seed: int, changes: Changes | None = None
    ) -> None:
        self.clock = clock
        self._changes = changes or Changes()
        self.seed = seed
        self.random: Random = Random(seed)
        self.lock: threading.RLock = threading.RLock()
        """Held while timers run, because tests may read the state from another thread."""
        self.timers: list[tuple[float, int, Campaign, Contact | None]] = []
        """A heap of timers: a contact reaches its next status; or (None) a campaign starts or begins with a contact."""
        self.timer_order: itertools.count[int] = itertools.count()
        """A counter that keeps timers with the same time in the order of their creation."""
        self.side_effects: list[SideEffect] = []
        self.inbox: Inbox = Inbox()
        self.uploads: dict[str, bytes] = {}
        """The uploaded audio files by the last part of their URL."""
        self.accounts: list[Account] = []
        self.campaigns: dict[int, Campaign] = {}
        self.contacts: dict[int, Contact] = {}
        self.lines: dict[str, Line] = {}
        self.otps: list[SentOtp] = []
        self.templates: dict[int, dict[str, Any]] = {}
        self.voices: list[dict[str, Any]] = list(VOICES)
        self.brokers: list[dict[str, Any]] = [
            {"id": 1, "phone_number": "+97715970425"},
            {"id": 2, "phone_number": "+97715970426"},
        ]
        self.last_id: int = 0
        """The id that was given last."""
        self.owned: defaultdict[int, OwnedCampaigns] = defaultdict(OwnedCampaigns)
        self.sent: defaultdict[int, list[SentOtp]] = defaultdict(list)
        self.owner: Account = self.add_account("sita@example.com", "sandbox-password")
        for _ in range(campaigns):
            campaign = self.add_campaign(
                self.owner,
                occasion(self.random),
                self.random.choice(("PHONE", "SMS")),
                f"{person(self.random)}, {place(self.random)}",
                tags=list(TAGS)[: self.random.randrange(len(TAGS) + 1)],
            )
            campaign.message = campaign.sms_message = message(self.random, campaign.usable_tags)
            campaign.user_phone, campaign.voice = [self.brokers[0]["id"]], self.voices[0]["id"]
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
        with self.lock:
            self.last_id += 1
            return self.last_id

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
        self._changes.note()

    def call(self, campaign: Campaign, contact: Contact, at: float | None = None) -> None:
        """Call a contact: for its campaign at a time in Unix seconds, or now as a test, which is over at once."""
        is_test = at is None
        when = self.clock.now() if at is None else at
        content = spoken(campaign, self.uploads)
        self.record("demo" if is_test else "call", contact.id, when, target=contact.number)
        self.inbox.add(
            "call",
            "demo" if is_test else "campaign",
            contact.number,
            when,
            content.template,
            variables=contact.tags,
            recording=content.recording,
            campaign=(campaign.id, campaign.name),
            contact=None if is_test else contact.id,
        )

    def text(self, campaign: Campaign, contact: Contact, at: float) -> None:
        """Text a contact, at a time in Unix seconds."""
        self.record("sms", contact.id, at, target=contact.number)
        name, tags = (campaign.id, campaign.name), contact.tags
        self.inbox.add("sms", "campaign", contact.number, at, campaign.sms_message, variables=tags, campaign=name)

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
        self.owned[owner.id].add(campaign)
        self.record("created", campaign.id, target=name)
        return campaign

    def add_contact(self, campaign: Campaign, number: str, tags: dict[str, Any]) -> Contact:
        """Add a phone number to a campaign."""
        now = self.clock.now()
        unique = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        contact = Contact(self.id(), campaign.id, number, tags, now, now, unique)
        campaign.contacts.append(contact)
        campaign.totals.add(contact)
        self.contacts[contact.id] = contact
        self.record("contact", contact.id, target=number)
        return contact

    def remove_campaign(self, campaign: Campaign) -> None:
        """Delete a campaign and its numbers. A running campaign ends."""
        with self.lock:
            self.bill(campaign)
            self.owned[campaign.owner].remove(campaign)
            del self.campaigns[campaign.id]
            for contact in campaign.contacts:
                contact.plan.clear()
                self.inbox.terminate(contact.id)
                del self.contacts[contact.id]
            self._changes.note()

    def remove_contact(self, contact: Contact) -> None:
        """Delete a number from its campaign. A running campaign skips it."""
        with self.lock:
            campaign = self.campaigns[contact.campaign_id]
            contact.plan.clear()
            self.inbox.terminate(contact.id)
            campaign.contacts.remove(contact)
            campaign.totals.remove(contact)
            campaign.targets = [target for target in campaign.targets if target is not contact]
            del self.contacts[contact.id]
            self._changes.note()

    def bill(self, campaign: Campaign) -> None:
        """Charge the owner for the credits that a run used, and release the credits on hold."""
        account = next(each for each in self.accounts if each.id == campaign.owner)
        account.on_hold -= campaign.on_hold
        account.credits -= campaign.spent
        campaign.on_hold = campaign.spent = 0
        self._changes.note()

    def add_otp(self, sent: SentOtp) -> None:
        """Add a one-time password that was sent."""
        self.otps.append(sent)
        self.sent[sent.owner].append(sent)

    def campaigns_of(self, account: Account) -> list[Campaign]:
        """Return an account's campaigns, newest first."""
        return self.owned[account.id].by_creation[::-1]

    def campaigns_by_creation(self, account: Account) -> Sequence[Campaign]:
        """Return an account's campaigns, oldest first, without a copy."""
        return self.owned[account.id].by_creation

    def campaigns_by_update(self, account: Account) -> Sequence[Campaign]:
        """Return an account's campaigns, least recently updated first, without a copy."""
        return self.owned[account.id].by_update()

    def otps_of(self, account: Account) -> Sequence[SentOtp]:
        """Return an account's one-time passwords, oldest first, without a copy."""
        return self.sent[account.id]

    def campaign(self, account: Account, id: int) -> Campaign | None:
        """Return a campaign of an account, or None."""
        campaign = self.campaigns.get(id)
        return campaign if campaign is not None and campaign.owner == account.id else None

    def contact(self, account: Account, id: int) -> Contact | None:
        """Return a contact of an account, or None."""
        contact = self.contacts.get(id)
        return contact if contact is not None and self.campaign(account, contact.campaign_id) else None
