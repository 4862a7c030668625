"""What may be repeated: the whole table."""

import asyncio
from typing import Any

import pytest
from tenacity import RetryCallState

from tingting_async import errors, policy
from tingting_async.errors import NotSentError, OutcomeUnknownError, RateLimitedError, ServerError, TransportError
from tingting_async.policy import Budget, Retries
from tingting_async.wire import Effect, Request


def rate_limited(seconds: float | None) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("slow", status=429)
    error.retry_after = seconds
    return error


NEVER_SENT = NotSentError("x", phase="connect")
LOST = TransportError("x", phase="answer")
READS, SETS, ADDS, RINGS, REVOKES = Effect


@pytest.mark.parametrize(
    ("failure", "repeating"),
    [
        (NEVER_SENT, {READS, SETS, ADDS, RINGS}),
        (LOST, {READS, SETS}),
        (OutcomeUnknownError("x"), set()),
        (rate_limited(None), {READS, SETS}),
        (rate_limited(3), {READS, SETS, ADDS, RINGS}),
        (ServerError("x", status=503), {READS, SETS}),
        (ServerError("x", status=504), {READS, SETS}),
        (errors.BadRequestError("x", status=400), set()),
        (errors.NotFoundError("x", status=404), set()),
        (errors.DecodeError("x"), set()),
        (errors.UsageError("x"), set()),
    ],
)
def test_may_repeat(failure: errors.TingTingError, repeating: set[Effect]) -> None:
    """After each failure exactly these effects are repeated; what rings only where nothing left, or was done."""
    assert {effect for effect in Effect if policy.may_repeat(effect, failure)} == repeating


@pytest.mark.parametrize(
    ("failure", "unknown"),
    [
        (NEVER_SENT, set()),
        (LOST, {SETS, ADDS, RINGS, REVOKES}),
        (ServerError("x", status=500), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=504), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=503), set()),
        (errors.DecodeError("x"), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=303), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=307), set()),
        (errors.BadRequestError("x", status=400), set()),
        (rate_limited(3), set()),
    ],
)
def test_settle(failure: errors.TingTingError, unknown: set[Effect]) -> None:
    """In the end these effects are of unknown outcome, and the error says how to find out; the others keep theirs."""
    found: set[Effect] = set()
    for effect in Effect:
        request = Request("POST", "/p/", effect, "things.do", dict, find_out="look")
        settled = policy.settle(request, failure)
        if settled is not failure:
            assert isinstance(settled, OutcomeUnknownError)
            assert (settled.operation, settled.method, settled.path) == ("things.do", "POST", "/p/")
            assert settled.status == getattr(failure, "status", None)
            assert str(settled).endswith(" To find out, look.")
            found.add(effect)
    assert found == unknown


def test_budget() -> None:
    """Repeats run out, and requests that succeed earn them back, up to the limit."""
    budget = Budget(2)
    assert [budget.spend(), budget.spend(), budget.spend()] == [True, True, False]
    for _ in range(5):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(100):
        budget.earn()
    assert [budget.spend(), budget.spend(), budget.spend()] == [True, True, False]


async def attempts(
    failures: list[Exception],
    *,
    retries: Retries | None = None,
    budget: Budget | None = None,
    effect: Effect = READS,
    within: float = 1000.0,
) -> tuple[int, Exception | None]:
    """Make attempts that fail so, the last failure again and again; return how many, and what came of the last."""
    deadline = asyncio.get_running_loop().time() + within
    request = Request("GET", "/p/", effect, "things.do", dict)
    made = 0
    try:
        async for attempt in policy.repeats(
            request, retries or Retries(pause=0), budget or Budget(20), deadline=deadline
        ):
            with attempt:
                made += 1
                raise failures[min(made, len(failures)) - 1]
    except (errors.TingTingError, KeyError) as error:
        return made, error
    return made, None


@pytest.mark.anyio
async def test_attempts() -> None:
    """A failure is repeated until the attempts are used up, or another follows; then it is raised as itself."""
    missing, bug = errors.NotFoundError("no", status=404), KeyError("a bug")
    assert await attempts([LOST]) == (4, LOST)
    assert await attempts([LOST], retries=Retries(attempts=1)) == (1, LOST)
    assert await attempts([LOST], retries=Retries(attempts=7, pause=0)) == (7, LOST)
    assert await attempts([LOST, missing]) == (2, missing)
    assert await attempts([bug]) == (1, bug)
    assert await attempts([LOST], effect=RINGS) == (1, LOST)
    assert await attempts([LOST], within=-1.0) == (1, LOST)


@pytest.mark.anyio
async def test_budget_is_paid_for_repeats() -> None:
    """Only repeats that are made are paid for, and none is made without budget."""
    budget = Budget(5)
    assert [(await attempts([LOST], budget=budget))[0] for _ in range(3)] == [4, 3, 1]
    unused = Budget(1)
    await attempts([LOST], budget=unused, retries=Retries(attempts=1))
    await attempts([LOST], budget=unused, effect=RINGS)
    await attempts([rate_limited(3600)], budget=unused)
    await attempts([rate_limited(59)], budget=unused, within=1.0)
    assert unused.spend()


@pytest.mark.anyio
async def test_cancelled_attempt() -> None:
    """A cancellation during an attempt is no failure to repeat."""
    with pytest.raises(asyncio.CancelledError):
        await attempts([asyncio.CancelledError()])  # type: ignore[list-item]


def pauses(failure: Exception, attempt: int, count: int) -> list[float]:
    """Return the pauses that are drawn after a failed attempt."""
    request = Request("GET", "/p/", READS, "things.do", dict)
    retrying = policy.repeats(request, Retries(pause=0.25, longest_pause=2.0), Budget(20), deadline=1000.0)
    state = RetryCallState(retrying, None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(failure), failure, None))
    wait: Any = retrying.wait
    return [wait(state) for _ in range(count)]


@pytest.mark.parametrize(("attempt", "limit"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)])
def test_full_jitter(attempt: int, limit: float) -> None:
    """Pauses are drawn between zero and a limit that doubles up to the longest."""
    drawn = pauses(LOST, attempt, 400)
    assert 0 <= min(drawn) < limit / 4
    assert limit * 3 / 4 < max(drawn) <= limit


def test_asked_to_wait() -> None:
    """A service that asks to wait is not asked again before."""
    assert pauses(rate_limited(7), 1, 3) == [7.0, 7.0, 7.0]
