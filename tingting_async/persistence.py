"""What is kept on this machine: folders for their owner alone, and work that no cancellation leaves half done."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def make_private_dir(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone."""
    if not folder.exists():
        make_private_dir(folder.parent)  # Not `parents=True`: those would be made for all to look into.
        folder.mkdir(mode=0o700, exist_ok=True)


async def run_to_completion(work: Awaitable[T]) -> T:
    """Wait for work that must not be left half done: a cancellation counts once the work has ended."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # Seen: the cancellation is what ends the caller.
        raise cancelled
    return task.result()


async def run_in_thread(work: Callable[[], T]) -> T:
    """Do in a thread what must not be left half done, also where the event loop ends meanwhile."""
    # Not by way of anyio: that takes a task, which `asyncio.run` cancels at its end, and nobody waits for the thread.
    # Not the loop's own threads: those that wait for another process would hold up look-ups of names.
    executor = ThreadPoolExecutor(1)
    try:
        return await run_to_completion(asyncio.get_running_loop().run_in_executor(executor, work))
    finally:
        executor.shutdown(wait=False)
