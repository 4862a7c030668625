"""What came in."""

from collections.abc import Mapping

import attrs


@attrs.define
class ReceivedRequest:
    """A request that came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By their names in any case."""
    body: bytes = attrs.field(repr=False)
    at: float
    """Unix seconds, by the sandbox's clock."""
    status: int | None = None
    """What was answered; None while it is served, and where the connection was dropped."""
