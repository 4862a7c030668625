"""Counts the turns of the event loop, to see whether other tasks run meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Turns:
    """The turns of the event loop until now."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        """Count the turns until this task is cancelled."""
        while True:
            await asyncio.sleep(0)
            self.count += 1


@asynccontextmanager
async def counting_turns() -> AsyncGenerator[Turns]:
    """Count the turns of the event loop in another task."""
    turns = Turns()
    task = asyncio.ensure_future(turns.run())
    try:
        yield turns
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
