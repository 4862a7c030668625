"""Programs that use the client beside a test that cannot run an event loop itself."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

T = TypeVar("T")


def run_program(program: Callable[[], Awaitable[T]]) -> T:
    """Run an async function in an event loop and a thread of its own, and return its result."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(anyio.run, program).result(30)
