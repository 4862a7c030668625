"""The event that works across threads and event loops."""

import asyncio
from typing import Any

import pytest

from tingting_async.sandbox.events import Event


@pytest.mark.anyio
async def test_set_wakes_waiters() -> None:
    """Setting the event in another thread wakes a task that waits, and a later `wait()` returns at once."""
    event = Event()
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.sleep(0)
    await asyncio.to_thread(event.set)
    await waiting
    await event.wait()
    assert event.is_set()


@pytest.mark.anyio
async def test_cancelled_waiter() -> None:
    """A waiter that was cancelled does not disturb the others."""
    event = Event()
    cancelled, waiting = asyncio.ensure_future(event.wait()), asyncio.ensure_future(event.wait())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.to_thread(event.set)
    await waiting
    assert cancelled.cancelled()


def test_clear() -> None:
    """A cleared event is no longer set."""
    event = Event()
    event.set()
    event.clear()
    assert not event.is_set()


def test_closed_loop() -> None:
    """The event can be set although the loop of a waiter has been closed."""
    event = Event()

    async def begin_to_wait() -> Any:
        waiting = event.wait()
        waiting.send(None)
        return waiting

    waiting = asyncio.run(begin_to_wait())
    event.set()
    assert event.is_set()
    waiting.close()
