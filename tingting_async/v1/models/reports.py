"""Models of reports."""

from collections.abc import Mapping

import attrs

from tingting_async.decoding.fields import Model, as_model
from tingting_async.redaction import mask_repr
from tingting_async.resources.models import CallStatus as ContactStatus


@attrs.frozen(repr=False, field_transformer=as_model)
class ReportRow(Model):
    """A row of a report. The documents do not describe its columns: all are kept, and the usual ones are recognised.

    Attributes:
        values: The values as strings, by column name.
        number: The phone number, if a column is recognised as such.
        status: What became of the contact, if a column is recognised as such.
    """

    values: Mapping[str, str] = attrs.field(repr=False)
    number: str | None = attrs.field(default=None, repr=mask_repr)
    status: ContactStatus | None = None

    @classmethod
    def of(cls, row: Mapping[str, str | list[str]]) -> "ReportRow":
        """Return a row of a CSV file as a model; values beyond the last column of the header have an empty name."""
        values = {name: ",".join(value) if isinstance(value, list) else value for name, value in row.items()}
        by_name = {name.strip().lower().replace("_", " "): value for name, value in values.items()}
        number = next((by_name[name] for name in ("number", "phone number", "contact") if name in by_name), None)
        status = by_name.get("status")
        return cls(values, number, ContactStatus(status) if status else None)
