"""What a request waits for before it is sent: a free slot, the rate limit, and the backoff before a retry."""

import asyncio
import contextlib
import inspect
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from tingting_async.errors import NotSentError, SessionClosedError, UsageError
from tingting_async.http.deadlines import Deadlines, Limit
from tingting_async.http.messages import Request
from tingting_async.http.rate_limits.local import LocalRateLimit, seconds_between
from tingting_async.http.rate_limits.queue import (
    Permit,
    RateFailedError,
    RateLimit,
    RateQueue,
    TooLateError,
)
from tingting_async.http.timeouts import Timeout

T = TypeVar("T")


class Slots:
    """Slots that requests occupy, first come first served.

    `anyio.Semaphore` and `asyncio.Semaphore` search all that wait for each one that is cancelled.

    Args:
        count: The number of slots.
    """

    def __init__(self, count: int) -> None:
        self.free: int = count
        """The number of free slots; 0 while a request waits. Subtract one to occupy a slot without a wait."""
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    async def wait(self) -> None:
        """Wait for a slot while none is free, and occupy it."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._waiting.pop(waiter, None)
            else:  # It got its slot in the same moment.
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back, or to the request that has waited longest."""
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if not waiter.done():
                waiter.set_result(None)
                return
        self.free += 1


class Throttle:
    """Limits how many requests of a session are in flight at once, and how many are sent per second.

    A request waits for its slot first and for the rate limit second. In the other order, requests that had passed the
    rate limit while they waited for a slot would all be sent at the moment when slots become free.

    Args:
        max_in_flight: The number of slots.
        rate: The number of requests per second, or a limit that others share; None for no limit.

    Raises:
        UsageError: `rate` is neither a number above 0 nor a limit.
    """

    def __init__(self, *, max_in_flight: int, rate: "float | RateLimit | None") -> None:
        self.slots: Slots = Slots(max_in_flight)
        self.has_rate: bool = rate is not None
        self._rate_queue = None if rate is None else RateQueue(_rate_limit(rate))
        self._waits = Deadlines(Limit)
        self._is_closed = False

    async def acquire_slot(self, request: Request[Any], timeout: Timeout, deadline: float) -> None:
        """Wait for a free slot, and occupy it; `slots.release()` gives it back.

        Args:
            request: The request that waits; errors name it.
            timeout: Its `pool` limits the wait.
            deadline: When the whole call ends, by the loop's clock.

        Raises:
            NotSentError: No slot became free in time.
            SessionClosedError: The session was closed.
        """
        what = "a free slot (`max_in_flight`)"
        await self._wait(lambda _: self.slots.wait(), request, timeout, deadline, phase="pool", what=what)

    async def acquire_rate(self, request: Request[Any], timeout: Timeout, deadline: float) -> Permit | None:
        """Wait until the rate limit allows another request. Return None if there is no limit.

        Arguments and errors are the same as in `acquire_slot`. The error is raised at once if the request could leave
        only after its time limit, or if the rate limit fails.
        """
        queue = self._rate_queue
        if queue is None:
            return None
        what = "the rate limit (`rate`)"
        return await self._wait(queue.wait, request, timeout, deadline, phase="rate", what=what)

    async def renew_rate(
        self, permit: Permit, attempt: Limit, request: Request[Any], timeout: Timeout, deadline: float
    ) -> None:
        """Take another permit if the request could not leave soon after its first one.

        A ledger or a network may stall. All requests whose permits came meanwhile would leave at once when that ends.

        Args:
            permit: The first permit.
            attempt: The limit of the attempt. The wait does not count towards it, like that for the first permit.
            request: The request.
            timeout: Its `pool` limits the wait.
            deadline: When the whole call ends, by the loop's clock.
        """
        assert self._rate_queue is not None
        if self._rate_queue.has_lapsed(permit):
            loop = asyncio.get_running_loop()
            rest = attempt.when - loop.time()
            attempt.move(deadline)
            await self.acquire_rate(request, timeout, deadline)
            attempt.move(min(deadline, loop.time() + rest))

    async def sleep(self, operation: str, seconds: float, deadline: float = math.inf) -> None:
        """Wait between two attempts of a request, or between two requests of an operation.

        Args:
            operation: The operation that waits; the error names it.
            seconds: How long to wait.
            deadline: When the whole call ends, by the loop's clock.

        Raises:
            SessionClosedError: The session was closed.
        """
        if not self._is_closed:
            loop = asyncio.get_running_loop()
            until = min(deadline, loop.time() + seconds)
            with contextlib.suppress(TimeoutError), self._waits.limit(until, loop):
                await asyncio.sleep(seconds)
        if self._is_closed:
            raise closed_error(operation)

    def close(self) -> None:
        """End all waits, and refuse new ones."""
        self._is_closed = True
        self._waits.close()
        if self._rate_queue is not None:
            self._rate_queue.close()

    async def _wait(
        self,
        acquire: Callable[[float], Awaitable[T]],
        request: Request[Any],
        timeout: Timeout,
        deadline: float,
        *,
        phase: str,
        what: str,
    ) -> T:
        if self._is_closed:
            raise closed_error(request.operation)
        loop = asyncio.get_running_loop()
        now = loop.time()
        limit = deadline - now if timeout.pool is None else min(timeout.pool, deadline - now)
        cause = None
        try:
            with self._waits.limit(now + limit, loop):
                return await acquire(now + limit)
        except TimeoutError:
            if self._is_closed:
                raise closed_error(request.operation) from None
            reason = f"timed out after {limit:.3g} s waiting for {what}"
        except TooLateError:
            reason = f"would have to wait longer than {limit:.3g} s for {what}"
        except RateFailedError as error:
            reason, cause = f"{what} failed: {error}", error.__cause__
        end = "" if reason.endswith("?") else "."
        raise NotSentError(
            f"{request.operation}: {reason}{end} Nothing was sent.",
            operation=request.operation,
            method=request.method,
            path=request.path,
            phase=phase,
        ) from cause


def closed_error(operation: str) -> SessionClosedError:
    """Return the error of an operation whose session was closed meanwhile."""
    return SessionClosedError(f"{operation}: the session was closed during the call.")


def _rate_limit(rate: object) -> RateLimit:
    if isinstance(rate, int | float):
        return LocalRateLimit(seconds_between(rate, "rate"))
    if isinstance(rate, type) or not inspect.iscoroutinefunction(getattr(rate, "reserve", None)):
        raise UsageError(
            "`rate` must be a number of requests per second above 0, or an object such as "
            f"`RedisRateLimit(url, per_second=5)`, not {type(rate).__name__}."
        )
    return cast("RateLimit", rate)
