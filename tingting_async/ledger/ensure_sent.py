"""`ensure_sent()`: send, reconcile, and send again, until it is certain that a send happened."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from random import SystemRandom
from typing import Any, TypeVar, cast

from tingting_async.errors import (
    DuplicateSendError,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    TingTingError,
    TransportError,
    UsageError,
)
from tingting_async.http.messages import Effect
from tingting_async.http.timeouts import running_loop
from tingting_async.ledger.claims import InProgressError
from tingting_async.ledger.expected import ExpectedSend, OtherCallError, expected_send
from tingting_async.outcomes import SendState, Verdict, share_reconciler, wait_for_other
from tingting_async.quantities import SECONDS_FROM_0, is_seconds, shown
from tingting_async.tracebacks import short_traceback

T = TypeVar("T")

DEFAULT_TIMEOUT = 180.0
"""More than a session's default limit for a call (`Timeout.total`), so that a call in another process ends before."""
ATTEMPTS = 5
"""The maximum number of attempts of a send."""
RECONCILE_WAIT = 10.0
"""Seconds between the two checks that have to agree before something counts as not done, as in `reconcile()`."""
_FIRST_BACKOFF, _MAX_BACKOFF = 0.5, 8.0
_FIRST_POLL, _MAX_POLL = 0.05, 1.0
"""Seconds between two checks of a send that is in progress: the first pause, and the longest."""


@short_traceback
async def ensure_sent(
    call: Callable[[], Awaitable[T]], *, timeout: float = DEFAULT_TIMEOUT, wait: float = RECONCILE_WAIT
) -> T | None:
    """Send something, and return once it is certain that it was sent: now, or by an earlier call.

    ::

        await ensure_sent(lambda: tingting.otp.send(number, text, channel="text", otp=code, idempotency_key=key))

    The session needs a ledger, and the call an `idempotency_key`; a send that the id of a campaign or a line
    identifies needs none. The function may be called several times. Each time, it must make the same call. Make an
    iterator of rows inside the function, with all that it reads from: an iterator that was made outside cannot be read
    again. If a process is sending the same thing, this function waits for it. If a response was lost, it reconciles. If
    nothing was sent, it sends again: up to five times, with a growing backoff, if repeating can help.

    Args:
        call: A function without arguments that makes the call, such as a lambda.
        timeout: Seconds after which nothing more is begun: no wait for another process, no check, no attempt. An
            attempt that is under way is not cut short; it has the time limits of its session.
        wait: Seconds between the two checks of `reconcile()`.

    Returns:
        The result of the call; None if the send happened earlier, or if its response was lost. A creation always
        returns what was created.

    Raises:
        UsageError: `call` is not a function that makes one such call, or there is no ledger or no key. Nothing was
            sent.
        DuplicateSendError: The ledger has a send with this key and other arguments (`is_other`). Or another process
            was still sending it when the time was up.
        OutcomeUnknownError: Only a person can find out whether it was sent. Its `send` is the ledger's record.
        TingTingError: It was not sent. The service refused it, or `ATTEMPTS` attempts have failed. Or the function
            could not make the same call again: the error is that of the attempt before, and has a note that says why.
    """
    _require_function(call, timeout, wait)
    deadline = running_loop().time() + timeout
    expected = ExpectedSend(expected_send.get(), wait)
    try:
        return await settle(
            lambda: _attempt(call, expected),
            lambda: _refuse_duplicate(expected),
            lambda: _after(call, expected),
            deadline,
            wait=wait,
            may_repeat=lambda: expected.request is not None,
        )
    except UsageError as refused:
        if expected.failure is None or refused is not expected.refused:
            raise
        if isinstance(refused, OtherCallError):
            raise refused from expected.failure
        expected.failure.add_note(f"ensure_sent: the call cannot be repeated with the same arguments. {refused}")
        raise expected.failure from refused
    finally:
        expected.is_over = True


async def settle(
    attempt: Callable[[], Awaitable[T]],
    refuse_duplicate: Callable[[], Awaitable[None]],
    get_result: Callable[[], Awaitable[T]],
    deadline: float,
    *,
    wait: float = RECONCILE_WAIT,
    may_repeat: Callable[[], bool] = lambda: False,
) -> T:
    """Make an attempt, and again as long as it is certain that nothing was done.

    Args:
        attempt: Sends, unless the ledger has the send.
        refuse_duplicate: Raises a `DuplicateSendError` if the ledger has the send.
        get_result: Returns the result of what was done.
        deadline: The time after which nothing more is begun, by the clock of the event loop.
        wait: Seconds between the two checks of `reconcile()`.
        may_repeat: Returns whether to make another attempt after a failure that may pass.

    Returns:
        The result of the attempt, or of `get_result`.

    Raises:
        DuplicateSendError: It was in progress until the deadline.
        OutcomeUnknownError: It is unknown whether it was done.
        TingTingError: It was not done.
    """
    loop, backoff, made = asyncio.get_running_loop(), _FIRST_BACKOFF, 0
    while True:
        try:
            return await attempt()
        except DuplicateSendError as error:
            if await _is_done(error, refuse_duplicate, deadline, wait):
                attempt = get_result
            continue  # The attempt was not made, so that it does not count.
        except OutcomeUnknownError as error:
            if await _is_done(error, refuse_duplicate, deadline, wait):
                attempt = get_result
                continue
            made, seconds = made + 1, 0.0
            if made == ATTEMPTS or loop.time() >= deadline:
                raise _not_done(error) from error
        except (TransportError, RateLimitedError, ServerError, LedgerError) as error:
            # What may have left raises an `OutcomeUnknownError`. So nothing was sent.
            made, seconds = made + 1, _seconds(error, backoff)
            if made == ATTEMPTS or loop.time() + seconds >= deadline or not may_repeat():
                raise
        await asyncio.sleep(seconds)
        backoff = min(2 * backoff, _MAX_BACKOFF)


def _seconds(failure: TingTingError, backoff: float) -> float:
    """Return how long to wait after a failure: what the service says, and at least a random part of the backoff."""
    return max(SystemRandom().uniform(0, backoff), getattr(failure, "retry_after", None) or 0.0)


def _require_function(call: object, timeout: Any, wait: Any) -> None:
    if isawaitable(call) or not callable(call):
        if asyncio.iscoroutine(call):
            call.close()  # It was not started. Python would warn that nobody has awaited it.
        raise UsageError(
            f"ensure_sent: `call` must be a function that makes the call, not {type(call).__name__}, because it may "
            "have to be called again. Write `ensure_sent(lambda: tingting.otp.send(…, idempotency_key=…))`."
        )
    for name, seconds in (("timeout", timeout), ("wait", wait)):
        if not is_seconds(seconds, zero=True, endless=name == "timeout"):
            raise UsageError(f"ensure_sent: `{name}` is {shown(seconds)}; it must be {SECONDS_FROM_0}.")


async def _attempt(call: Callable[[], Awaitable[T]], expected: ExpectedSend) -> T:
    """Call the user's function, and note its error for the next attempt."""
    try:
        return await _call(call, expected)
    except UsageError as refused:
        expected.refused = refused
        raise
    except TingTingError as error:
        expected.failure = error
        raise


async def _call(call: Callable[[], Awaitable[T]], expected: ExpectedSend) -> T:
    """Call the user's function, so that the session sees what is expected of it."""
    token = expected_send.set(expected)
    try:
        made: Any = call()
        if not isawaitable(made):
            raise OtherCallError(
                f"ensure_sent: `call` returned {type(made).__name__} instead of an awaitable. Give a function that "
                "returns the call itself, such as a lambda, or an `async def` function."
            )
        try:
            result = await made
        except RuntimeError as error:
            if "cannot reuse already awaited" not in str(error):
                raise
            raise OtherCallError(
                "ensure_sent: `call` returned the same coroutine again. Make the call inside the function, so that "
                "each time it is a new one."
            ) from None
    finally:
        expected_send.reset(token)
    if expected.request is None:
        raise OtherCallError(
            "ensure_sent: the function made no send and no creation that this call could see. Make the call inside the "
            "function."
        )
    return cast("T", result)


async def _after(call: Callable[[], Awaitable[T]], expected: ExpectedSend) -> T | None:
    """Return the result of an earlier call: what was created; None for a send."""
    is_creation = expected.request is not None and expected.request.effect is Effect.CREATE
    return await _attempt(call, expected) if is_creation else None


async def _refuse_duplicate(expected: ExpectedSend) -> None:
    assert expected.request is not None
    assert expected.refuse_duplicate is not None
    try:
        await expected.refuse_duplicate()
    except DuplicateSendError as error:
        is_creation = expected.request.effect is Effect.CREATE
        if not (is_creation and error.send is not None and error.send.state is SendState.DONE):
            raise  # If a creation is done, another call returns what was created.


async def _is_done(
    error: DuplicateSendError | OutcomeUnknownError,
    refuse_duplicate: Callable[[], Awaitable[None]],
    deadline: float,
    wait: float,
) -> bool:
    """Return whether what an error is about was done; if it was not, it may be sent again.

    Raises:
        DuplicateSendError: It was in progress until the deadline, or had other arguments.
        OutcomeUnknownError: It is unknown.
    """
    poll, loop = _FIRST_POLL, asyncio.get_running_loop()
    while True:
        state, undecided = SendState.UNKNOWN if error.send is None else error.send.state, None
        if isinstance(error, DuplicateSendError) and error.is_other:
            raise error  # Only the caller knows whether it is the same send.
        if state is SendState.DONE:
            return True
        if state is SendState.UNKNOWN:
            try:
                return await _reconcile(error, deadline, wait)
            except InProgressError:  # Its process continues it, in another session of the database.
                pass
            except OutcomeUnknownError as failure:
                if error.send is None:  # The ledger has no record of it.
                    raise
                undecided = failure
        if undecided is None:
            if loop.time() >= deadline:
                raise error
            await wait_for_other(error, min(poll, max(0.0, deadline - loop.time())))
            poll = min(1.5 * poll, _MAX_POLL)
        try:
            await refuse_duplicate()
        except DuplicateSendError as newer:
            # Somebody else may have found it out meanwhile, and continued, which changes what the service shows.
            if undecided is not None and newer.send is not None and newer.send.state is SendState.UNKNOWN:
                raise undecided from undecided.__cause__
            error = newer
        else:
            return False


async def _reconcile(error: DuplicateSendError | OutcomeUnknownError, deadline: float, wait: float) -> bool:
    """Return whether it was done, by the verdict of `reconcile()`. Checks that fail are repeated until the deadline."""
    backoff, loop = _FIRST_BACKOFF, asyncio.get_running_loop()
    reason = "The time was up before it was found out."
    while loop.time() < deadline:
        try:
            async with asyncio.timeout_at(None if deadline == math.inf else deadline):
                found = await error.reconcile(wait=wait)
        except TimeoutError:
            break
        except (TransportError, RateLimitedError, ServerError) as failure:
            reason = f"The last check failed: {failure}"
            await wait_for_other(error, min(backoff, max(0.0, deadline - loop.time())))
            backoff = min(2 * backoff, _MAX_BACKOFF)
        except (SessionClosedError, LedgerError, UsageError):
            raise
        except TingTingError as failure:
            reason = f"The check failed: {failure}"
            break
        else:
            if found.verdict is not Verdict.UNKNOWN:
                return found.verdict is Verdict.DONE
            reason = found.reason
            break
    raise _undecided(error, reason) from error


def _not_done(error: OutcomeUnknownError) -> NotSentError:
    """Return the error for attempts that were lost on their way, so that nothing was done."""
    return NotSentError(
        f"{error.operation}: nothing was done. `reconcile()` found after each attempt that the service had not carried "
        f"out the request. The last attempt: {error}",
        operation=error.operation,
        method=error.method,
        path=error.path,
        phase=error.phase,
    )


def _undecided(error: DuplicateSendError | OutcomeUnknownError, reason: str) -> OutcomeUnknownError:
    """Return the error for what `reconcile()` cannot decide, with the data of the error that it is about."""
    advice = "If you find out yourself, call the ledger's `mark_sent()` or `mark_not_sent()` with this error's `send`."
    undecided = OutcomeUnknownError(
        f"{error.operation}: it is unknown whether this happened, so it is not sent again. {reason}"
        f"{'' if error.send is None else f' {advice}'}",
        operation=error.operation,
        method=getattr(error, "method", ""),
        path=getattr(error, "path", ""),
        phase=getattr(error, "phase", "response"),
        status=getattr(error, "status", None),
        send=error.send,
    )
    share_reconciler(error, undecided)
    return undecided
