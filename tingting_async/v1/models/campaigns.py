"""What the v1 API answers, as values. Field names are spelt right here; the wire's spelling stands beside.

Any field of the service may be missing or null, so nearly all are optional.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.contacts import ContactStatus


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
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself; true of a status that is not known, too."""
        return self not in _ACTIVE


_ACTIVE = frozenset({"Not Started", "Scheduled", "Running"})


class Category(OpenEnum):
    """What a campaign plays."""

    TEXT = "Text"
    AUDIO = "Audio"


class Sort(OpenEnum):
    """The order of campaigns, by their last change."""

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "des"  # The wire's word.


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
    lines: tuple[int, ...] = wire_field("user_phone", factory=tuple[int, ...])
    """Ids of the lines it calls from."""
    contact_count: int | None = wire_field("campaign_action_count", default=None)
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
    main_audit: StrOrInt | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class CampaignMessage:
    """A campaign's voice and text (v1 documents, Campaigns, voice and text)."""

    voice: Voice | None = None
    sms_message: str | None = None
    message: str | None = None
    category: Category | None = None
    draft: bool | None = None
    length_factor: Decimal | None = None
    extra: Mapping[str, Any] = extra_fields()


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
class PreflightReport:
    """What would happen if a campaign were run."""

    campaign: Campaign
    contacts: int
    """How many it would reach."""
    placeholders: frozenset[str]
    """What its message holds in braces."""
    problems: tuple[str, ...]
    """What speaks against it; empty if nothing does."""
