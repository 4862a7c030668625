"""Time limits of tasks, under one timer.

`asyncio.timeout_at` sets a timer for each limit, which costs a request a tenth of itself, although nearly all requests
end long before. Here, one timer is set for the earliest limit; the next one is looked for only when it goes off.
"""

import asyncio
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import attrs

L = TypeVar("L", bound="Limit")

RESOLUTION = 0.01
"""By how much a limit may expire late, in seconds."""


@attrs.define(eq=False, repr=False)
class Limit:
    """The time limit of a task. The task enters it, and gets a `TimeoutError` where it is."""

    deadlines: "Deadlines[Any]"
    task: "asyncio.Task[Any]"
    when: float
    """When it ends, by the clock of the event loop."""
    cancelling: int
    has_expired: bool = False

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


class Deadlines(Generic[L]):
    """The limits of tasks, one for each.

    Args:
        kind: `Limit`, or a subclass.
    """

    def __init__(self, kind: type[L]) -> None:
        self._kind = kind
        self.limits: dict[asyncio.Task[Any] | None, L] = {}
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, when: float, loop: asyncio.AbstractEventLoop) -> L:
        """Return a limit for the current task of the running loop. It must not have another one."""
        task = asyncio.current_task(loop)  # Without the loop, asyncio looks for it, which costs more.
        assert task is not None
        limit = self.limits[task] = self._kind(self, task, when, task.cancelling())
        if self._timer is None or when < self._timer.when():
            self._set_timer(when, loop)
        return limit

    def expect(self, limit: L) -> None:
        """Note that a limit ends at another time."""
        if self._timer is None or limit.when < self._timer.when():
            self._set_timer(limit.when, limit.task.get_loop())

    def close(self) -> None:
        """Make all limits expire now."""
        for limit in self.limits.values():
            limit.expire()
        if self._timer is not None:
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
