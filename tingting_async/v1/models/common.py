"""What several models of the v1 API share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import attrs

from tingting_async.decoding.fields import extra_fields


class _Display:
    pass


DisplayDatetime = Annotated[datetime, _Display()]
"""A datetime in either of the service's formats: ISO 8601, or "Jan. 27, 2026, 05:19 PM"."""


@attrs.frozen(kw_only=True)
class Confirmation:
    """What the service says of something done."""

    message: str | None = attrs.field(default=None, repr=False)
    """In its words; may hold a phone number."""
    extra: Mapping[str, Any] = extra_fields()

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
