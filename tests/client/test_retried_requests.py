"""What may be repeated and when, and what is said of a request whose outcome nobody knows."""

import asyncio
import itertools
from typing import Any

import pytest
from tenacity import RetryCallState

from tingting_async import errors
from tingting_async.client.retries import RetryBudget, RetryPolicy, final_error, is_retryable, retrying
from tingting_async.http.messages import Effect, Request

READS, SETS, ADDS, RINGS, REVOKES = Effect.READ, Effect.UPDATE, Effect.CREATE, Effect.SEND, Effect.REVOKE
BUT_REVOKES = {READS, SETS, ADDS, RINGS}


def limited(retry_after: float | None) -> errors.RateLimitedError:
    """Return the error of a 429."""
    error = errors.RateLimitedError("slow down", status=429)
    error.retry_after = retry_after
    return error


def failed(status: int, retry_after: float | None = None) -> errors.ServerError:
    """Return the error of a 5xx."""
    error = errors.ServerError("failed", status=status)
    error.retry_after = retry_after
    return error


def request(effect: Effect, **options: Any) -> Request[Any]:
    """Return a request with an effect."""
    return Request("POST", "/api/things/", effect, "things.do", dict, **options)


SENT = errors.TransportError("lost", phase="response")

# What failed; the effects after which it is repeated; those whose outcome is then unknown.
TABLE = [
    pytest.param(errors.NotSentError("off", phase="connect"), BUT_REVOKES, set(), id="never sent"),
    pytest.param(SENT, {READS, SETS}, {SETS, ADDS, RINGS, REVOKES}, id="lost"),
    pytest.param(errors.DecodeError("html"), set(), {ADDS, RINGS, REVOKES}, id="unreadable"),
    pytest.param(failed(500), {READS, SETS}, {ADDS, RINGS, REVOKES}, id="500"),
    pytest.param(failed(502), {READS, SETS}, {ADDS, RINGS, REVOKES}, id="502"),
    pytest.param(failed(504), {READS, SETS}, {ADDS, RINGS, REVOKES}, id="504"),
    pytest.param(failed(503), {READS, SETS}, {ADDS, RINGS, REVOKES}, id="503"),
    pytest.param(failed(503, 1.0), {READS, SETS}, set(), id="503 with Retry-After"),
    pytest.param(limited(None), {READS, SETS}, set(), id="429"),
    pytest.param(limited(0.0), BUT_REVOKES, set(), id="429 with Retry-After: 0"),
    pytest.param(limited(5.0), BUT_REVOKES, set(), id="429 with Retry-After: 5"),
    pytest.param(errors.ApiError("moved", status=302), set(), {ADDS, RINGS, REVOKES}, id="302"),
    pytest.param(errors.ApiError("moved", status=303), set(), {ADDS, RINGS, REVOKES}, id="303"),
    pytest.param(errors.ApiError("moved", status=307), set(), set(), id="307"),
    pytest.param(errors.BadRequestError("no", status=400), set(), set(), id="400"),
    pytest.param(errors.AuthenticationError("no", status=401), set(), set(), id="401"),
    pytest.param(errors.PermissionDeniedError("no", status=403), set(), set(), id="403"),
    pytest.param(errors.NotFoundError("no", status=404), set(), set(), id="404"),
    pytest.param(errors.ConflictError("no", status=409), set(), set(), id="409"),
    pytest.param(errors.UsageError("no"), set(), set(), id="refused here"),
    pytest.param(errors.SessionClosedError("no"), set(), set(), id="closed"),
    pytest.param(errors.PaginationError("no"), set(), set(), id="pages"),
]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(("failure", "repeated", "unknown"), TABLE)
def test_table(failure: errors.TingTingError, repeated: set[Effect], unknown: set[Effect], effect: Effect) -> None:
    """Each failure of each effect is repeated, known or unknown, as the table of effects says."""
    assert (effect in repeated) == is_retryable(effect, failure)
    settled = final_error(request(effect), failure)
    if effect in unknown:
        assert isinstance(settled, errors.OutcomeUnknownError)
    else:
        assert settled is failure


@pytest.mark.parametrize("effect", Effect)
def test_settled_once(effect: Effect) -> None:
    """An unknown outcome stays as it is, and is never repeated."""
    failure = errors.OutcomeUnknownError("lost")
    assert final_error(request(effect), failure) is failure
    assert not is_retryable(effect, failure)


def test_unknown_outcome_says_how_to_find_out() -> None:
    """The error of an unknown outcome names the operation, what failed, and how to find out."""
    settled = final_error(request(RINGS, recovery_hint="look at the list"), failed(504))
    assert isinstance(settled, errors.OutcomeUnknownError)
    assert (settled.operation, settled.method, settled.path) == ("things.do", "POST", "/api/things/")
    assert (settled.phase, settled.status) == ("response", 504)
    assert str(settled).startswith("things.do: it is not known whether it happened, so it was not repeated. POST")
    assert str(settled).endswith(" To find out, look at the list.")
    assert "find out" not in str(final_error(request(RINGS), failed(504)))
    lost = final_error(request(RINGS), SENT)
    assert isinstance(lost, errors.OutcomeUnknownError)
    assert (lost.phase, lost.status) == ("response", None)


def test_budget() -> None:
    """A budget allows so many repeats, and one more for every five successes, up to where it began."""
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
    effect: Effect = READS,
    retries: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    within: float = 1000.0,
) -> tuple[int, Any]:
    """Make attempts that fail so, and return how many there were and what came of the last."""
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
    """A failure is repeated until it is gone, or the attempts are used up; then it is raised as itself."""
    assert await attempts([SENT, SENT]) == (3, None)
    assert await attempts(SENT) == (4, SENT)
    assert await attempts(SENT, retries=RetryPolicy(attempts=1)) == (1, SENT)
    assert await attempts(SENT, retries=RetryPolicy(attempts=7, initial_backoff=0)) == (7, SENT)


@pytest.mark.anyio
async def test_what_is_not_repeated() -> None:
    """What may not be repeated is raised at once, and so is a failure of another kind that follows."""
    assert await attempts(SENT, effect=RINGS) == (1, SENT)
    no = errors.NotFoundError("no", status=404)
    assert await attempts([SENT, no]) == (2, no)
    bug = KeyError("a bug")
    assert await attempts([bug]) == (1, bug)


@pytest.mark.anyio
async def test_budget_is_paid_for_repeats() -> None:
    """Only repeats that are made are paid for, and none is made without budget."""
    budget = RetryBudget(5)
    assert await attempts(SENT, budget=budget) == (4, SENT)
    assert await attempts(SENT, budget=budget) == (3, SENT)
    assert await attempts(SENT, budget=budget) == (1, SENT)
    unused = RetryBudget(1)
    await attempts(SENT, budget=unused, retries=RetryPolicy(attempts=1))
    await attempts(SENT, budget=unused, effect=RINGS)
    await attempts(limited(3600), budget=unused)
    await attempts(limited(59), budget=unused, within=1.0)
    assert unused.spend()


@pytest.mark.anyio
async def test_asked_to_wait_too_long() -> None:
    """A service that asks to wait longer than allowed, or than the call has left, is not waited for."""
    for failure in (limited(61.0), limited(1e9), failed(503, 61.0)):
        assert await attempts(failure) == (1, failure)
    within = limited(3.0)
    assert await attempts(within, within=2.0) == (1, within)


@pytest.mark.anyio
async def test_no_pause_beyond_the_deadline() -> None:
    """No repeat is begun once the call's time is over."""
    assert await attempts(SENT, within=-1.0) == (1, SENT)


@pytest.mark.anyio
async def test_cancelled_attempt() -> None:
    """A cancellation during an attempt is no failure to repeat."""
    cancelled = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await attempts([cancelled])  # type: ignore[list-item]


def pauses(failure: Exception, attempt: int, count: int) -> list[float]:
    """Return the pauses that are drawn after a failed attempt."""
    retries = RetryPolicy(attempts=8, initial_backoff=0.25, max_backoff=2.0)
    iterator = retrying(request(READS), retries, RetryBudget(20), deadline=1000.0)
    state = RetryCallState(iterator, None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(failure), failure, None))
    wait: Any = iterator.wait
    return [wait(state) for _ in range(count)]


@pytest.mark.parametrize(("attempt", "limit"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)])
def test_full_jitter(attempt: int, limit: float) -> None:
    """Pauses are drawn between zero and a limit that doubles up to the longest."""
    drawn = pauses(SENT, attempt, 400)
    assert 0 <= min(drawn) < limit / 4
    assert limit * 3 / 4 < max(drawn) <= limit


@pytest.mark.parametrize("failure", [limited(7.0), failed(503, 7.0)])
def test_asked_to_wait(failure: errors.TingTingError) -> None:
    """A service that asks to wait is not asked again before."""
    assert pauses(failure, 1, 3) == [7.0, 7.0, 7.0]
