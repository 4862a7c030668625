"""Time limits of tasks, under one timer.

`asyncio.timeout_at` sets a timer for each limit, which costs a request a tenth of itself, although nearly all requests
end long before. Here, one timer is set for the earliest limit; the next one is looked for only when it goes off.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self

import attrs

from tingting_async.errors import TingTingError
from tingting_async.http.messages import Request

RESOLUTION = 0.01
"""By how much a limit may expire late, in seconds."""


class Connection(Protocol):
    """A connection of aiohttp."""

    @property
    def closed(self) -> bool:
        """Whether one side has closed it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


@attrs.define(eq=False, repr=False)
class Limit:
    """The time limit of a task. The task enters it, and gets a `TimeoutError` where it is."""

    deadlines: "Deadlines"
    task: "asyncio.Task[Any]"
    when: float
    """When it ends, by the clock of the event loop."""
    cancelling: int
    is_connected: bool = False
    """Whether the request of the task has a connection."""
    request: Request[Any] | None = None
    """The request of the task."""
    has_expired: bool = False
    has_begun: bool = False
    """Whether the first byte of the request was about to be written."""
    refusal: TingTingError | None = None
    """The error that `before_first_byte` raised."""
    must_prepare: bool = False
    """Whether something has to be done before the request is sent, once it has a connection."""
    renew_turn: Callable[[], Awaitable[None]] | None = None
    """Awaited before the request is sent; None without a rate limit."""

    def is_sign_in(self) -> bool:
        """Return whether the request of the task gets new tokens."""
        return self.request is not None and not self.request.authenticate

    async def prepare(self, connection: Connection | None = None) -> None:
        """Do the work that is due before the request is sent. If that fails, close the connection.

        A connection that waited is never given back for later requests, which need one that was just in use.

        Raises:
            ConnectionError: The service has closed the connection meanwhile.
        """
        try:
            if self.renew_turn is not None:
                await self.renew_turn()
            if self.request is not None and self.request.before_first_byte is not None:
                assert self.request.before_send is not None
                await self.request.before_send()
            if connection is not None and connection.closed:
                raise ConnectionError("the connection was lost before the request was sent")  # noqa: TRY301
        except BaseException:
            if connection is not None:
                connection.close()
            raise

    def begin(self) -> None:
        """Note that the first byte of the request is about to be written.

        Raises:
            ConnectionError: It was written before, to a connection that was lost.
        """
        if self.has_begun:
            raise ConnectionError("the connection was lost")
        if self.request is not None and self.request.before_first_byte is not None:
            try:
                self.request.before_first_byte()
            except TingTingError as error:
                self.refusal, self.is_connected = error, False
                raise
        self.has_begun = self.is_connected = True

    def move(self, when: float) -> None:
        """Let the limit end at another time."""
        self.when = when
        self.deadlines.expect(self)

    def expire(self) -> None:
        """End the task's wait now."""
        if not self.has_expired:
            self.has_expired = True
            self.task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        del self.deadlines.limits[self.task]
        if self.has_expired and self.task.uncancel() <= self.cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class Deadlines:
    """The limits of the tasks of a session."""

    def __init__(self) -> None:
        self.limits: dict[asyncio.Task[Any] | None, Limit] = {}
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, when: float) -> Limit:
        """Return a limit for the current task, which must not have another one."""
        task = asyncio.current_task()
        assert task is not None
        limit = self.limits[task] = Limit(self, task, when, task.cancelling())
        if self._timer is None or when < self._timer.when():
            self._set_timer(when, task.get_loop())
        return limit

    def expect(self, limit: Limit) -> None:
        """Note that a limit ends at another time."""
        if self._timer is None or limit.when < self._timer.when():
            self._set_timer(limit.when, limit.task.get_loop())

    def has_sign_in(self) -> bool:
        """Return whether a sign-in or a token refresh may have reached the service, and has no response yet."""
        return any(limit.is_sign_in() and limit.is_connected for limit in self.limits.values())

    def close(self, *, sign_ins: bool = True) -> None:
        """Make all limits expire now, or all except the limits of sign-ins that have a connection."""
        for limit in self.limits.values():
            if sign_ins or not (limit.is_sign_in() and limit.is_connected):
                limit.expire()
        if self._timer is not None and sign_ins:
            self._timer.cancel()

    def _set_timer(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._expire, when, loop)

    def _expire(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = max(when, loop.time())
        for limit in self.limits.values():
            if limit.when <= now:
                limit.expire()
        running = [limit.when for limit in self.limits.values() if not limit.has_expired]
        if running:
            # Not at once: if each of many limits went off by itself, each would look at all the others.
            self._set_timer(max(min(running), now + RESOLUTION), loop)
