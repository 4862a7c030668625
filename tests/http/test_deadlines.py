"""Attempts under one timer: each ends at its own time, whatever the others' limits are."""

import asyncio

import anyio
import pytest

from tingting_async.http.deadlines import DeadlineTimer

pytestmark = pytest.mark.anyio


async def waits_for(attempts: DeadlineTimer, limit: float, *, ended: list[float]) -> None:
    """Wait for what never comes, until the attempt is ended."""
    attempt = attempts.begin(asyncio.get_running_loop().time() + limit, is_connected=False)
    try:
        with anyio.fail_after(5):  # It ends long before, or never.
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        assert attempt.consume_cancellation()
        ended.append(limit)
    finally:
        attempts.end(attempt)


@pytest.mark.parametrize("limits", [(0.03, 0.02, 0.01), (0.01, 0.02, 0.03), (0.02, 0.03, 0.01), (0.01, 0.01, 0.02)])
async def test_each_ends(limits: tuple[float, ...]) -> None:
    """Attempts of different limits end in the order of their deadlines, in whichever order they began."""
    attempts, ended = DeadlineTimer(), list[float]()
    await asyncio.gather(*(waits_for(attempts, limit, ended=ended) for limit in limits))
    assert sorted(limits) == ended


async def test_timer_of_one_that_is_over() -> None:
    """The deadline of an attempt that is over ends no other, and the one after it is kept."""
    attempts, ended = DeadlineTimer(), list[float]()
    attempts.end(attempts.begin(asyncio.get_running_loop().time(), is_connected=False))
    await waits_for(attempts, 0.01, ended=ended)
    assert ended == [0.01]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_close() -> None:
    """Closing ends every attempt at once, and twice does it no more than once."""
    attempts, ended = DeadlineTimer(), list[float]()
    tasks = [asyncio.create_task(waits_for(attempts, limit, ended=ended)) for limit in (100.0, 50.0)]
    await asyncio.sleep(0)
    attempts.close()
    attempts.close()
    await asyncio.gather(*tasks)
    assert sorted(ended) == [50.0, 100.0]
    assert [task.cancelling() for task in tasks] == [0, 0]
