"""Every way in which a call can fail.

::

    TingTingError
    ├── UsageError (also a ValueError)     refused before anything was sent
    ├── SessionClosedError                 the session is closed, or belongs to another event loop
    ├── TokenStoreError                    the token store failed; its own error is the cause
    ├── LedgerError                        the send-once ledger failed; its own error is the cause
    ├── DuplicateSendError                 the ledger knows of the same send; nothing was sent now
    ├── TransportError                     no usable answer came; nothing was changed by asking
    │   ├── NotSentError                   no byte left: safe to do again
    │   └── OutcomeUnknownError            it may have happened: find out before doing it again
    ├── ApiError                           the service answered, and said no
    │   ├── BadRequestError                400, 422, or `success: false`
    │   ├── AuthenticationError            401, or no way to sign in
    │   ├── PermissionDeniedError          403
    │   ├── NotFoundError                  404
    │   ├── ConflictError                  409
    │   ├── RateLimitedError               429
    │   └── ServerError                    5xx
    ├── DecodeError                        an answer that cannot be read
    ├── PaginationError                    pages that contradict each other
    ├── PartialFailureError                    several requests, of which some were carried out
    └── WaitTimeoutError                  waited for long enough (also a TimeoutError)

`asyncio.CancelledError` aside, nothing else comes out of this library. Texts are free of passwords, tokens, one-time
codes and full phone numbers; the attributes hold what the service sent, as it was sent.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tingting_async.outcomes import Reconcilable, Reconciler, attach_reconciler

if TYPE_CHECKING:
    from tingting_async.outcomes import Send


class TingTingError(Exception):
    """Anything this library raises."""


class UsageError(TingTingError, ValueError):
    """What was asked for cannot be sent: the service's documents forbid it, or it would not mean what it says.

    Args:
        message: The whole text, ready to be shown.
        problems: Where many were given, each that is refused, e.g. `"contacts[3]"`, with what is wrong with it.
    """

    def __init__(self, message: str = "", *, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class SessionClosedError(TingTingError):
    """The session was closed, or is used from another event loop than the one it was first used in."""


class TokenStoreError(TingTingError):
    """The token store failed, so nothing was sent; its own error is the cause."""


class LedgerError(TingTingError):
    """The send-once ledger cannot be read or written, so nothing was sent; its own error is the cause."""


class DuplicateSendError(Reconcilable, TingTingError):
    """By the ledger the same was sent before, or may have been; nothing was sent now.

    Args:
        message: The whole text, ready to be shown.
        operation: What was asked, e.g. `"campaigns.run"`.
        send: What the ledger knows: the key, the state (done, in progress, unknown), and since when.
    """

    def __init__(self, message: str = "", *, operation: str = "", send: "Send | None" = None) -> None:
        super().__init__(message)
        self.operation = operation
        self.send = send


class TransportError(TingTingError):
    """No usable answer came.

    Args:
        message: The whole text, ready to be shown.
        operation: What was asked, e.g. `"campaigns.get"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        phase: Where it failed: `"rate"` (waiting for a turn under the session's `rate`), `"pool"` (waiting for a place
            among the requests in flight), `"sign-in"` (waiting for another task's sign-in), `"connect"` (name look-up,
            TCP, TLS) or `"answer"` (once it was sent).
    """

    def __init__(
        self, message: str = "", *, operation: str = "", method: str = "", path: str = "", phase: str = ""
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.method = method
        self.path = path
        self.phase = phase


class NotSentError(TransportError):
    """No byte of the request left this machine, so nothing happened: it is safe to do it again."""


class OutcomeUnknownError(Reconcilable, TransportError):
    """The request may have been carried out, and nobody said so. Find out before doing it again.

    Args:
        message: The whole text, ready to be shown; it says how to find out.
        operation: What was asked, e.g. `"campaigns.run"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        phase: As in `TransportError`.
        status: The HTTP status of the answer, where one came that does not settle the question; else None.
        reconciler: Finds out, where the service has what tells.
    """

    def __init__(
        self,
        message: str = "",
        *,
        operation: str = "",
        method: str = "",
        path: str = "",
        phase: str = "",
        status: int | None = None,
        reconciler: Reconciler | None = None,
    ) -> None:
        super().__init__(message, operation=operation, method=method, path=path, phase=phase)
        self.status = status
        attach_reconciler(self, reconciler)


class ApiError(TingTingError):
    """The service answered, and said no.

    Args:
        text: The whole text, ready to be shown.
        status: The status that counts: the HTTP status, or the envelope's under HTTP 200. 0 if no request was made.
        message: What the service said, in its words; may hold personal data.
        field_errors: What it said of each field, by the field's name on the wire.
        body: The answer as it came; may hold personal data.
        operation: What was asked, e.g. `"campaigns.get"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        request_id: The service's own id of the request, where it gave one.
    """

    def __init__(
        self,
        text: str = "",
        *,
        status: int = 0,
        message: str = "",
        field_errors: Mapping[str, tuple[str, ...]] | None = None,
        body: bytes = b"",
        operation: str = "",
        method: str = "",
        path: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.message = message
        self.field_errors: Mapping[str, tuple[str, ...]] = field_errors or {}
        self.body = body
        self.operation = operation
        self.method = method
        self.path = path
        self.request_id = request_id


class BadRequestError(ApiError):
    """The service did not accept the input: `field_errors` says which part."""


class AuthenticationError(ApiError):
    """The service does not know who is asking, or there is nothing left to sign in with."""


class PermissionDeniedError(ApiError):
    """The service knows who is asking, and does not allow it."""


class NotFoundError(ApiError):
    """No such thing, or it belongs to another account."""


class ConflictError(ApiError):
    """What was asked contradicts the state that the service is in."""


class RateLimitedError(ApiError):
    """Too many requests.

    `retry_after` is how long the service asked to wait, in seconds; None if it did not say, or not readably.
    """

    retry_after: float | None = None


class ServerError(ApiError):
    """The service failed.

    `retry_after` is how long the service asked to wait, in seconds; None if it did not say, or not readably.
    """

    retry_after: float | None = None


class DecodeError(TingTingError):
    """An answer came that cannot be read.

    Args:
        message: The whole text, ready to be shown.
        path: Where in the answer, e.g. `"result.campaign-lists[3].id"`; empty for the whole.
        problems: Every path that could not be read, with what is wrong there.
        excerpt: The start of the answer, with digits and tokens masked.
        body: The answer as it came; may hold personal data and tokens. Empty where it was not read to its end.
        status: The HTTP status.
        operation: What was asked, e.g. `"campaigns.list"`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        path: str = "",
        problems: tuple[tuple[str, str], ...] = (),
        excerpt: str = "",
        body: bytes = b"",
        status: int = 0,
        operation: str = "",
    ) -> None:
        super().__init__(message)
        self.path = path
        self.problems = problems
        self.excerpt = excerpt
        self.body = body
        self.status = status
        self.operation = operation


class PaginationError(TingTingError):
    """The pages of a list contradict each other, so that going on would loop, repeat or miss.

    Args:
        message: The whole text, ready to be shown.
        number: The page at which it showed, counted from 1.
    """

    def __init__(self, message: str = "", *, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class PartialFailureError(TingTingError):
    """An operation of several requests that came to an end half-way; its cause is the error that ended it.

    Args:
        message: The whole text, ready to be shown.
        result: What was carried out, as the operation would have returned it; None where that could not be read.
        unknown: The rows of the request that failed, counted from 0, if it may have been carried out; else empty.
        not_done: The rows that were surely not carried out.
    """

    def __init__(
        self, message: str = "", *, result: Any = None, unknown: range = range(0), not_done: range = range(0)
    ) -> None:
        super().__init__(message)
        self.result = result
        self.unknown = unknown
        self.not_done = not_done


class WaitTimeoutError(TingTingError, TimeoutError):
    """What was waited for did not happen in time.

    Args:
        message: The whole text, ready to be shown.
        last: What was seen last.
    """

    def __init__(self, message: str = "", *, last: Any = None) -> None:
        super().__init__(message)
        self.last = last
