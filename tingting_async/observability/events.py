"""The events of requests."""

from collections.abc import Callable

import attrs

from tingting_async.http.messages import Effect


@attrs.frozen(kw_only=True)
class RequestEvent:
    """An event of a request.

    Attributes:
        call_id: The same for all events of one call, and different for each call of this process. Signing in is a call
            of its own.
        attempt: The number of the attempt within its call, from 1.
        operation: The operation, e.g. `"campaigns.run"`.
        method: The HTTP method.
        service: The `base_url` of the session.
        path: The path on the service, without its query; it holds ids.
        effect: What the request does to the world.
    """

    call_id: int
    attempt: int
    operation: str
    method: str
    service: str
    path: str
    effect: Effect


@attrs.frozen(kw_only=True)
class RequestStarted(RequestEvent):
    """An attempt starts; the wait for a slot and for the rate limit is part of it.

    Attributes:
        call_id, attempt, operation, method, service, path, effect: As in `RequestEvent`.
    """


@attrs.frozen(kw_only=True)
class ResponseReceived(RequestEvent):
    """A response was received, whether it reports success or failure.

    Attributes:
        call_id, attempt, operation, method, service, path, effect: As in `RequestEvent`.
        status: The HTTP status; a `success: false` under status 200 shows only in the error of the call.
        duration: Seconds since the attempt started.
        size: Bytes of the body; 0 for a body that was streamed to a file.
    """

    status: int
    duration: float
    size: int


@attrs.frozen(kw_only=True)
class RequestFailed(RequestEvent):
    """An attempt ended without a usable response, or was cancelled.

    Attributes:
        call_id, attempt, operation, method, service, path, effect: As in `RequestEvent`.
        error: The class name of the exception, e.g. `"NotSentError"`; `"CancelledError"` for a cancellation.
        phase: Where it failed, as in `TransportError.phase`; empty if that is unknown.
        duration: Seconds since the attempt started.
    """

    error: str
    phase: str
    duration: float


@attrs.frozen(kw_only=True)
class RequestRetried(RequestEvent):
    """An attempt failed, and another one is about to start; `attempt` is the number of the new one.

    Attributes:
        call_id, attempt, operation, method, service, path, effect: As in `RequestEvent`.
        error: The class name of the exception that ended the last attempt.
        delay: Seconds of backoff between the two attempts.
    """

    error: str
    delay: float


Listener = Callable[[RequestEvent], object]
"""Called with each event, immediately and in the event loop: it must not block."""
