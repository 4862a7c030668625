"""What a request waits for before it is sent: a free slot, the rate limit, and the backoff before a retry."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

from tingting_async.errors import NotSentError, SessionClosedError, UsageError
from tingting_async.http.deadlines import Deadlines
from tingting_async.http.messages import Request
from tingting_async.http.timeouts import Timeout

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class Throttle:
    """Limits how many requests of a session are in flight at once, and how many are sent per second.

    A request waits for its slot first and for the rate limit second. In the other order, requests that had passed the
    rate limit while they waited for a slot would all be sent at the moment when slots become free.

    Args:
        max_in_flight: The number of slots.
        rate: The number of requests per second; None for no limit.

    Raises:
        UsageError: `rate` is not a number above 0.
    """

    def __init__(self, *, max_in_flight: int, rate: float | None) -> None:
        self.slots: anyio.Semaphore = anyio.Semaphore(max_in_flight)
        """A request that finds a free slot may occupy it with `acquire_nowait()`, which is cheaper than waiting."""
        self.has_rate: bool = rate is not None
        self._limiter = None if rate is None else _limiter(rate)
        self._rate_lock = asyncio.Lock()
        self._waits = Deadlines()
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
        await self._wait(
            self.slots.acquire, request, timeout, deadline, phase="pool", what="a free slot (`max_in_flight`)"
        )

    async def acquire_rate(self, request: Request[Any], timeout: Timeout, deadline: float) -> None:
        """Wait until the rate limit allows another request; arguments and errors are those of `acquire_slot`."""
        limiter = self._limiter
        if limiter is None:
            return

        async def acquire() -> None:
            # The lock keeps the order: without it, a request that arrives just in time overtakes those that wait.
            async with self._rate_lock:
                await limiter.acquire()

        await self._wait(acquire, request, timeout, deadline, phase="rate", what="the rate limit (`rate`)")

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
            until = min(deadline, asyncio.get_running_loop().time() + seconds)
            with contextlib.suppress(TimeoutError), self._waits.limit(until):
                await asyncio.sleep(seconds)
        if self._is_closed:
            raise closed_error(operation)

    def close(self) -> None:
        """End all waits, and refuse new ones."""
        self._is_closed = True
        self._waits.close()

    async def _wait(
        self,
        acquire: Callable[[], Awaitable[object]],
        request: Request[Any],
        timeout: Timeout,
        deadline: float,
        *,
        phase: str,
        what: str,
    ) -> None:
        if self._is_closed:
            raise closed_error(request.operation)
        now = asyncio.get_running_loop().time()
        limit = deadline - now if timeout.pool is None else min(timeout.pool, deadline - now)
        try:
            with self._waits.limit(now + limit):
                await acquire()
        except TimeoutError:
            if self._is_closed:
                raise closed_error(request.operation) from None
            raise NotSentError(
                f"{request.operation}: timed out after {limit:.3g} s waiting for {what}. Nothing was sent.",
                operation=request.operation,
                method=request.method,
                path=request.path,
                phase=phase,
            ) from None


def closed_error(operation: str) -> SessionClosedError:
    """Return the error of an operation whose session was closed meanwhile."""
    return SessionClosedError(f"{operation}: the session was closed during the call.")


def _limiter(rate: float) -> "AsyncLimiter":
    if type(rate) not in (int, float) or not 0 < rate < math.inf:
        raise UsageError(f"`rate` must be a number of requests per second above 0, not {rate!r}.")
    from aiolimiter import AsyncLimiter  # noqa: PLC0415 - only sessions with a rate limit need it

    # A bucket of one request spaces the requests evenly, so that no second contains more of them than any other.
    return AsyncLimiter(1, 1 / rate)
