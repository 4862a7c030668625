"""What the v1 API answers, as values. Field names are spelt right here; the wire's spelling stands beside.

Any field of the service may be missing or null, so nearly all are optional.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import attrs

from tingting_async.modelling import NumberText, OpenEnum, extra, wire
from tingting_async.redaction import hide_repr, mask_repr


class _Display:
    pass


DisplayDatetime = Annotated[datetime, _Display()]
"""A datetime in either of the service's formats: ISO 8601, or "Jan. 27, 2026, 05:19 PM"."""


class Services(OpenEnum):
    """How a campaign reaches people."""

    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"
    SURVEY = "SURVEY"


class CampaignStatus(OpenEnum):
    """Where a campaign stands."""

    NOT_STARTED = "Not Started"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    COMPLETED = "Completed"
    TERMINATED = "Terminated"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself; true of a status that is not known, too."""
        return self not in _GOING_ON


_GOING_ON = frozenset({"Not Started", "Scheduled", "Running"})


class ContactStatus(OpenEnum):
    """What came of reaching a contact."""

    NOT_STARTED = "not started"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    HUNG_UP = "hungup"
    UNANSWERED = "unanswered"
    FAILED = "failed"
    TERMINATED = "terminated"
    COMPLETED = "completed"


class Category(OpenEnum):
    """What a campaign plays."""

    TEXT = "Text"
    AUDIO = "Audio"


class Sort(OpenEnum):
    """The order of campaigns, by their last change."""

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "des"  # The wire's word.


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
class Confirmation:
    """What the service says of something done."""

    message: str | None = attrs.field(default=None, repr=False)
    """In its words; may hold a phone number."""
    extra: Mapping[str, Any] = extra()

    @property
    def is_confirmed(self) -> bool:
        """Whether it says that it was done, and not only what an error says as well."""
        silent = {"detail", "error", "errors", "status", "code"}
        said = any(value not in (None, False) for name, value in self.extra.items() if name not in silent)
        return (bool(self.message) or said) and not self.extra.get("errors")

    @property
    def text(self) -> str:
        """What it says; empty if it says nothing."""
        return self.message or ""


@attrs.frozen(kw_only=True)
class User:
    """Who is signed in (v1 documents, Signing in, profile)."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None
    profile_picture: str | None = None
    """A URL."""
    contact_number: NumberText | None = wire("contact_no", default=None, repr=mask_repr)
    address: str | None = None
    is_verified_phone: bool | None = wire("is_verified_contact", default=None)
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class ApiToken:
    """The account's API token (v1 documents, Signing in)."""

    token: str = attrs.field(repr=hide_repr)
    last_used: datetime | None = None
    created_at: datetime | None = None
    message: str | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Voice:
    """A voice (v1 documents, Campaigns, voices). Where the service gives no more than its id, the rest is None."""

    id: int
    name: str | None = wire("voice_display_name", default=None)
    internal_name: str | None = wire("voice_internal_name", default=None)
    """Not unique: a voice and its premium form share it."""
    is_premium: bool | None = None
    is_beta: bool | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Line:
    """A number that calls are made from (v1 documents, Campaigns, lines)."""

    id: int
    phone_number: NumberText = attrs.field(repr=mask_repr)
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Campaign:
    """A campaign (v1 documents, Campaigns)."""

    id: int
    name: str | None = None
    services: Services | None = None
    status: CampaignStatus | None = None
    sms_message: str | None = None
    message: str | None = None
    description: str | None = None
    schedule: datetime | None = None
    """When it is to run; None for when it is told to."""
    audio_file: str | None = None
    bulk_file: str | None = None
    category: Category | None = None
    lines: tuple[int, ...] = wire("user_phone", factory=tuple[int, ...])
    """Ids of the lines it calls from."""
    contact_count: int | None = wire("campaign_action_count", default=None)
    progress_percent: Decimal | None = None
    updated_at: datetime | None = None
    credit_limit: Decimal | None = None
    """Credits."""
    voice: Voice | None = None
    draft: bool | None = None
    failover_target: tuple[ContactStatus, ...] = ()
    """Outcomes of a call after which a text is sent."""
    length_factor: Decimal | None = None
    """How much slower than normal the voice speaks."""
    main_audit: NumberText | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class CampaignMessage:
    """A campaign's voice and text (v1 documents, Campaigns, voice and text)."""

    voice: Voice | None = None
    sms_message: str | None = None
    message: str | None = None
    category: Category | None = None
    draft: bool | None = None
    length_factor: Decimal | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class RunStarted(Confirmation):
    """A campaign that was run, or scheduled (v1 documents, Campaigns, run)."""

    scheduled_for: datetime | None = None
    """When it will run, in the ordinary calendar; None if it runs already. The service says it in Bikram Sambat."""


@attrs.frozen(kw_only=True)
class SpokenMessage:
    """A message read aloud (v1 documents, Campaigns, test voice)."""

    url: str | None = None
    """Where the audio lies; None where it came at once."""
    audio: bytes | None = attrs.field(default=None, repr=False)
    """The audio itself; None where only its place was told."""
    content_type: str = ""


@attrs.frozen(kw_only=True)
class Contact:
    """A contact of a campaign, and what came of reaching it (v1 documents, Contacts)."""

    id: int
    number: NumberText | None = attrs.field(default=None, repr=mask_repr)
    status: ContactStatus | None = None
    updated_at: DisplayDatetime | None = None
    created_at: DisplayDatetime | None = None
    deleted_at: DisplayDatetime | None = None
    duration: timedelta | None = None
    """How long the call lasted; on the wire `call_duration` or `duration`."""
    playback: Decimal | None = None
    """How much of the message was heard, in percent."""
    credit_consumed: Decimal | None = None
    """Credits, for calls."""
    credit_consumed_sms: Decimal | None = wire("credit_consumed_SMS", default=None)
    """Credits, for texts."""
    carrier: str | None = None
    variables: Mapping[str, Any] = wire("other_variables", factory=dict[str, Any], repr=False)
    """What its placeholders stand for."""
    uuid: str | None = None
    failover_sms_sent: bool | None = None
    campaign_id: int | None = wire("campaing", default=None)
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class ContactAdded(Confirmation):
    """A contact that was added (v1 documents, Contacts, add one)."""

    contact: Contact | None = None
    """The contact, where the answer holds it."""

    @property
    def is_confirmed(self) -> bool:
        """Whether it says that it was added."""
        return self.contact is not None or bool(self.message)


@attrs.frozen(kw_only=True)
class ContactsAdded:
    """Contacts that were added (v1 documents, Contacts, add many)."""

    created: int
    skipped: int = 0
    """Already there, or twice among those given."""
    contacts: tuple[Contact, ...] = ()
    errors: Mapping[int, str] = attrs.field(factory=dict[int, str], repr=False)
    """What the service said of the rows that it did not take, by their place among those given, from 0."""
    other_errors: tuple[Any, ...] = attrs.field(default=(), repr=False)
    """What it said without naming a row."""
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Column:
    """A column of an uploaded file."""

    name: str = wire("column")
    sample: tuple[Any, ...] = attrs.field(default=(), repr=False)
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Upload:
    """A file of contacts that was added (v1 documents, Contacts, add a file)."""

    rows: int = wire("total_validated_rows")
    """How many were taken."""
    errors: tuple[Any, ...] = wire("error_list", factory=tuple[Any, ...], repr=False)
    columns: tuple[Column, ...] = wire("samples", factory=tuple[Column, ...])
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Otp:
    """A one-time password that was sent (v1 documents, OTP). Neither code nor message shows in its `repr`."""

    number: NumberText = attrs.field(repr=mask_repr)
    otp: NumberText | None = attrs.field(default=None, repr=hide_repr)
    message: str | None = attrs.field(default=None, repr=False)
    channel: OtpChannel | None = wire("sms_send_options", default=None)
    source: OtpSource | None = wire("otp_options", default=None)
    credits_used: Decimal | None = None
    remaining_sms_credits: Decimal | None = None
    remaining_phone_credits: Decimal | None = None
    company_name: str | None = None
    voice_input: str | None = None
    length_factor: Decimal | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class SentOtp:
    """A one-time password in the list of those sent (v1 documents, OTP)."""

    id: int
    number: NumberText | None = wire("phone_number", default=None, repr=mask_repr)
    message: str | None = attrs.field(default=None, repr=False)
    otp: NumberText | None = attrs.field(default=None, repr=hide_repr)
    source: OtpSource | None = wire("otp_options", default=None)
    channel: OtpChannel | None = wire("sms_send_options", default=None)
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class Dashboard:
    """The account's sums (v1 documents, Dashboard); the documents do not describe what the objects hold."""

    total_credits_purchased: Decimal | None = None
    credits_used: Decimal | None = None
    remaining_credits: Decimal | None = None
    campaigns: Any = None
    outbound_calls: int | None = None
    outbound_sms: int | None = None
    total_call_duration: timedelta | None = None
    total_owned_numbers: int | None = None
    total_playback: Any = None
    credit_spent: Decimal | None = None
    top_performing_campaign: Any = None
    playback_distribution: Any = None
    campaign_type_ratio: Any = None
    call_outcomes: Any = None
    credit_usage_overtime: Any = None
    extra: Mapping[str, Any] = extra()


@attrs.frozen(kw_only=True)
class RunCheck:
    """What would happen if a campaign were run."""

    campaign: Campaign
    contacts: int
    """How many it would reach."""
    placeholders: frozenset[str]
    """What its message holds in braces."""
    problems: tuple[str, ...]
    """What speaks against it; empty if nothing does."""
