"""Models of reports."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from tingting_async.decoding.fields import Model, as_model
from tingting_async.redaction import mask_repr
from tingting_async.resources.models import CallStatus as ContactStatus


@attrs.frozen(repr=False, field_transformer=as_model)
class ReportRow(Model):
    """A row of a report. The documents do not describe its columns: all are kept, and the usual ones are recognised.

    A field is None if no column is recognised as such, or if its value is not of that kind.

    Attributes:
        values: The values as strings, by column name.
        number: The phone number, as the report writes it.
        status: What became of the contact.
        duration: The length of the call.
        playback: How much of the message was heard, in percent.
        credits: The cost in credits, of calls and text messages together.
        carrier: The phone company, such as "NTC".
        updated_at: When the contact was last changed.
    """

    values: Mapping[str, str] = attrs.field(repr=False)
    number: str | None = attrs.field(default=None, repr=mask_repr)
    status: ContactStatus | None = None
    duration: timedelta | None = None
    playback: Decimal | None = None
    credits: Decimal | None = None
    carrier: str | None = None
    updated_at: datetime | None = None
