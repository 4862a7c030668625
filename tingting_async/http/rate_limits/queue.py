"""The requests of a session that wait for its rate limit, and what an object must offer to be one."""

import asyncio
import functools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from tingting_async.errors import TingTingError

LATENESS = 0.05
"""Seconds after which a reserved moment lapses if the event loop was too busy to let its request leave."""
_LONGEST_USE = 1.0
"""Seconds after which a turn has lapsed in any case."""


class RateLimit(Protocol):
    """A limit of the requests per second. Several sessions, processes or machines may share one.

    A session passes it the requests that wait. It takes one reservation at a time, in the order in which the requests
    began to wait, and lets each request leave at the moment that was reserved for it.
    """

    async def reserve(self, limits: Sequence[float]) -> Sequence[float | None]:
        """Reserve a moment for each of several requests, in their order.

        Args:
            limits: For each request, how many seconds it may wait.

        Returns:
            For each request, the seconds from now until its moment; None if that would be after its limit, so that
            nothing was reserved for it.

        Raises:
            Exception: The limit failed. The requests fail with a `NotSentError`. If the exception is a
                `TingTingError`, its text is shown.
        """
        ...


class TooLateError(Exception):
    """A request could leave only after its time limit."""


class RateFailedError(Exception):
    """A rate limit failed. The text says why, and the limit's own error may be the cause."""

    @classmethod
    def of(cls, error: Exception) -> "RateFailedError":
        """Return the error to raise for an error of the limit."""
        if isinstance(error, TingTingError):
            failed = cls(str(error).rstrip("."))
            failed.__cause__ = error.__cause__
        else:
            failed = cls(type(error).__name__)  # Its text may hold anything, such as the password of a URL.
            failed.__cause__ = error
        return failed


@attrs.frozen
class Turn:
    """A request may leave.

    Attributes:
        at: Since when, by the clock of the event loop.
        number: How many requests of the queue were allowed to leave until then, including this one.
    """

    at: float
    number: int


class _Waiter:
    __slots__ = ("deadline", "ended", "has_lapsed")

    def __init__(self, deadline: float, ended: "asyncio.Future[Turn | Callable[[], Exception]]") -> None:
        self.deadline: float = deadline
        """When the wait ends at the latest, by the clock of the event loop."""
        self.has_lapsed: bool = False
        """Whether a moment of this request has lapsed."""
        self.ended: asyncio.Future[Turn | Callable[[], Exception]] = ended
        """Done when the request may leave, with its turn; if it may not, with what returns an error of its own."""


class RateQueue:
    """The requests of a session that wait for its rate limit, first come first served.

    Reserved moments belong to the queue, not to requests: the first request in the queue leaves at the first moment. If
    a request is cancelled, those behind it move up, and the next one that arrives gets the moment that is left.

    The event loop may be too busy to let requests leave at their moments. They do not catch up: moments that have
    lapsed are dropped, and others are reserved instead. Otherwise, requests would leave too close together. If the
    event loop is always late, one request whose moment has lapsed still leaves.

    Args:
        limit: Reserves moments.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._granted = 0
        """The number of requests that were allowed to leave."""
        self._left = 0
        """The number of those that have left."""
        self._limit = limit
        self._waiting: list[_Waiter] = []
        self._moments: list[float] = []
        """The reserved moments by the clock of the event loop, in order: for the first requests of those waiting."""
        self._reserving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, deadline: float) -> Turn:
        """Wait until the next request may leave.

        Args:
            deadline: When the wait ends at the latest, by the loop's clock.

        Raises:
            TooLateError: The request could leave only after the deadline.
            RateFailedError: The limit failed.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._moments = [moment for moment in self._moments if moment > loop.time()]
        is_behind = bool(self._waiting) or self._left < self._granted
        waiter = _Waiter(deadline, loop.create_future())
        self._waiting.append(waiter)
        self._proceed()
        try:
            if is_behind and waiter.ended.done():  # Awaiting it would not let those ahead run first, who may leave too.
                await asyncio.sleep(0)
            ended = await waiter.ended
        finally:
            if waiter in self._waiting:  # It was cancelled.
                self._waiting.remove(waiter)
            elif waiter.ended.done() and not waiter.ended.cancelled() and isinstance(waiter.ended.result(), Turn):
                self._left += 1
        if not isinstance(ended, Turn):
            raise ended()
        return ended

    def has_lapsed(self, turn: Turn) -> bool:
        """Return whether a request that has not left yet needs another turn.

        Connecting often takes a tenth of a second. If that alone cost a second turn, slow connections would halve a low
        rate. So a turn lapses soon only if another request of the queue has had its turn since.
        """
        late = asyncio.get_running_loop().time() - turn.at
        return late > LATENESS and (self._granted > turn.number or late > _LONGEST_USE)

    def close(self) -> None:
        """Stop reserving. What waits is ended by its own time limits."""
        if self._reserving is not None:
            self._reserving.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _proceed(self) -> None:
        """Let the requests leave whose moments have come, and have moments reserved for those that have none."""
        loop = asyncio.get_running_loop()
        now, moments = loop.time(), self._moments
        self._waiting = [waiter for waiter in self._waiting if not waiter.ended.done()]
        lapsed = bisect_left(moments, now - LATENESS)
        if lapsed == bisect_right(moments, now) > 0 and self._waiting and self._waiting[0].has_lapsed:
            lapsed -= 1
        for waiter in self._waiting[:lapsed]:
            waiter.has_lapsed = True
        del moments[:lapsed]
        while self._waiting and moments and moments[0] <= now:
            del moments[0]
            self._granted += 1
            self._waiting.pop(0).ended.set_result(Turn(now, self._granted))
        for waiter, moment in zip(self._waiting.copy(), moments, strict=False):
            if moment > waiter.deadline:
                self._refuse(waiter, TooLateError)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(moments[0], self._proceed) if self._waiting and moments else None
        if len(self._waiting) > len(moments) and self._reserving is None:
            self._reserving = loop.create_task(self._reserve())

    def _refuse(self, waiter: _Waiter, failure: Callable[[], Exception]) -> None:
        self._waiting.remove(waiter)
        waiter.ended.set_result(failure)

    async def _reserve(self) -> None:
        """Reserve moments until every request has one. All that have none share a reservation."""
        loop = asyncio.get_running_loop()
        try:
            while batch := self._waiting[len(self._moments) :]:
                started = loop.time()
                failures: dict[_Waiter, Callable[[], Exception]] = {}
                moments: list[float] = []
                try:
                    waits = await self._limit.reserve([waiter.deadline - started for waiter in batch])
                    now = loop.time()
                    for waiter, wait in zip(batch, waits, strict=True):
                        if wait is None:
                            failures[waiter] = TooLateError
                        else:
                            moments.append(max([now + wait, *moments[-1:], *self._moments[-1:]]))
                except Exception as error:  # noqa: BLE001 - whatever a limit raises, each request reports it
                    failures = dict.fromkeys(batch, functools.partial(RateFailedError.of, error))
                for waiter in self._waiting[len(self._moments) :]:  # Some may have been cancelled, or have moved up.
                    if waiter in failures and not waiter.ended.done():
                        self._refuse(waiter, failures[waiter])
                self._moments += moments
                self._proceed()
        finally:
            self._reserving = None
