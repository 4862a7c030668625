"""Cancelling a coroutine at any of its awaits, in an order that does not depend on time."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Literal, TypeVar

T = TypeVar("T")


@types.coroutine
def _drive(coroutine: Coroutine[Any, Any, T], on_step: Callable[[int, Any], None]) -> Generator[Any, Any, T]:
    """Run a coroutine, and report each of its suspensions, with the future that it waits for."""
    steps, error = 0, None
    while True:
        try:
            waits_for = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as end:
            value: T = end.value
            return value
        error = None
        steps += 1
        on_step(steps, waits_for)
        try:
            yield waits_for
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as caught:  # noqa: BLE001 - passed on to the coroutine
            error = caught


async def cancel_at(coroutine: Coroutine[Any, Any, Any], step: int, how: Literal["cancel", "late"]) -> bool:
    """Run a coroutine, and cancel its task at a suspension.

    Args:
        coroutine: What to run.
        step: The number of the suspension, from 1.
        how: `cancel` cancels its task; `late` does so only when what it waits for is there, just before the task goes
            on.

    Returns:
        Whether it was cancelled.
    """
    loop = asyncio.get_running_loop()

    def on_step(number: int, waits_for: Any) -> None:
        if number != step:
            return
        if how == "late" and waits_for is not None:
            waits_for.add_done_callback(lambda _done: task.cancel())
        else:
            loop.call_soon(task.cancel)

    async def run() -> Any:
        return await _drive(coroutine, on_step)

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()
