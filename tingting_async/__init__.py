"""An asyncio client for TingTing, a service that places programmed voice calls and sends SMS.

`TingTing` here is the classic API's session; `tingting_async.v1` has the one of the v1 API.
"""

from tingting_async._version import __version__
from tingting_async.auth import MemoryTokenStore, Tokens, TokenStore
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
from tingting_async.conventions import Page
from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PaginationError,
    PartlyDoneError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    StillRunningError,
    TingTingError,
    TokenStoreError,
    TransportError,
    UsageError,
)
from tingting_async.findings import Finding, Verdict
from tingting_async.pagination import Paginator
from tingting_async.policy import Retries
from tingting_async.session import Session
from tingting_async.timeouts import Timeout
from tingting_async.wire import File

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Campaign",
    "Confirmation",
    "ConflictError",
    "DecodeError",
    "File",
    "Finding",
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
    "PartlyDoneError",
    "PermissionDeniedError",
    "PhoneNumber",
    "Priority",
    "RateLimitedError",
    "Retries",
    "RunStarted",
    "ServerError",
    "Services",
    "Session",
    "SessionClosedError",
    "SpokenMessage",
    "StillRunningError",
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
    "__version__",
]
