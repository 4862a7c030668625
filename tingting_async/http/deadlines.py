"""The attempts on their way: how far each has come, and the end of those whose time is up. Imports nothing of ours."""

import asyncio
from typing import Any

import attrs


@attrs.define(eq=False)
class Deadline:
    """How far one attempt has come, and whether its time is up.

    Ends its task's wait as `asyncio.timeout` does, at a fraction of the cost, which every request pays.
    """

    is_connected: bool
    task: "asyncio.Task[Any]"
    cancelling: int
    deadline: float
    """When it ends at the latest, by the loop's clock."""
    timed_out: bool = False

    def expire(self) -> None:
        """End the attempt."""
        if not self.timed_out:
            self.timed_out = True
            self.task.cancel()

    def consume_cancellation(self) -> bool:
        """Take the own cancellation back; tell whether it was made, and was nobody else's as well."""
        was_late, self.timed_out = self.timed_out, False
        return was_late and self.task.uncancel() <= self.cancelling


class DeadlineTimer:
    """The attempts on their way, under one timer.

    A timer for each would cost every request a tenth of itself, and nearly all end long before their time. So the one
    is set for the earliest deadline, and only when it rings is it looked which is the earliest then.
    """

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], Deadline] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, deadline: float, *, is_connected: bool) -> Deadline:
        """Note an attempt of the current task, which has no other; it is ended at `deadline` at the latest."""
        task = asyncio.current_task()
        assert task is not None
        attempt = self._running[task] = Deadline(is_connected, task, task.cancelling(), deadline)
        if self._timer is None or deadline < self._timer.when():
            self._set_timer(deadline, task.get_loop())
        return attempt

    def current(self) -> Deadline:
        """Return the current task's."""
        task = asyncio.current_task()
        assert task is not None
        return self._running[task]

    def end(self, attempt: Deadline) -> None:
        """Forget an attempt."""
        if attempt.timed_out:
            attempt.consume_cancellation()
        del self._running[attempt.task]

    def close(self) -> None:
        """End them all."""
        if self._timer is not None:
            self._timer.cancel()
        for attempt in self._running.values():
            attempt.expire()

    def _set_timer(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._ring, when, loop)

    def _ring(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for attempt in self._running.values():
            if attempt.deadline <= when:
                attempt.expire()
        waiting = [attempt.deadline for attempt in self._running.values() if not attempt.timed_out]
        if waiting:
            self._set_timer(min(waiting), loop)
