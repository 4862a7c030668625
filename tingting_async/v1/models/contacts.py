"""Models of contacts."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.redaction import mask_repr
from tingting_async.v1.models.common import Confirmation, DisplayDatetime


@attrs.frozen
class NewContact:
    """A contact to be added."""

    number: str | int = attrs.field(repr=False)
    """A number of Nepal in any usual spelling."""
    variables: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """What the message's placeholders stand for."""


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


@attrs.frozen(kw_only=True)
class Contact:
    """A contact of a campaign, and what came of reaching it (v1 documents, Contacts)."""

    id: int
    number: StrOrInt | None = attrs.field(default=None, repr=mask_repr)
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
    credit_consumed_sms: Decimal | None = wire_field("credit_consumed_SMS", default=None)
    """Credits, for texts."""
    carrier: str | None = None
    variables: Mapping[str, Any] = wire_field("other_variables", factory=dict[str, Any], repr=False)
    """What its placeholders stand for."""
    uuid: str | None = None
    failover_sms_sent: bool | None = None
    campaign_id: int | None = wire_field("campaing", default=None)
    extra: Mapping[str, Any] = extra_fields()


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
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Column:
    """A column of an uploaded file."""

    name: str = wire_field("column")
    sample: tuple[Any, ...] = attrs.field(default=(), repr=False)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Upload:
    """A file of contacts that was added (v1 documents, Contacts, add a file)."""

    rows: int = wire_field("total_validated_rows")
    """How many were taken."""
    errors: tuple[Any, ...] = wire_field("error_list", factory=tuple[Any, ...], repr=False)
    columns: tuple[Column, ...] = wire_field("samples", factory=tuple[Column, ...])
    extra: Mapping[str, Any] = extra_fields()
