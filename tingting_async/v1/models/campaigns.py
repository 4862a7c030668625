"""Models of campaigns."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, OpenEnum, StrOrInt, as_model, extra_fields, wire_field
from tingting_async.resources.models import CallStatus, Services
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation


class CampaignStatus(OpenEnum):
    """The state of a campaign. The documents list these values and do not define them.

    Attributes:
        NOT_STARTED: It was neither run nor scheduled.
        SCHEDULED: It will run at its `schedule`.
        RUNNING: It is reaching its contacts.
        COMPLETED: It has finished.
        TERMINATED: It was stopped.
    """

    NOT_STARTED = "Not Started"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    COMPLETED = "Completed"
    TERMINATED = "Terminated"

    @property
    def is_final(self) -> bool:
        """Whether the status no longer changes by itself; true for unknown statuses."""
        return self not in _ACTIVE


_ACTIVE = frozenset({"Not Started", "Scheduled", "Running"})


class Category(OpenEnum):
    """What a campaign plays.

    Attributes:
        TEXT: A message, read aloud.
        AUDIO: An audio file.
    """

    TEXT = "Text"
    AUDIO = "Audio"


class Sort(OpenEnum):
    """The order of campaigns in a list, by their last change.

    Attributes:
        OLDEST_FIRST: Ascending.
        NEWEST_FIRST: Descending. The service spells the value "des".
    """

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "des"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Campaign(Model):
    """A campaign (v1 documents, Campaigns).

    Attributes:
        id: The campaign's id.
        name: The name.
        services: How it reaches its contacts.
        status: Its state.
        sms_message: The text message.
        message: The message that is read aloud.
        description: The description.
        schedule: When it is to run; None if it starts only with `run()`.
        audio_file: The audio file that is played.
        bulk_file: The uploaded file of contacts.
        category: What it plays.
        lines: The ids of the lines it calls from.
        contact_count: The number of contacts.
        progress_percent: The progress, in percent.
        updated_at: When it was last changed.
        credit_limit: The most that it may cost, in credits.
        voice: The voice that reads the message.
        draft: Whether it is a draft.
        failover_target: The results of a call after which a text message is sent.
        length_factor: How much slower than normal the voice speaks.
        main_audit: Not described, and only sometimes sent.
        extra: Fields that this class does not name.
    """

    id: int
    name: str | None = None
    services: Services | None = None
    status: CampaignStatus | None = None
    sms_message: str | None = None
    message: str | None = None
    description: str | None = None
    schedule: datetime | None = None
    audio_file: str | None = None
    bulk_file: str | None = None
    category: Category | None = None
    lines: tuple[int, ...] = wire_field("user_phone", factory=tuple[int, ...])
    contact_count: int | None = wire_field("campaign_action_count", default=None)
    progress_percent: Decimal | None = None
    updated_at: datetime | None = None
    credit_limit: Decimal | None = None
    voice: Voice | None = None
    draft: bool | None = None
    failover_target: tuple[CallStatus, ...] = ()
    length_factor: Decimal | None = None
    main_audit: StrOrInt | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class CampaignMessage(Model):
    """The voice and the texts of a campaign (v1 documents, Campaigns, voice and text).

    Attributes:
        voice, sms_message, message, category, draft, length_factor: As in `Campaign`.
        extra: Fields that this class does not name.
    """

    voice: Voice | None = None
    sms_message: str | None = None
    message: str | None = None
    category: Category | None = None
    draft: bool | None = None
    length_factor: Decimal | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class RunStarted(Confirmation):
    """The confirmation that a campaign was run or scheduled (v1 documents, Campaigns, run).

    Attributes:
        message, extra: As in `Confirmation`.
        scheduled_for: When it will run, by the campaign itself; None if it runs already. If the campaign could not be
            read, it is converted from the Bikram Sambat date in the message, and may be a day off.
        converted_by: The table that converted the Bikram Sambat date, such as "nepali-datetime 1.0.8.5", because the
            tables of that calendar differ; None if nothing was converted.
    """

    scheduled_for: datetime | None = None
    converted_by: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class PreflightReport(Model):
    """What would happen if a campaign were run.

    Attributes:
        campaign: The campaign.
        contacts: The number of contacts it would reach.
        placeholders: The names in braces in its messages.
        problems: The reasons not to run it; empty if there are none. At most 1,000 recipients are named.
        checked: The number of recipients whose values were checked.
        sms_parts: The number of parts of all SMS together, counted on the filled text of each recipient; 0 if the
            campaign sends none, None if not everyone was checked.
        estimated_credits: The estimated cost of the run, by the prices that you stated; None without prices.
        credits_left: The credits that the account has left; None if they were not needed.
    """

    campaign: Campaign
    contacts: int
    placeholders: frozenset[str]
    problems: tuple[str, ...]
    checked: int = 0
    sms_parts: int | None = None
    estimated_credits: Decimal | None = None
    credits_left: Decimal | None = None
