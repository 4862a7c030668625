"""What may be repeated: the whole table."""

import pytest

from tingting_async import errors
from tingting_async.client.retries import RetryBudget, final_error, is_retryable
from tingting_async.errors import NotSentError, OutcomeUnknownError, RateLimitedError, ServerError, TransportError
from tingting_async.http.messages import Effect, Request


def rate_limited(seconds: float | None) -> RateLimitedError:
    """Return a 429."""
    error = RateLimitedError("slow", status=429)
    error.retry_after = seconds
    return error


NEVER_SENT = NotSentError("x", phase="connect")
LOST = TransportError("x", phase="response")
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
    assert {effect for effect in Effect if is_retryable(effect, failure)} == repeating


@pytest.mark.parametrize(
    ("failure", "unknown"),
    [
        (NEVER_SENT, set()),
        (LOST, {SETS, ADDS, RINGS, REVOKES}),
        (ServerError("x", status=500), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=504), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=503), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=503, body=b"<html>"), {ADDS, RINGS, REVOKES}),
        (ServerError("x", status=503, body=b'{"detail": "closed"}'), set()),
        (errors.ApiError("x", status=408), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=499), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=304), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=301), set()),
        (errors.ApiError("x", status=103), {ADDS, RINGS, REVOKES}),
        (errors.ApiError("x", status=600), {ADDS, RINGS, REVOKES}),
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
        request = Request("POST", "/p/", effect, "things.do", dict, recovery_hint="look")
        settled = final_error(request, failure)
        if settled is not failure:
            assert isinstance(settled, OutcomeUnknownError)
            assert (settled.operation, settled.method, settled.path) == ("things.do", "POST", "/p/")
            assert settled.status == getattr(failure, "status", None)
            assert str(settled).endswith(" To find out, look.")
            found.add(effect)
    assert found == unknown


def test_budget() -> None:
    """Repeats run out, and requests that succeed earn them back, up to the limit."""
    budget = RetryBudget(2)
    assert [budget.spend(), budget.spend(), budget.spend()] == [True, True, False]
    for _ in range(5):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(100):
        budget.earn()
    assert [budget.spend(), budget.spend(), budget.spend()] == [True, True, False]
