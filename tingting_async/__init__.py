"""An asyncio client for TingTing, a service in Nepal that places automated voice calls and sends SMS.

`TingTing` of this module is the session of the classic API; `tingting_async.v1` has the session of the v1 API, which
new accounts use. Everything else that both need is here: errors, settings, events, ledgers and token stores.
"""

from typing import TYPE_CHECKING

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
    GuardError,
    LedgerError,
    MisuseError,
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
from tingting_async.http.messages import Effect, File
from tingting_async.http.timeouts import Timeout
from tingting_async.late_imports import late_names as _late_names
from tingting_async.outcomes import Reconciliation, Send, SendState, Verdict
from tingting_async.rows import Rows

if TYPE_CHECKING:
    from tingting_async.auth.stores.file import FileTokenStore
    from tingting_async.auth.stores.postgres import PostgresTokenStore
    from tingting_async.auth.stores.redis import RedisTokenStore
    from tingting_async.classic import (
        AddProgress,
        Campaign,
        CampaignResult,
        Confirmation,
        Login,
        NewContact,
        Number,
        NumberAdded,
        NumbersAdded,
        NumberStatus,
        Otp,
        OtpChannel,
        OtpSource,
        Outcome,
        PhoneNumber,
        Priority,
        RowOutcome,
        RowOutcomes,
        RowStatus,
        RunStarted,
        Services,
        SpokenMessage,
        TingTing,
        TokenPair,
        User,
        Voice,
    )
    from tingting_async.client.guards import Guards, Prices
    from tingting_async.http.rate_limits.postgres import PostgresRateLimit
    from tingting_async.http.rate_limits.queue import RateLimit
    from tingting_async.http.rate_limits.redis import RedisRateLimit
    from tingting_async.jobs.campaign_job import CampaignJob
    from tingting_async.jobs.job_result import JobOutcome, JobResult, JobRow, JobSummary
    from tingting_async.jobs.preview import JobPreview, PreviewRow
    from tingting_async.jobs.steps import JobProgress, JobStep
    from tingting_async.ledger.ensure_sent import ensure_sent
    from tingting_async.ledger.ledger import Ledger
    from tingting_async.ledger.postgres import PostgresLedger
    from tingting_async.ledger.sqlite import SqliteLedger
    from tingting_async.observability.events import (
        Listener,
        RequestEvent,
        RequestFailed,
        RequestRetried,
        RequestStarted,
        ResponseReceived,
    )
    from tingting_async.observability.opentelemetry import OpenTelemetryListener
    from tingting_async.pagination.exact import ExactIterator
    from tingting_async.pagination.iterators import ItemIterator, PageIterator
    from tingting_async.pagination.page import Page
    from tingting_async.pagination.paginator import Paginator
    from tingting_async.pagination.stream import RowStream
    from tingting_async.recipients.legacy_fonts import is_legacy_font
    from tingting_async.recipients.numbers import NepaliNumber, NumberKind, parse_number
    from tingting_async.recipients.problems import InvalidNumberError, NumberProblem, RowProblem, RowProblemKind
    from tingting_async.recipients.recipient_list import ListSummary, Recipient, RecipientList
    from tingting_async.recipients.records import as_record
    from tingting_async.recipients.rejects import InputRow
    from tingting_async.recipients.tables import write_table
    from tingting_async.recipients.texts import SmsEncoding, SmsParts, sms_parts, speakable
    from tingting_async.resources.arguments import UNCHANGED, FileLike, Unchanged
    from tingting_async.resources.base import Resource, TimeoutLike

__all__ = [
    "UNCHANGED",
    "AddProgress",
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Campaign",
    "CampaignJob",
    "CampaignResult",
    "Confirmation",
    "ConflictError",
    "DecodeError",
    "DuplicateSendError",
    "Effect",
    "ExactIterator",
    "File",
    "FileLike",
    "FileTokenStore",
    "GuardError",
    "Guards",
    "InputRow",
    "InvalidNumberError",
    "ItemIterator",
    "JobOutcome",
    "JobPreview",
    "JobProgress",
    "JobResult",
    "JobRow",
    "JobStep",
    "JobSummary",
    "Ledger",
    "LedgerError",
    "ListSummary",
    "Listener",
    "Login",
    "MemoryTokenStore",
    "MisuseError",
    "NepaliNumber",
    "NewContact",
    "NotFoundError",
    "NotSentError",
    "Number",
    "NumberAdded",
    "NumberKind",
    "NumberProblem",
    "NumberStatus",
    "NumbersAdded",
    "OpenTelemetryListener",
    "Otp",
    "OtpChannel",
    "OtpSource",
    "Outcome",
    "OutcomeUnknownError",
    "Page",
    "PageIterator",
    "PaginationError",
    "Paginator",
    "PartialFailureError",
    "PermissionDeniedError",
    "PhoneNumber",
    "PostgresLedger",
    "PostgresRateLimit",
    "PostgresTokenStore",
    "PreviewRow",
    "Prices",
    "Priority",
    "RateLimit",
    "RateLimitedError",
    "Recipient",
    "RecipientList",
    "Reconciliation",
    "RedisRateLimit",
    "RedisTokenStore",
    "RequestEvent",
    "RequestFailed",
    "RequestRetried",
    "RequestStarted",
    "Resource",
    "ResponseReceived",
    "RetryPolicy",
    "RowOutcome",
    "RowOutcomes",
    "RowProblem",
    "RowProblemKind",
    "RowStatus",
    "RowStream",
    "Rows",
    "RunStarted",
    "Send",
    "SendState",
    "ServerError",
    "Services",
    "Session",
    "SessionClosedError",
    "SmsEncoding",
    "SmsParts",
    "SpokenMessage",
    "SqliteLedger",
    "Timeout",
    "TimeoutLike",
    "TingTing",
    "TingTingError",
    "TokenPair",
    "TokenStore",
    "TokenStoreError",
    "Tokens",
    "TransportError",
    "Unchanged",
    "UsageError",
    "User",
    "Verdict",
    "Voice",
    "WaitTimeoutError",
    "__version__",
    "as_record",
    "ensure_sent",
    "is_legacy_font",
    "parse_number",
    "sms_parts",
    "speakable",
    "write_table",
]

if not TYPE_CHECKING:  # With `__getattr__`, a type checker would accept every misspelt name.
    # Few programs need all of them, and some need an extra.
    _LATE = {
        "auth.stores.file": "FileTokenStore",
        "auth.stores.postgres": "PostgresTokenStore",
        "auth.stores.redis": "RedisTokenStore",
        "classic": "AddProgress Campaign CampaignResult Confirmation Login NewContact Number NumberAdded NumbersAdded "
        "NumberStatus Otp OtpChannel OtpSource Outcome PhoneNumber Priority RowOutcome RowOutcomes RowStatus "
        "RunStarted Services SpokenMessage TingTing TokenPair User Voice",
        "client.guards": "Guards Prices",
        "http.rate_limits.postgres": "PostgresRateLimit",
        "http.rate_limits.queue": "RateLimit",
        "http.rate_limits.redis": "RedisRateLimit",
        "jobs.campaign_job": "CampaignJob",
        "jobs.job_result": "JobOutcome JobResult JobRow JobSummary",
        "jobs.preview": "JobPreview PreviewRow",
        "jobs.steps": "JobProgress JobStep",
        "ledger.ensure_sent": "ensure_sent",
        "ledger.ledger": "Ledger",
        "ledger.postgres": "PostgresLedger",
        "ledger.sqlite": "SqliteLedger",
        "observability.events": "Listener RequestEvent RequestFailed RequestRetried RequestStarted ResponseReceived",
        "observability.opentelemetry": "OpenTelemetryListener",
        "pagination.exact": "ExactIterator",
        "pagination.iterators": "ItemIterator PageIterator",
        "pagination.page": "Page",
        "pagination.paginator": "Paginator",
        "pagination.stream": "RowStream",
        "recipients.legacy_fonts": "is_legacy_font",
        "recipients.numbers": "NepaliNumber NumberKind parse_number",
        "recipients.problems": "InvalidNumberError NumberProblem RowProblem RowProblemKind",
        "recipients.recipient_list": "ListSummary Recipient RecipientList",
        "recipients.records": "as_record",
        "recipients.rejects": "InputRow",
        "recipients.tables": "write_table",
        "recipients.texts": "sms_parts SmsEncoding SmsParts speakable",
        "resources.arguments": "FileLike UNCHANGED Unchanged",
        "resources.base": "Resource TimeoutLike",
    }
    __getattr__, __dir__ = _late_names(globals(), _LATE)
