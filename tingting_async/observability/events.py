"""What happens to requests, as values."""

from collections.abc import Callable

import attrs

from tingting_async.http.messages import Effect


@attrs.frozen(kw_only=True)
class RequestEvent:
    """What all events have."""

    call_id: int
    """Ties the events of one call together; signing in is a call of its own. Another for each call of this process."""
    attempt: int
    """Which attempt of the call, from 1."""
    operation: str
    """What was asked, e.g. `"campaigns.run"`."""
    method: str
    service: str
    """The `base_url` of the session."""
    path: str
    """On the service, without its query; ids are in it."""
    effect: Effect


@attrs.frozen(kw_only=True)
class RequestStarted(RequestEvent):
    """An attempt begins, with waiting for its place among the requests in flight."""


@attrs.frozen(kw_only=True)
class ResponseReceived(RequestEvent):
    """The service answered, whatever it said."""

    status: int
    """The HTTP status; a `success: false` under 200 is in the call's error alone."""
    duration: float
    """Since it was started."""
    size: int
    """Bytes of the body; 0 for one that was streamed to a file."""


@attrs.frozen(kw_only=True)
class RequestFailed(RequestEvent):
    """No usable answer came, or the attempt was cancelled."""

    error: str
    """The name of the exception's class, e.g. `"NotSentError"`; `"CancelledError"` for a cancellation."""
    phase: str
    """Where it failed, as of `TransportError.phase`; empty where that is not known."""
    duration: float
    """Since it was started."""


@attrs.frozen(kw_only=True)
class RequestRetried(RequestEvent):
    """An attempt failed, and another one is about to start; `attempt` is the new one's number."""

    error: str
    """The name of the class of what made the last attempt fail."""
    delay: float
    """Seconds that were waited."""


Listener = Callable[[RequestEvent], object]
"""Is told of an event, at once and in the event loop: it must not block."""
