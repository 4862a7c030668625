"""The record of a request."""

from collections.abc import Mapping

import attrs


@attrs.define
class ReceivedRequest:
    """A request that the sandbox received."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    """The headers; names are case-insensitive."""
    body: bytes = attrs.field(repr=False)
    at: float
    """When the request arrived, in Unix seconds by the sandbox's clock."""
    status: int | None = None
    """The status of the response. None while the request is being served, and if the connection was dropped."""
    duration: float | None = None
    """How long it took to serve the request, in seconds of this machine; None while it is being served."""
    fault: str | None = None
    """The kind of the fault that struck the request."""
