"""The exceptions that this library raises.

::

    TingTingError
    ├── UsageError                 an argument or a call is wrong; nothing was sent (also a ValueError)
    │   ├── MisuseError            an object is used in a way it does not support (also a TypeError)
    │   └── GuardError             a guard of the session does not allow it; nothing was sent
    ├── SessionClosedError         the session is closed or belongs to another event loop
    ├── TokenStoreError            the token store failed; nothing was sent
    ├── LedgerError                the ledger failed; nothing was sent
    ├── DuplicateSendError         the ledger already has this send; nothing was sent now
    ├── TransportError             no usable response arrived
    │   ├── NotSentError           the request never left this machine; it is safe to retry
    │   └── OutcomeUnknownError    the request may have been carried out; reconcile before you retry
    ├── ApiError                   the service responded with a failure
    │   ├── BadRequestError        400, 422 or `success: false`
    │   ├── AuthenticationError    401, or a 403 about the token, or no credentials to sign in with
    │   ├── PermissionDeniedError  any other 403
    │   ├── NotFoundError          404
    │   ├── ConflictError          409
    │   ├── RateLimitedError       429
    │   └── ServerError            5xx
    ├── DecodeError                a response that cannot be decoded
    ├── PaginationError            the pages of a list contradict each other
    ├── PartialFailureError        an operation of several requests failed half-way
    └── WaitTimeoutError           the awaited state was not reached in time (also a TimeoutError)

Apart from `asyncio.CancelledError`, Python's own `TypeError` for a wrong argument list, and its `AttributeError` for a
name that an object does not have, operations raise nothing else. Objects that behave like collections also raise the
errors of collections, and no request is involved: `outcomes[99]` is a `LookupError`, and `Rows(range(5, 0, -1))` is a
`ValueError`. `InvalidNumberError`, a `UsageError` about a phone number, is in `recipients.problems`. Error messages
never contain passwords, tokens, one-time codes or full phone numbers. Attributes hold what the service sent, unmasked.

Errors are data: they can be copied and pickled. Only `reconcile()`, from `tingting_async.outcomes`, sends requests.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tingting_async.outcomes import Reconcilable, Reconciler, Send, attach_reconciler
from tingting_async.redaction import shorten
from tingting_async.rows import Rows

MAX_LENGTH = 2000
"""The maximum length of an error's text. It may quote an arbitrarily long text of a server or a caller."""


class TingTingError(Exception):
    """The base class of every exception that this library raises. Its text has at most 2,000 characters."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(shorten(each, MAX_LENGTH) if isinstance(each, str) else each for each in args))


class UsageError(TingTingError, ValueError):
    """An argument or a call is wrong, so nothing was sent.

    Raised before any request, if the service documents that it refuses the input, or if the input would not mean what
    it seems to say. Correct the call; the message names the argument.

    Args:
        message: The text of the error, safe to show.
        problems: For a call with many rows, each refused row and what is wrong with it: `("contacts[3]", "…")`.
    """

    def __init__(self, message: str = "", *, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class MisuseError(UsageError, TypeError):
    """An object is used in a way that it does not support, such as `await` on a paginator.

    Raised where Python itself would raise a `TypeError`. The message says what to write instead. Type checkers report
    the same mistake.
    """


class GuardError(UsageError):
    """A guard of the session does not allow the request, so nothing was sent; see `Guards`.

    Args:
        message: The text of the error, safe to show; it says by how much the limit is exceeded.
        guard: The guard: `"max_recipients"`, `"max_credits"`, `"quiet_hours"` or `"suppressed"`.
        limit: What the guard allows; None if `suppressed` cannot be read.
        actual: What the request would do: how many recipients, how many credits, when it would begin (a datetime in
            Nepal's time), or how many recipients are on the suppression list. None if that cannot be known, which is
            also a reason to refuse.
        operation: The operation, e.g. `"campaigns.run"`.
        problems: The rows of `suppressed` that cannot be read.
    """

    def __init__(
        self,
        message: str = "",
        *,
        guard: str = "",
        limit: Any = None,
        actual: Any = None,
        operation: str = "",
        problems: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, problems=problems)
        self.guard = guard
        self.limit = limit
        self.actual = actual
        self.operation = operation


class SessionClosedError(TingTingError):
    """The session is closed, or it was first used in another event loop. Open a new session."""


class TokenStoreError(TingTingError):
    """The token store failed, so nothing was sent. The store's own error is the `__cause__`."""


class LedgerError(TingTingError):
    """The ledger cannot be read or written, so nothing was sent. The ledger's own error is the `__cause__`."""


class DuplicateSendError(Reconcilable, TingTingError):
    """The ledger already has this send, so nothing was sent now.

    If `send.state` is `SendState.UNKNOWN`, call `reconcile()` to find out whether the first attempt was carried out.

    Args:
        message: The text of the error, safe to show.
        operation: The operation, e.g. `"campaigns.run"`.
        send: The ledger's record: the key, the state (done, in progress or unknown), and when the send started.
        is_other: Whether the ledger's send had other arguments, so that the key may belong to another send.
    """

    _usage_error = UsageError

    def __init__(
        self, message: str = "", *, operation: str = "", send: Send | None = None, is_other: bool = False
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.send = send
        self.is_other = is_other


class TransportError(TingTingError):
    """No usable response arrived.

    Raised as itself for requests that only read, which are safe to retry. For the others, the subclass says whether
    the request may have been carried out.

    Args:
        message: The text of the error, safe to show.
        operation: The operation, e.g. `"campaigns.get"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        phase: Where it failed: `"rate"` (waiting for the rate limit), `"pool"` (waiting for a free slot of
            `max_in_flight`), `"sign-in"` (signing in, or waiting for a task that does), `"connect"` (name look-up,
            TCP, TLS) or `"response"` (after the request was sent).
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
    """No byte of the request left this machine, so nothing happened. It is safe to retry."""


class OutcomeUnknownError(Reconcilable, TransportError):
    """The request may have been carried out, but no response confirms it.

    Do not repeat the request before you know: `await error.reconcile()` finds out, if the service shows evidence.

    Args:
        message: The text of the error, safe to show; it says how to find out.
        operation: The operation, e.g. `"campaigns.run"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        phase: As in `TransportError`.
        status: The HTTP status of an inconclusive response; None if no response arrived.
        reconciler: Finds out what happened; None if the service shows no evidence.
        send: The ledger's record, for its `mark_sent()` and `mark_not_sent()`; None without a ledger.
    """

    _usage_error = UsageError

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
        send: Send | None = None,
    ) -> None:
        super().__init__(message, operation=operation, method=method, path=path, phase=phase)
        self.status = status
        self.send = send
        attach_reconciler(self, reconciler)


class ApiError(TingTingError):
    """The service responded with a failure. The subclass says which kind.

    Args:
        text: The text of the error, safe to show.
        status: The HTTP status, or the status in the envelope of an HTTP 200; 0 if no request was sent.
        message: The service's own message, verbatim; may contain personal data.
        field_errors: The service's messages about each field, by the field's wire name.
        body: The raw response body; may contain personal data.
        operation: The operation, e.g. `"campaigns.get"`.
        method: The HTTP method.
        path: The path on the service, without its query.
        request_id: The service's own id of the request; None if it gave none.
        is_refusal: Whether the service itself refused the request, so that it did nothing. For a request that creates,
            sends or revokes, any other failure is an `OutcomeUnknownError`: a gateway may have written it, after the
            service acted.
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
        is_refusal: bool = False,
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
        self.is_refusal = is_refusal


class BadRequestError(ApiError):
    """The service refused the input. Correct the fields that `field_errors` names."""


class AuthenticationError(ApiError):
    """The service does not accept the token or credentials, or the session has none left to sign in with."""


class PermissionDeniedError(ApiError):
    """The account is not allowed to do this."""


class NotFoundError(ApiError):
    """The object does not exist, or it belongs to another account."""


class ConflictError(ApiError):
    """The request contradicts the current state of the object. Read the object, then decide."""


class RateLimitedError(ApiError):
    """The service received too many requests. Wait, then retry.

    Attributes:
        retry_after: How many seconds to wait, according to the service; None without a valid value.
    """

    retry_after: float | None = None


class ServerError(ApiError):
    """The service itself failed. Retry later.

    Attributes:
        retry_after: How many seconds to wait, according to the service; None without a valid value.
    """

    retry_after: float | None = None


class DecodeError(TingTingError):
    """A response arrived that cannot be decoded. Please report it, with `path` and `excerpt`.

    Args:
        message: The text of the error, safe to show.
        path: The place in the response, e.g. `"result.campaign-lists[3].id"`; empty for the whole response.
        problems: The paths that could not be decoded, and what is wrong there; for each list, the first 100 items.
        excerpt: The start of the response, with digits and tokens masked.
        body: The raw response body; may contain personal data and tokens. Empty if it was not read to its end.
        status: The HTTP status.
        operation: The operation, e.g. `"campaigns.list"`.
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
    """The pages of a list contradict each other, so that continuing would loop, repeat items or miss some.

    An exact iteration raises it if it is not proven that no item is missing.

    Args:
        message: The text of the error, safe to show.
        number: The number of the page that shows the contradiction, from 1.
        items: The items that were read before, if `collect()` raises the error; `async for` has delivered them.
    """

    def __init__(self, message: str = "", *, number: int = 0, items: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.number = number
        self.items = items


class PartialFailureError(TingTingError):
    """An operation of several requests failed half-way. The error that stopped it is the `__cause__`.

    Repeat the operation with the rows in `not_done` only. Look up the rows in `unknown` first.

    Args:
        message: The text of the error, safe to show.
        result: What was carried out, as the operation would have returned it; None if it could not be decoded.
        unknown: The rows whose request failed after it may have been carried out; empty if there are none. Rows count
            from 0, or as the file of a `RecipientList` shows them.
        not_done: The rows that were certainly not carried out, counted in the same way.
        failures: The requests that failed: the rows of each, and its error.
    """

    def __init__(
        self,
        message: str = "",
        *,
        result: Any = None,
        unknown: Rows | range = range(0),
        not_done: Rows | range = range(0),
        failures: tuple[tuple[Rows, TingTingError], ...] = (),
    ) -> None:
        super().__init__(message)
        self.result = result
        self.unknown: Rows = unknown if isinstance(unknown, Rows) else Rows(unknown)
        self.not_done: Rows = not_done if isinstance(not_done, Rows) else Rows(not_done)
        self.failures = failures

    @classmethod
    def behind(cls, error: BaseException) -> "PartialFailureError | None":
        """Return the error, or the one of its causes, that is a `PartialFailureError`; None if there is none.

        A cancelled operation ends with a `CancelledError`, or with the `TimeoutError` of `asyncio.timeout`. The
        `PartialFailureError`, which says what the operation has done, is a cause of that error.
        """
        seen: list[BaseException | None] = [None]
        found: BaseException | None = error
        while not isinstance(found, cls) and found not in seen:
            seen.append(found)
            found = None if found is None else found.__cause__ or found.__context__
        return found if isinstance(found, cls) else None


class WaitTimeoutError(TingTingError, TimeoutError):
    """The awaited state was not reached in time. The work may still continue; waiting again is safe.

    Args:
        message: The text of the error, safe to show.
        last: The last state that was seen.
    """

    def __init__(self, message: str = "", *, last: Any = None) -> None:
        super().__init__(message)
        self.last = last
