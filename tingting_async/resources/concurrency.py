"""Calls of one operation that run at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from tingting_async.errors import SessionClosedError
from tingting_async.persistence import run_to_completion

T = TypeVar("T")

StartTask = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Starts a task that is cancelled when the session is closed."""


async def for_each(
    produce: Callable[[], Awaitable[T | None]],
    call: Callable[[T], Coroutine[Any, Any, None]],
    start_task: StartTask,
    *,
    limit: int,
    operation: str,
) -> None:
    """Call a function with each item; at most `limit` calls run at the same time.

    The caller's own task produces the items, one after the other, as soon as there is room for another call. If that or
    a call fails, no other call begins, and those in flight are awaited. If the caller is cancelled, they are, too.

    Args:
        produce: Returns the next item, or None after the last one.
        call: Is run in a task of its own.
        start_task: Starts these tasks.
        limit: The maximum number of calls that run at the same time.
        operation: The name of the operation, for errors.

    Raises:
        BaseException: The first failure, of `produce` or of a call.
    """
    tasks: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []
    producing: asyncio.Timeout | None = None

    def end(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        closed = SessionClosedError(f"{operation}: the session was closed during the call.")
        error = closed if task.cancelled() else task.exception()
        if error is None:
            return
        if not failures and producing is not None:
            producing.reschedule(0)  # The next item may be long in coming, and is not wanted any more.
        failures.append(error)

    try:
        while not failures:
            if len(tasks) >= limit:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                async with asyncio.timeout(None) as producing:
                    item = await produce()
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
            else:
                if item is None:
                    break
                if not failures:
                    tasks.add(task := start_task(call(item)))
                    task.add_done_callback(end)
            finally:
                producing = None
        while tasks:
            await asyncio.wait(tasks)
    except BaseException as error:
        for task in tasks:
            task.cancel()
        if tasks and not isinstance(error, GeneratorExit):
            with suppress(asyncio.CancelledError):
                # A list of its own: the last of the tasks may end, and leave the set, before the wait begins.
                await run_to_completion(asyncio.wait([*tasks]))
        raise
    if failures:
        raise failures[0]
