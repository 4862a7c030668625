"""An asyncio client for TingTing, a service that places programmed voice calls and sends SMS.

`TingTing` here is the classic API's session; `tingting_async.v1` has the one of the v1 API.
"""

from typing import TYPE_CHECKING, Any

from tingting_async._version import __version__
from tingting_async.auth.tokens import MemoryTokenStore, Tokens, TokenStore
from tingting_async.client.retries import RetryPolicy
from tingting_async.client.session import Session
from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    DuplicateSendError,
    LedgerError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PaginationError,
    PartialFailureError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    TingTingError,
    TokenStoreError,
    TransportError,
    UsageError,
    WaitTimeoutError,
)
from tingting_async.http.messages import File
from tingting_async.http.timeouts import Timeout
from tingting_async.observability.events import (
    RequestEvent,
    RequestFailed,
    RequestRetried,
    RequestStarted,
    ResponseReceived,
)
from tingting_async.outcomes import Reconciliation, Verdict
from tingting_async.pagination.page import Page
from tingting_async.pagination.paginator import Paginator

if TYPE_CHECKING:
    from tingting_async.classic import (
        Campaign,
        Confirmation,
        Login,
        Number,
        NumberAdded,
        NumberStatus,
        Otp,
        OtpChannel,
        OtpSource,
        Outcome,
        PhoneNumber,
        Priority,
        RunStarted,
        Services,
        SpokenMessage,
        TingTing,
        TokenPair,
        User,
        Voice,
    )

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Campaign",
    "Confirmation",
    "ConflictError",
    "DecodeError",
    "DuplicateSendError",
    "File",
    "LedgerError",
    "Login",
    "MemoryTokenStore",
    "NotFoundError",
    "NotSentError",
    "Number",
    "NumberAdded",
    "NumberStatus",
    "Otp",
    "OtpChannel",
    "OtpSource",
    "Outcome",
    "OutcomeUnknownError",
    "Page",
    "PaginationError",
    "Paginator",
    "PartialFailureError",
    "PermissionDeniedError",
    "PhoneNumber",
    "Priority",
    "RateLimitedError",
    "Reconciliation",
    "RequestEvent",
    "RequestFailed",
    "RequestRetried",
    "RequestStarted",
    "ResponseReceived",
    "RetryPolicy",
    "RunStarted",
    "ServerError",
    "Services",
    "Session",
    "SessionClosedError",
    "SpokenMessage",
    "Timeout",
    "TingTing",
    "TingTingError",
    "TokenPair",
    "TokenStore",
    "TokenStoreError",
    "Tokens",
    "TransportError",
    "UsageError",
    "User",
    "Verdict",
    "Voice",
    "WaitTimeoutError",
    "__version__",
]

if not TYPE_CHECKING:  # A type checker would take every misspelt name for one that comes from here.

    def __getattr__(name: str) -> Any:
        """Import the classic API when it is first asked for: whoever uses the other one does not pay for it."""
        if name in __all__:
            from tingting_async import classic  # noqa: PLC0415

            found = globals()[name] = getattr(classic, name)
            return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
