"""Which failures are retried, and when; and the error of a request whose outcome is unknown."""

import asyncio
import itertools
from typing import Any

import pytest
from tenacity import RetryCallState

from tingting_async import errors
from tingting_async.client.retries import RetryBudget, RetryPolicy, final_error, is_retryable, retrying
from tingting_async.http.messages import Effect, Request

READ, UPDATE, CREATE, SEND, REVOKE = Effect.READ, Effect.UPDATE, Effect.CREATE, Effect.SEND, Effect.REVOKE
ALL_BUT_REVOKE = {READ, UPDATE, CREATE, SEND}
IDEMPOTENT = {READ, UPDATE}


def limited(retry_after: float | None, *, is_refusal: bool = True) -> errors.RateLimitedError:
    """Return the error of a 429."""
    error = errors.RateLimitedError("slow down", status=429, is_refusal=is_refusal)
    error.retry_after = retry_after
    return error


def failed(status: int, retry_after: float | None = None, body: bytes = b"") -> errors.ServerError:
    """Return the error of a 5xx."""
    error = errors.ServerError("failed", status=status, body=body)
    error.retry_after = retry_after
    return error


def request(effect: Effect, **options: Any) -> Request[Any]:
    """Return a request with an effect."""
    return Request("POST", "/api/things/", effect, "things.do", dict, **options)


LOST = errors.TransportError("lost", phase="response")

# The failure; the effects that are retried after it; the effects whose outcome is then unknown.
TABLE = [
    pytest.param(errors.NotSentError("off", phase="connect"), ALL_BUT_REVOKE, set(), id="never sent"),
    pytest.param(errors.NotSentError("late", phase="rate"), set(), set(), id="rate limit"),
    pytest.param(LOST, IDEMPOTENT, {UPDATE, CREATE, SEND, REVOKE}, id="lost"),
    pytest.param(errors.DecodeError("html"), set(), {CREATE, SEND, REVOKE}, id="unreadable"),
    pytest.param(failed(500), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="500"),
    pytest.param(failed(502), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="502"),
    pytest.param(failed(504), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="504"),
    pytest.param(failed(503), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="503"),
    pytest.param(failed(503, 1.0), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="503 with Retry-After"),
    pytest.param(failed(503, body=b'{"detail": "closed"}'), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="503 in JSON"),
    pytest.param(limited(None), IDEMPOTENT, set(), id="429"),
    pytest.param(limited(0.0), ALL_BUT_REVOKE, set(), id="429 with Retry-After: 0"),
    pytest.param(limited(5.0), ALL_BUT_REVOKE, set(), id="429 with Retry-After: 5"),
    pytest.param(limited(0.0, is_refusal=False), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="429 of a gateway"),
    pytest.param(errors.ApiError("late", status=408), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="408"),
    pytest.param(errors.ApiError("early", status=425), IDEMPOTENT, {CREATE, SEND, REVOKE}, id="425"),
    pytest.param(errors.ApiError("early", status=425, is_refusal=True), IDEMPOTENT, set(), id="425, refused"),
    pytest.param(errors.ApiError("odd", status=103), set(), {CREATE, SEND, REVOKE}, id="103"),
    pytest.param(errors.BadRequestError("no", status=400, is_refusal=True), set(), set(), id="refused"),
    pytest.param(errors.BadRequestError("no", status=400), set(), {CREATE, SEND, REVOKE}, id="400 of a gateway"),
    pytest.param(errors.AuthenticationError("no", status=401, is_refusal=True), set(), set(), id="401, refused"),
    pytest.param(errors.AuthenticationError("no", status=401), set(), {CREATE, SEND, REVOKE}, id="401 of a gateway"),
    pytest.param(errors.ApiError("odd", status=600), set(), {CREATE, SEND, REVOKE}, id="600"),
    pytest.param(errors.UsageError("no"), set(), set(), id="refused here"),
    pytest.param(errors.SessionClosedError("no"), set(), set(), id="closed"),
    pytest.param(errors.PaginationError("no"), set(), set(), id="pages"),
]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(("failure", "retried", "unknown"), TABLE)
def test_table(failure: errors.TingTingError, retried: set[Effect], unknown: set[Effect], effect: Effect) -> None:
    """For each failure and effect, the table says whether it is retried, and whether the outcome is then unknown."""
    assert (effect in retried) == is_retryable(effect, failure)
    final = final_error(request(effect, recovery_hint="look"), failure)
    if effect in unknown:
        assert isinstance(final, errors.OutcomeUnknownError)
        assert ("things.do", "POST", "/api/things/") == (final.operation, final.method, final.path)
        assert getattr(failure, "status", None) == final.status
        assert str(final).endswith(" To find out, look.")
    else:
        assert final is failure


@pytest.mark.parametrize("effect", Effect)
def test_unknown_outcome_stays(effect: Effect) -> None:
    """An OutcomeUnknownError stays as it is, and is never retried."""
    failure = errors.OutcomeUnknownError("lost")
    assert final_error(request(effect), failure) is failure
    assert not is_retryable(effect, failure)


def test_unknown_outcome_says_how_to_find_out() -> None:
    """The error of an unknown outcome names the operation, the failure, and how to find out."""
    final = final_error(request(SEND, recovery_hint="look at the list"), failed(504))
    assert isinstance(final, errors.OutcomeUnknownError)
    assert (final.operation, final.method, final.path) == ("things.do", "POST", "/api/things/")
    assert (final.phase, final.status) == ("response", 504)
    assert str(final).startswith(
        "things.do: it is unknown whether this happened, so it was not retried. The response to POST"
    )
    assert str(final).endswith(" To find out, look at the list.")
    assert "find out" not in str(final_error(request(SEND), failed(504)))
    lost = final_error(request(SEND), LOST)
    assert isinstance(lost, errors.OutcomeUnknownError)
    assert (lost.phase, lost.status) == ("response", None)


def test_budget() -> None:
    """A budget allows a number of retries, and one more for every five successes, up to its limit."""
    budget = RetryBudget(2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(4):
        budget.earn()
    assert not budget.spend()
    for _ in range(2):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    assert not RetryBudget(0).spend()


async def attempts(
    failures: list[Exception] | Exception,
    *,
    effect: Effect = READ,
    retries: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    within: float = 1000.0,
) -> tuple[int, Any]:
    """Make attempts with these failures; return how many there were, and the error of the last."""
    each = itertools.repeat(failures) if isinstance(failures, Exception) else iter(failures)
    deadline = asyncio.get_running_loop().time() + within
    made = 0
    try:
        async for attempt in retrying(
            request(effect), retries or RetryPolicy(initial_backoff=0), budget or RetryBudget(20), deadline=deadline
        ):
            with attempt:
                made += 1
                for failure in itertools.islice(each, 1):
                    raise failure
    except (errors.TingTingError, KeyError) as error:
        return made, error
    return made, None


@pytest.mark.anyio
async def test_attempts() -> None:
    """A request is retried until it succeeds or the attempts are used up; then its own error is raised."""
    assert await attempts([LOST, LOST]) == (3, None)
    assert await attempts(LOST) == (4, LOST)
    assert await attempts(LOST, retries=RetryPolicy(attempts=1)) == (1, LOST)
    assert await attempts(LOST, retries=RetryPolicy(attempts=7, initial_backoff=0)) == (7, LOST)


@pytest.mark.anyio
async def test_what_is_not_retried() -> None:
    """A failure that must not be retried is raised at once, also after failures that were retried."""
    assert await attempts(LOST, effect=SEND) == (1, LOST)
    no = errors.NotFoundError("no", status=404)
    assert await attempts([LOST, no]) == (2, no)
    bug = KeyError("a bug")
    assert await attempts([bug]) == (1, bug)


@pytest.mark.anyio
async def test_budget_is_spent_on_retries() -> None:
    """Only retries that take place use up the budget, and none takes place without it."""
    budget = RetryBudget(5)
    assert await attempts(LOST, budget=budget) == (4, LOST)
    assert await attempts(LOST, budget=budget) == (3, LOST)
    assert await attempts(LOST, budget=budget) == (1, LOST)
    unused = RetryBudget(1)
    await attempts(LOST, budget=unused, retries=RetryPolicy(attempts=1))
    await attempts(LOST, budget=unused, effect=SEND)
    await attempts(limited(3600), budget=unused)
    await attempts(limited(59), budget=unused, within=1.0)
    assert unused.spend()


@pytest.mark.anyio
async def test_retry_after_that_is_too_long() -> None:
    """A `Retry-After` that is longer than allowed, or than the time that the call has left, is not waited for."""
    for failure in (limited(61.0), limited(1e9), failed(503, 61.0)):
        assert await attempts(failure) == (1, failure)
    within = limited(3.0)
    assert await attempts(within, within=2.0) == (1, within)


@pytest.mark.anyio
async def test_no_backoff_beyond_the_deadline() -> None:
    """No retry starts after the deadline of the call."""
    assert await attempts(LOST, within=-1.0) == (1, LOST)


@pytest.mark.anyio
async def test_cancelled_attempt() -> None:
    """A cancellation during an attempt is not retried."""
    cancelled = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await attempts([cancelled])  # type: ignore[list-item]


def backoffs(failure: Exception, attempt: int, count: int) -> list[float]:
    """Return backoffs drawn after a failed attempt."""
    retries = RetryPolicy(attempts=8, initial_backoff=0.25, max_backoff=2.0)
    iterator = retrying(request(READ), retries, RetryBudget(20), deadline=1000.0)
    state = RetryCallState(iterator, None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(failure), failure, None))
    wait: Any = iterator.wait
    return [wait(state) for _ in range(count)]


@pytest.mark.parametrize(("attempt", "limit"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)])
def test_full_jitter(attempt: int, limit: float) -> None:
    """Backoffs are drawn between zero and a limit that doubles up to the maximum."""
    drawn = backoffs(LOST, attempt, 400)
    assert 0 <= min(drawn) < limit / 4
    assert limit * 3 / 4 < max(drawn) <= limit


@pytest.mark.parametrize("failure", [limited(7.0), failed(503, 7.0)])
def test_retry_after(failure: errors.TingTingError) -> None:
    """A retry waits at least as long as `Retry-After` says."""
    assert backoffs(failure, 1, 3) == [7.0, 7.0, 7.0]
