"""What may be repeated, when, and what is to be said of a request whose outcome nobody knows."""

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.decoding import envelopes
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

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

_REPEATABLE = frozenset({Effect.READ, Effect.UPDATE})


@attrs.frozen
class RetryPolicy:
    """How failures are repeated, where the operation allows it; all times in seconds.

    Pauses are drawn at random between zero and a limit that doubles from `initial_backoff` up to `max_backoff` ("full
    jitter"), so that many tasks on a failing server do not come back together.
    """

    attempts: int = 4
    """At most this many in all; 1 repeats nothing."""
    initial_backoff: float = 0.25
    """The limit of the first pause; 0 does not wait, for tests."""
    max_backoff: float = 8.0
    max_retry_after: float = 60.0
    """A service that asks to wait longer than this is not waited for: its error is raised at once."""
    budget: int = 20
    """So many repeats may the whole session make at a stretch; every five requests that succeed allow one more."""

    @classmethod
    def of(cls, value: "RetryPolicy | int") -> "RetryPolicy":
        """Read a number as the attempts.

        Raises:
            UsageError: It is neither.
        """
        if isinstance(value, bool) or not isinstance(value, RetryPolicy | int):
            raise UsageError(f"`retries` has to be a RetryPolicy or a number of attempts, not {type(value).__name__}.")
        return value if isinstance(value, RetryPolicy) else cls(attempts=value)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.attempts < 1 or min(self.initial_backoff, self.max_backoff, self.max_retry_after, self.budget) < 0:
            raise UsageError("`retries`: there is at least 1 attempt, and nothing is below 0.")


class RetryBudget:
    """Repeats left to a session, so that many tasks on a dead server do not multiply its load."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = float(limit)

    def earn(self) -> None:
        """Note a request that succeeded."""
        if self._left < self._limit:
            self._left = min(self._limit, self._left + 0.2)

    def spend(self) -> bool:
        """Take one repeat, if there is one left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def is_retryable(effect: Effect, failure: TingTingError) -> bool:
    """Tell whether an operation of this effect may be done again after this failure."""
    if effect is Effect.REVOKE:
        return False
    if isinstance(failure, NotSentError):
        return True
    if isinstance(failure, RateLimitedError):
        # Only an answer that asks to come back says that nothing was done.
        return effect in _REPEATABLE or failure.retry_after is not None
    if isinstance(failure, TransportError):
        return effect in _REPEATABLE and not isinstance(failure, OutcomeUnknownError)
    return isinstance(failure, ServerError) and effect in _REPEATABLE


def leaves_outcome_unknown(failure: TingTingError) -> bool:
    """Tell whether, after this failure, the service may have done what was asked.

    A 503 is a plain refusal where the service itself says it: with `Retry-After`, or in JSON. One of a gateway, and any
    other 5xx, can come after the deed; so can the answers that tell of a time-out (408, 499), a redirect that asks for
    the result elsewhere (any but 301, 307 and 308), and what no such request is answered with.
    """
    if isinstance(failure, TransportError):
        return not isinstance(failure, NotSentError)
    if isinstance(failure, ServerError):
        is_plain = failure.retry_after is not None or failure.body.lstrip().startswith(b"{")
        return failure.status != 503 or not is_plain
    if isinstance(failure, ApiError):
        status = failure.status
        if 200 <= status < 300:  # `{"message": "Campaign Began", "errors": [...]}` may be half a success.
            return envelopes.is_mixed(failure.body)
        if 300 <= status < 400:
            return status not in (301, 307, 308)
        return status in (408, 499) or 0 < status < 200 or status >= 600
    return isinstance(failure, DecodeError)


def is_inconclusive(failure: TingTingError) -> bool:
    """Tell whether this failure says nothing of what became of an earlier attempt of the same request."""
    return leaves_outcome_unknown(failure) or isinstance(
        failure, NotSentError | SessionClosedError | AuthenticationError | RateLimitedError | ServerError
    )


def may_follow_own_success(request: Request[Any], refusal: TingTingError) -> bool:
    """Tell whether a refusal of a repeat may be because an earlier attempt did it: what is stopped cannot be stopped.

    Bad input (PUT, PATCH) is as bad the first time.
    """
    return request.effect is Effect.UPDATE and request.method in ("POST", "DELETE") and isinstance(refusal, ApiError)


def final_error(request: Request[Any], failure: TingTingError) -> TingTingError:
    """Return the error to raise once nothing is repeated any more."""
    if isinstance(failure, OutcomeUnknownError) or request.effect is Effect.READ or not leaves_outcome_unknown(failure):
        return failure
    if request.effect is Effect.UPDATE and not isinstance(failure, TransportError):
        return failure
    find_out = f" To find out, {request.recovery_hint}." if request.recovery_hint else ""
    if request.reconciler is not None:
        find_out += " This error's `reconcile()` does that."
    once = "" if request.effect is Effect.UPDATE else ", so it was not repeated"
    what = str(failure).removeprefix(f"{request.operation}: ")
    if isinstance(failure, ApiError):  # Its advice is for those who can try again.
        what = f"{request.method} {request.path} was answered with {failure.status}."
    return OutcomeUnknownError(
        f"{request.operation}: it is not known whether it happened{once}. {what}{find_out}",
        operation=request.operation,
        method=request.method,
        path=request.path,
        phase=getattr(failure, "phase", "response"),
        status=getattr(failure, "status", None),
        reconciler=request.reconciler,
    )


def retrying(request: Request[Any], retries: RetryPolicy, budget: RetryBudget, *, deadline: float) -> "AsyncRetrying":
    """Return the iterator over the attempts that a failed request is still allowed.

    Args:
        request: What failed.
        retries: How to repeat.
        budget: What the session has left.
        deadline: When the whole call ends, by the loop's clock: no pause reaches beyond it.
    """
    # Imported on the first failure: most sessions never need it, and its import costs a tenth of aiohttp's.
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential  # noqa: PLC0415

    jitter = wait_random_exponential(multiplier=retries.initial_backoff, max=retries.max_backoff)

    def asked(failure: BaseException | None) -> float:
        return getattr(failure, "retry_after", None) or 0.0

    def again(failure: BaseException) -> bool:
        return (
            isinstance(failure, TingTingError)
            and is_retryable(request.effect, failure)
            and asked(failure) <= retries.max_retry_after
        )

    def wait(state: RetryCallState) -> float:
        assert state.outcome is not None
        return max(jitter(state), asked(state.outcome.exception()))

    def stop(state: RetryCallState) -> bool:
        late = asyncio.get_running_loop().time() + state.upcoming_sleep >= deadline
        # The budget last: only a repeat that is made is paid for.
        return late or state.attempt_number >= retries.attempts or not budget.spend()

    return AsyncRetrying(retry=retry_if_exception(again), wait=wait, stop=stop, sleep=asyncio.sleep, reraise=True)
