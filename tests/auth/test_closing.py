"""Closing a session, or the end of the event loop, completes a refresh that has left."""

import asyncio
import contextlib
import gc
import warnings
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.rotation import (
    ACCOUNT,
    EXPIRED,
    RotatingService,
    assert_signed_in,
    connect,
    serving_in_thread,
    turns,
)
from support.servers import closed_port

from tingting_async import (
    FileTokenStore,
    MemoryTokenStore,
    RequestFailed,
    RetryPolicy,
    SessionClosedError,
    TingTing,
)
from tingting_async.persistence import CLOSE_TIMEOUT

pytestmark = pytest.mark.anyio


async def start_refresh(
    url: str, service: RotatingService, store: MemoryTokenStore
) -> tuple[TingTing, "asyncio.Task[Any]"]:
    """Return a session whose refresh has left, and the call that waits for it; the response is held back."""
    await store.save(EXPIRED)
    service.gate.clear()
    tingting = connect(url, store)
    call = asyncio.create_task(tingting.accounts.user_details())
    await service.replaced.wait()
    return tingting, call


async def test_closing_waits_for_a_refresh(url: str, service: RotatingService) -> None:
    """Closing waits for a refresh that has left and saves its tokens; the call that waits ends at once."""
    store = MemoryTokenStore()
    tingting, call = await start_refresh(url, service, store)
    closing = asyncio.create_task(tingting.aclose())
    with pytest.raises(SessionClosedError):
        await call
    assert not closing.done()
    service.gate.set()
    await closing
    assert service.tokens == await store.load()


async def test_closing_in_a_cancelled_scope(url: str, service: RotatingService) -> None:
    """A session that is closed in a cancelled scope completes its refresh nevertheless."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    service.gate.clear()
    with anyio.CancelScope() as scope:
        async with connect(url, store) as tingting:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tingting.accounts.user_details)
                await service.replaced.wait()
                scope.cancel()
                asyncio.get_running_loop().call_later(0.01, service.gate.set)
    assert service.tokens == await store.load()


async def test_closing_does_not_wait_for_ever(url: str, service: RotatingService) -> None:
    """A refresh without a response does not keep a session from closing."""
    tingting, call = await start_refresh(url, service, MemoryTokenStore())
    with anyio.fail_after(20):
        await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await call


async def test_closing_does_not_wait_for_what_has_not_left(deaf_port: int) -> None:
    """Closing ends a sign-in at once that cannot connect, or that waits for its next attempt."""
    for port, attempts in ((deaf_port, 1), (closed_port(), 4)):
        retries = RetryPolicy(attempts=attempts, initial_backoff=1e6, max_backoff=1e6)
        tingting = TingTing(base_url=f"http://127.0.0.1:{port}", retries=retries, timeout=1e7, **ACCOUNT)
        call = asyncio.create_task(tingting.accounts.user_details())
        while not tingting.requests_sent:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)  # So that it connects, or waits.
        with anyio.fail_after(CLOSE_TIMEOUT / 2):
            await tingting.aclose()
        with pytest.raises(SessionClosedError):
            await call


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 8, 12, 16, 20, 30, None])
@pytest.mark.parametrize("closes", [False, True])
def test_end_of_the_loop(tmp_path: Path, steps: int | None, closes: bool) -> None:
    """A refresh that has left is completed and saved when the event loop ends, which cancels all tasks."""
    with serving_in_thread() as (service, url, call_there):
        store = FileTokenStore(tmp_path / "tokens.json")
        asyncio.run(store.save(EXPIRED))

        async def work() -> None:
            tingting = connect(url, store)
            async with tingting if closes else contextlib.nullcontext():
                await tingting.accounts.user_details()

        async def main() -> None:
            call_there(service.gate.clear)
            task = asyncio.create_task(work())
            if steps is None:
                while not service.number:
                    await asyncio.sleep(0.001)
            else:
                await turns(steps)
            asyncio.get_running_loop().call_later(0.05, call_there, service.gate.set)
            del task

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About the session that is never closed.
            asyncio.run(main())
            gc.collect()
        call_there(service.gate.set)
        asyncio.run(assert_signed_in(url, store))


async def test_cancelled_while_the_session_is_closed() -> None:
    """A call that is cancelled while it waits for a sign-in, and its session is closed, ends as cancelled."""
    retries = RetryPolicy(initial_backoff=1e6, max_backoff=1e6)
    for step in range(16):
        tingting = TingTing(base_url=f"http://127.0.0.1:{closed_port()}", retries=retries, timeout=1e7, **ACCOUNT)
        failed = asyncio.Event()
        tingting.subscribe(lambda event, failed=failed: failed.set() if isinstance(event, RequestFailed) else None)  # type: ignore[misc]
        call = asyncio.create_task(tingting.accounts.user_details())
        await failed.wait()
        await turns(2)  # So that the sign-in waits for its next attempt.
        closing = asyncio.create_task(tingting.aclose())
        await turns(step)
        is_cancelled = call.cancel()
        with pytest.raises(asyncio.CancelledError if is_cancelled else SessionClosedError):
            await call
        await closing
