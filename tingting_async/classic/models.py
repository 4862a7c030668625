"""What the classic API answers, as values. Field names are spelt right here; the wire's spelling stands beside."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr


class Services(OpenEnum):
    """How a campaign reaches people."""

    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"


class NumberStatus(OpenEnum):
    """What came of calling a number."""

    NOT_STARTED = "not started"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    HUNG_UP = "hungup"
    UNANSWERED = "unanswered"
    FAILED = "failed"
    TERMINATED = "terminated"
    COMPLETED = "completed"


class Outcome(OpenEnum):
    """Outcomes whose numbers a campaign can be run for again."""

    HUNG_UP = "hungup"
    UNANSWERED = "unanswered"
    FAILED = "failed"
    TERMINATED = "terminated"
    COMPLETED = "completed"


class Voice(OpenEnum):
    """Voices that read a message aloud."""

    RIJA = "np_rija"
    PRASANNA = "np_prasanna"
    BINOD = "np_binod"


class Priority(OpenEnum):
    """What is played where a campaign has both a message and an audio file."""

    MESSAGE = "message"
    AUDIO = "audio"


class OtpChannel(OpenEnum):
    """How a one-time password is delivered."""

    VOICE = "voice"
    TEXT = "text"


class OtpSource(OpenEnum):
    """Who makes a one-time password up."""

    GENERATED = "generated"
    """The service."""
    PERSONAL = "personnel"  # The wire's word.
    """The caller."""


@attrs.frozen(kw_only=True)
class User:
    """Who is signed in (classic documents, Accounts, user details)."""

    first_name: str
    last_name: str
    email: str
    username: str | None = None
    is_verified_email: bool | None = None
    contact_number: StrOrInt | None = attrs.field(default=None, repr=mask_repr)
    is_verified_phone: bool | None = None
    address: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Campaign:
    """A campaign (classic documents, Campaigns)."""

    id: int
    name: str
    services: Services
    user_phone: tuple[Any, ...] = attrs.field(default=(), repr=False)
    """The lines it calls from; the documents print only empty lists."""
    description: str | None = None
    usable_tags: tuple[str, ...] | None = None
    """Placeholders a message may hold as `{tags_name}`; None where the answer does not list them (create, update)."""
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Number:
    """A number of a campaign, and what came of calling it (classic documents, Numbers)."""

    id: int
    number: StrOrInt = attrs.field(repr=mask_repr)
    campaign: str | None = wire_field("campaing", default=None)
    """The campaign's name."""
    available_tags: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """What its placeholders stand for."""
    status: NumberStatus | None = None
    """None where the answer does not say: that is no word of it not having been called."""
    duration: timedelta | None = None
    """How long the call lasted; None before it."""
    playback: Decimal | None = None
    """How much of the message was heard, in percent; None before the call."""
    credit_consumed: Decimal | None = None
    """Credits."""
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class PhoneNumber:
    """A line, owned or for sale (classic documents, Phone numbers)."""

    phone_number: StrOrInt = attrs.field(repr=mask_repr)
    sid: str = wire_field("phone_number_sid")
    """What buys and releases it."""
    rate: Decimal | None = None
    """Credits."""
    available_capabilities: str | None = None
    """As the service spells them: "Voice, SMS"."""
    friendly_name: str | None = None
    accept_incoming: Any = None
    configure_with: Any = None
    call_comes_in: Any = None
    call_url: Any = None
    http_request: Any = None
    extra: Mapping[str, Any] = extra_fields()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the line can do, one by one: `("Voice", "SMS")`."""
        parts = (self.available_capabilities or "").split(",")
        return tuple(part.strip() for part in parts if part.strip())


@attrs.frozen(kw_only=True)
class Otp:
    """A one-time password that was sent (classic documents, OTP). Neither code nor message shows in its `repr`."""

    number: StrOrInt = attrs.field(repr=mask_repr)
    otp: StrOrInt | None = attrs.field(default=None, repr=hide_repr)
    message: str | None = attrs.field(default=None, repr=False)
    channel: OtpChannel | None = wire_field("sms_send_options", default=None)
    source: OtpSource | None = wire_field("otp_options", default=None)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Confirmation:
    """What the service says of something done: its envelope (classic documents, introduction)."""

    status: int | None = None
    success: bool | None = None
    message: str | None = attrs.field(default=None, repr=False)
    """In its words; may hold a phone number."""
    errors: tuple[Any, ...] = attrs.field(default=(), repr=False)
    data: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """As it came: `{"camaign": "Campaign Deleted Succesfully"}`."""
    extra: Mapping[str, Any] = extra_fields()

    @property
    def is_confirmed(self) -> bool:
        """Whether it says that it was done."""
        if self.success is None:
            return 200 <= (self.status or 0) < 300 and not self.errors
        return self.success

    @property
    def text(self) -> str:
        """What it says, wherever it says it."""
        return self.message or next((said for said in self.data.values() if isinstance(said, str)), "")


@attrs.frozen(kw_only=True)
class RunStarted(Confirmation):
    """A campaign that was begun (classic documents, Campaigns, begin)."""

    @property
    def hold_amount(self) -> str | None:
        """What is held back until it ends, in the service's words: "3 credits on hold for …"."""
        said = self.data.get("hold amount")
        return said if isinstance(said, str) else None

    @property
    def credits_on_hold(self) -> int | None:
        """The number in `hold_amount`; None where there is none."""
        match = re.match(r"\s*(\d+)\s+credit", self.hold_amount or "")
        return int(match[1]) if match else None


@attrs.frozen(kw_only=True)
class NumberAdded(Confirmation):
    """A number that was added to a campaign (classic documents, Numbers, add; its answer is not printed)."""

    number: Number | None = None
    """The new number, where the answer holds it."""

    @property
    def is_confirmed(self) -> bool:
        """Whether it says that it was added."""
        return self.number is not None or super().is_confirmed


@attrs.frozen(kw_only=True)
class SpokenMessage:
    """A message read aloud (classic documents, Campaigns, test voice; its answer is not printed)."""

    url: str | None = None
    """Where the audio lies; None where it came at once."""
    audio: bytes | None = attrs.field(default=None, repr=False)
    """The audio itself; None where only its place was told."""
    content_type: str = ""


@attrs.frozen(kw_only=True)
class TokenPair:
    """The JWTs of a sign-in."""

    access: str = attrs.field(repr=hide_repr)
    refresh: str | None = attrs.field(default=None, repr=hide_repr)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Login:
    """A sign-in (classic documents, Accounts, login)."""

    token: TokenPair
    user: User = wire_field("user_data")
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Pagination:
    """The envelope of a page (classic documents, Campaigns)."""

    page_number: int
    has_next: bool
    total_items: int | None = None
    total_pages: int | None = None
    has_previous: bool | None = None
    links: Any = None
    extra: Mapping[str, Any] = extra_fields()
