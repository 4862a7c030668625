"""What several models of the v1 API share."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import attrs

from tingting_async.decoding.fields import Model, as_model, extra_fields

DisplayDatetime = Annotated[datetime, "ISO 8601, or as the service displays it"]
"""A datetime in either of the service's formats: ISO 8601, or "Jan. 27, 2026, 05:19 PM"."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Confirmation(Model):
    """The service's confirmation of an operation.

    Attributes:
        message: The service's message; it may contain a phone number.
        extra: Fields that this class does not name.
    """

    message: str | None = attrs.field(default=None, repr=False)
    extra: Mapping[str, Any] = extra_fields()

    @property
    def is_confirmed(self) -> bool:
        """Whether the response says that the operation was done, in a field that no error response has.

        A response without a body, such as a 204, says so, too: then `extra` is `{"status": 204}`.
        """
        in_errors_too = {"detail", "error", "errors", "status", "code"}
        confirms = any(value not in (None, False) for name, value in self.extra.items() if name not in in_errors_too)
        has_no_content = self.extra.get("status") == HTTPStatus.NO_CONTENT
        return (bool(self.message) or confirms or has_no_content) and not self.extra.get("errors")

    @property
    def text(self) -> str:
        """The service's message; empty if there is none."""
        return self.message or ""
