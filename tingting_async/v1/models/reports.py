"""Models of reports."""

from collections.abc import Mapping

import attrs

from tingting_async.redaction import mask_repr
from tingting_async.v1.models.contacts import ContactStatus


@attrs.frozen
class ReportRow:
    """A row of a report. Its columns are not documented: they are kept as they are, and the usual ones are found."""

    values: Mapping[str, str] = attrs.field(repr=False)
    """By the column's name, as texts."""
    number: str | None = attrs.field(default=None, repr=mask_repr)
    status: ContactStatus | None = None

    @classmethod
    def of(cls, row: Mapping[str, str | list[str]]) -> "ReportRow":
        """Read a row; what it has beyond the header's columns comes under the empty name."""
        values = {name: ",".join(value) if isinstance(value, list) else value for name, value in row.items()}
        by_name = {name.strip().lower().replace("_", " "): value for name, value in values.items()}
        number = next((by_name[name] for name in ("number", "phone number", "contact") if name in by_name), None)
        status = by_name.get("status")
        return cls(values, number, ContactStatus(status) if status else None)
