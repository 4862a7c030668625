"""Which failed requests are retried, and when; and the error of a request whose outcome is unknown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    DecodeError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    TingTingError,
    TransportError,
    UsageError,
)
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import HOW_TO_RECORD, NEW_KEY
from tingting_async.quantities import SECONDS_FROM_0, is_count, is_seconds, shown
from tingting_async.redaction import as_sentence

if TYPE_CHECKING:
    from tenacity import AsyncRetrying


@attrs.frozen
class RetryPolicy:
    """How failed requests are retried, if the operation allows it; all times are in seconds.

    Each backoff is a random time between zero and a limit that doubles from `initial_backoff` up to `max_backoff`
    ("full jitter"), so that many tasks on a failing server do not retry at the same moment.

    Attributes:
        attempts: The maximum number of attempts of a call; 1 means no retry.
        initial_backoff: The limit of the first backoff; 0 retries at once, for tests.
        max_backoff: The maximum of that limit.
        max_retry_after: The longest `Retry-After` that is waited for; with a longer one, the error is raised at once.
        budget: How many retries all calls of a session may make in a row; five successful requests earn one more.
    """

    attempts: int = 4
    initial_backoff: float = 0.25
    max_backoff: float = 8.0
    max_retry_after: float = 60.0
    budget: int = 20

    @classmethod
    def of(cls, value: "RetryPolicy | int") -> "RetryPolicy":
        """Convert a number of attempts to a policy.

        Raises:
            UsageError: The value is neither a policy nor a valid number of attempts.
        """
        if isinstance(value, bool) or not isinstance(value, RetryPolicy | int):
            raise UsageError(f"`retries` must be a RetryPolicy or a number of attempts, not {type(value).__name__}.")
        return value if isinstance(value, RetryPolicy) else cls(attempts=value)

    def __attrs_post_init__(self) -> None:
        """Refuse values that make no sense."""
        for name, least in (("attempts", 1), ("budget", 0)):
            if not is_count(count := getattr(self, name), least=least):
                raise UsageError(f"`retries`: `{name}` must be at least {least}, an integer, not {shown(count)}.")
        for name in ("initial_backoff", "max_backoff", "max_retry_after"):
            if not is_seconds(seconds := getattr(self, name), zero=True, endless=name == "max_retry_after"):
                raise UsageError(f"`retries`: `{name}` must be {SECONDS_FROM_0}, not {shown(seconds)}.")


class RetryBudget:
    """The retries that a session has left, so that many tasks on a dead server do not multiply its load."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = float(limit)

    def earn(self) -> None:
        """Record a successful request."""
        if self._left < self._limit:
            self._left = min(self._limit, self._left + 0.2)

    def spend(self) -> bool:
        """Use up one retry; return whether one was left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def is_retryable(effect: Effect, failure: TingTingError) -> bool:
    """Return whether a request of this effect may be retried after this failure."""
    if effect is Effect.REVOKE:
        return False
    if isinstance(failure, NotSentError):
        # If a rate limit has no room in time, it has none a moment later. If it failed, it was already called several
        # times.
        return failure.phase != "rate"
    if effect.is_idempotent:
        is_temporary = isinstance(failure, ServerError | RateLimitedError | TransportError) or (
            isinstance(failure, ApiError) and failure.status in (408, 425)
        )
        return is_temporary and not isinstance(failure, OutcomeUnknownError)
    # The service did nothing, and says when to try again.
    return isinstance(failure, RateLimitedError) and failure.is_refusal and failure.retry_after is not None


def leaves_outcome_unknown(failure: TingTingError) -> bool:
    """Return whether the service may have carried out the request despite this failure."""
    if isinstance(failure, ApiError):
        return not failure.is_refusal
    if isinstance(failure, TransportError):
        return not isinstance(failure, NotSentError)
    return isinstance(failure, DecodeError)


def is_inconclusive(failure: TingTingError) -> bool:
    """Return whether this failure leaves open whether an earlier attempt was carried out."""
    return leaves_outcome_unknown(failure) or isinstance(
        failure, NotSentError | SessionClosedError | AuthenticationError | RateLimitedError | ServerError
    )


def may_follow_own_success(request: Request[Any], refusal: TingTingError) -> bool:
    """Return whether a retry may have been refused because an earlier attempt succeeded.

    For example, a campaign that is stopped cannot be stopped again. Bad input (PUT, PATCH) would have been refused the
    first time, too.
    """
    return request.method in ("POST", "DELETE") and isinstance(refusal, ApiError)


def final_error(request: Request[Any], failure: TingTingError) -> TingTingError:
    """Return the error to raise when the request is not retried any more."""
    if isinstance(failure, OutcomeUnknownError) or request.effect.is_safe or not leaves_outcome_unknown(failure):
        return failure
    if request.effect is Effect.UPDATE and not isinstance(failure, TransportError):
        return failure
    hint = request.advice
    if request.reconciler is not None:
        hint += " This error's `reconcile()` does that."
    elif request.effect is Effect.SEND and request.without_effect is not None:  # A ledger has the send.
        hint += f" {HOW_TO_RECORD}" + (f" {NEW_KEY}" if request.idempotency_key is not None else "")
    not_retried = "" if request.effect is Effect.UPDATE else ", so it was not retried"
    what = as_sentence(str(failure).removeprefix(f"{request.operation}: "))
    if isinstance(failure, ApiError):  # The advice in its text is for requests that may be sent again.
        what = f"The response to {request.method} {request.path} had status {failure.status}"
        what += ", and a gateway may have written it." if 400 <= failure.status < 500 else "."
        if 300 <= failure.status < 400:
            what += (
                " It names another address, which only reads follow: check `base_url` (`https`, the host, the path)."
            )
    return OutcomeUnknownError(
        f"{request.operation}: it is unknown whether this happened{not_retried}. {what}{hint}",
        operation=request.operation,
        method=request.method,
        path=request.path,
        phase=getattr(failure, "phase", "response"),
        status=getattr(failure, "status", None),
        reconciler=request.reconciler_or_advice,
    )


def retrying(
    request: Request[Any],
    retries: RetryPolicy,
    budget: RetryBudget,
    *,
    deadline: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> "AsyncRetrying":
    """Return an iterator over the attempts that remain for a failed request.

    Args:
        request: The failed request.
        retries: The retry policy.
        budget: The retries that the session has left.
        deadline: When the whole call ends, by the loop's clock; no backoff goes beyond it.
        sleep: Waits for a number of seconds between two attempts.
    """
    # Imported on the first failure: most sessions never need it, and importing it costs a tenth of importing aiohttp.
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential  # noqa: PLC0415

    jitter = wait_random_exponential(multiplier=retries.initial_backoff, max=retries.max_backoff)

    def retry_after(failure: BaseException | None) -> float:
        return getattr(failure, "retry_after", None) or 0.0

    def may_retry(failure: BaseException) -> bool:
        return (
            isinstance(failure, TingTingError)
            and is_retryable(request.effect, failure)
            and retry_after(failure) <= retries.max_retry_after
        )

    def wait(state: RetryCallState) -> float:
        assert state.outcome is not None
        return max(jitter(state), retry_after(state.outcome.exception()))

    def stop(state: RetryCallState) -> bool:
        is_past_deadline = asyncio.get_running_loop().time() + state.upcoming_sleep >= deadline
        # The budget comes last, so that only a retry that takes place uses it up.
        return is_past_deadline or state.attempt_number >= retries.attempts or not budget.spend()

    return AsyncRetrying(retry=retry_if_exception(may_retry), wait=wait, stop=stop, sleep=sleep, reraise=True)
