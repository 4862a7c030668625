"""Models of contacts."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, StrOrInt, as_model, extra_fields, wire_field
from tingting_async.redaction import mask_repr, repr_items, repr_uuid
from tingting_async.resources.add_results import AddResult
from tingting_async.resources.models import CallStatus as ContactStatus
from tingting_async.v1.models.campaigns import Campaign
from tingting_async.v1.models.common import Confirmation, DisplayDatetime


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Contact(Model):
    """A contact of a campaign, and the result of reaching it (v1 documents, Contacts).

    Attributes:
        id: The contact's id.
        number: The phone number.
        status: What became of reaching it.
        updated_at: When it was last changed.
        created_at: When it was created.
        deleted_at: When it was deleted.
        duration: The length of the call. The service calls the field `call_duration` or `duration`.
        playback: How much of the message was heard, in percent.
        credit_consumed: The cost of calls, in credits.
        credit_consumed_sms: The cost of text messages, in credits.
        carrier: The phone company, such as "NTC".
        variables: The values of the message's placeholders, by name. None if they are unknown, as for the contacts of
            `contacts.list`, whose response does not contain them; use `contacts.variables`.
        uuid: Another id of the contact.
        failover_sms_sent: Whether a text message was sent after the call.
        campaign_id: The campaign's id; None if neither the request nor the response names it, as with `contacts.edit`.
        extra: Fields that this class does not name.
    """

    id: int
    number: StrOrInt | None = attrs.field(default=None, repr=mask_repr)
    status: ContactStatus | None = None
    updated_at: DisplayDatetime | None = None
    created_at: DisplayDatetime | None = None
    deleted_at: DisplayDatetime | None = None
    duration: timedelta | None = None
    playback: Decimal | None = None
    credit_consumed: Decimal | None = None
    credit_consumed_sms: Decimal | None = wire_field("credit_consumed_SMS", default=None)
    carrier: str | None = None
    variables: Mapping[str, Any] | None = wire_field("other_variables", default=None, repr=False)
    uuid: str | None = attrs.field(default=None, repr=repr_uuid)
    failover_sms_sent: bool | None = None
    campaign_id: int | None = wire_field("campaing", default=None)
    extra: Mapping[str, Any] = extra_fields()


def _was_reached(result: "CampaignResult") -> bool:
    status: ContactStatus | None = getattr(result.contact, "status", None)
    return status is not None and status.was_reached


@attrs.frozen(repr=False, field_transformer=as_model)
class CampaignResult(Model):
    """What became of a contact of a campaign.

    Attributes:
        campaign: The campaign.
        contact: The contact, with its status.
        was_reached: Whether the status says that the person was reached; false without a status.
    """

    campaign: Campaign
    contact: Contact
    was_reached: bool = attrs.field(init=False, default=attrs.Factory(_was_reached, takes_self=True))


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class ContactAdded(Confirmation):
    """The confirmation that a contact was added (v1 documents, Contacts, add one).

    Attributes:
        message, extra: As in `Confirmation`.
        contact: The new contact, if the response contains it: the documents disagree.
    """

    contact: Contact | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the response says that the contact was added."""
        return self.contact is not None or bool(self.message)


class ContactsAdded(AddResult[Contact]):
    """The result of adding several contacts (v1 documents, Contacts, add many).

    Attributes:
        created, skipped, contacts, errors, other_errors, extra, outcomes: As in `AddResult`.
    """

    __slots__ = ()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class ContactsCounted(ContactsAdded):
    """The result of adding several contacts, whose new contacts are not decoded.

    Attributes:
        numbers: The phone numbers of the new contacts, if only some of those given are new.
    """

    numbers: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class ContactsResponse(Model):
    """The response to adding several contacts, as the service sends it.

    Attributes:
        created: The number of contacts that were added.
        skipped: The number of contacts that were there already.
        contacts: The new contacts.
        extra: Fields that this class does not name.
    """

    created: int
    skipped: int = 0
    contacts: tuple[Contact, ...] = attrs.field(default=(), repr=repr_items)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Column(Model):
    """A column of an uploaded file.

    Attributes:
        name: The name in the file's first row.
        sample: The first values.
        extra: Fields that this class does not name.
    """

    name: str = wire_field("column")
    sample: tuple[Any, ...] = attrs.field(default=(), repr=False)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Upload(Model):
    """The result of adding a file of contacts (v1 documents, Contacts, add a file).

    Attributes:
        rows: The number of rows that were accepted.
        errors: What the service reports as wrong; the documents do not describe the items.
        columns: The columns of the file.
        extra: Fields that this class does not name.
    """

    rows: int = wire_field("total_validated_rows")
    errors: tuple[Any, ...] = wire_field("error_list", factory=tuple[Any, ...], repr=False)
    columns: tuple[Column, ...] = wire_field("samples", factory=tuple[Column, ...])
    extra: Mapping[str, Any] = extra_fields()
