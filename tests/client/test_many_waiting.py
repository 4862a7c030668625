"""Many calls that wait for the same thing: none of them costs more because the others wait, too."""

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.rotation import RotatingService
from support.servers import Received, serving

from tingting_async import MemoryTokenStore, NotSentError, RetryPolicy, SessionClosedError, Timeout, TingTing, Tokens
from tingting_async.http.throttle import Slots

pytestmark = pytest.mark.anyio

MANY = 300


class CountingFuture(asyncio.Future[Any]):
    """A future that counts how often it is compared with others, as a search through a list does."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        CountingFuture.compared += 1
        return self is other

    __hash__ = asyncio.Future.__hash__


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop whose futures count."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return CountingFuture(loop=self)


def most_callbacks() -> int:
    """Return how many callbacks the future has that has most of them."""
    futures = [each for each in gc.get_objects() if isinstance(each, asyncio.Future)]
    return max(len(each._callbacks or ()) for each in futures)


def run(main: Coroutine[Any, Any, None]) -> int:
    """Run a coroutine, and return how many comparisons of futures it needed."""
    before = CountingFuture.compared
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(main)
    return CountingFuture.compared - before


ENDS: dict[str, Callable[[list[asyncio.Task[Any]]], None]] = {
    "first to last": lambda tasks: [task.cancel() for task in tasks] and None,
    "last to first": lambda tasks: [task.cancel() for task in reversed(tasks)] and None,
    "in any order": lambda tasks: [task.cancel() for task in random.Random(14).sample(tasks, len(tasks))] and None,
}


@pytest.mark.parametrize("order", ENDS)
def test_cancelled_while_waiting_for_a_slot(order: str) -> None:
    """A request that is cancelled while it waits for a slot is not searched for among the others."""

    async def main() -> None:
        slots = Slots(1)
        slots.free -= 1
        tasks = [asyncio.create_task(slots.wait()) for _ in range(MANY)]
        await asyncio.sleep(0)
        ENDS[order](tasks)
        await asyncio.wait(tasks)
        slots.release()
        assert 1 == slots.free

    assert run(main()) <= MANY


@pytest.mark.parametrize("seed", range(20))
async def test_slots(seed: int) -> None:
    """However requests arrive, end and are cancelled, no slot is lost or given twice, and the first come are served."""
    chance = random.Random(seed)
    count = chance.randint(1, 3)
    slots, served, occupied = Slots(count), list[int](), 0

    async def occupy(number: int) -> None:
        nonlocal occupied
        if slots.free:
            slots.free -= 1
        else:
            await slots.wait()
        served.append(number)
        occupied += 1
        assert occupied <= count
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            occupied -= 1
            slots.release()

    tasks = []
    for number in range(60):
        tasks.append(asyncio.create_task(occupy(number)))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if chance.random() < 0.4:
            chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [] == [task for task in tasks if not task.cancelled() and task.exception() is not None]
    if count == 1:  # A request that finds a free slot may run before one that was given another and has still to wake.
        assert sorted(served) == served
    assert count == slots.free


@pytest.mark.parametrize("how", ["timed out", "cancelled", "closed", "signed in"])
async def test_waiting_for_one_refresh(serve: Any, how: str) -> None:
    """Calls that wait for one token refresh wait for futures of their own, however they end."""
    service = RotatingService()
    server = await serve(service.script)
    service.gate.clear()
    store = MemoryTokenStore()
    await store.save(Tokens("access-0", "refresh-0", refresh_at=0.0))
    timeout = Timeout(total=0.5) if how == "timed out" else Timeout()
    tingting = TingTing(base_url=server.url, token_store=store, timeout=timeout, retries=RetryPolicy(attempts=1))
    async with tingting:
        calls = [asyncio.create_task(tingting.accounts.user_details()) for _ in range(MANY)]
        await service.replaced.wait()
        assert most_callbacks() <= 3
        closing = []
        if how == "cancelled":
            for call in random.Random(14).sample(calls, MANY):
                call.cancel()
        elif how == "closed":
            closing = [asyncio.create_task(tingting.aclose())]
        elif how == "signed in":
            service.gate.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        service.gate.set()
        await asyncio.gather(*closing)
    expected = {"timed out": NotSentError, "cancelled": asyncio.CancelledError, "closed": SessionClosedError}
    if how == "signed in":
        assert [] == [end for end in ends if isinstance(end, BaseException)]
    else:
        assert {expected[how]} == {type(end) for end in ends}
    assert service.tokens == await store.load()


@pytest.mark.parametrize("what", ["slot", "rate"])
async def test_waiting_for_the_throttle(what: str) -> None:
    """Calls that wait for a slot or for the rate limit wait for futures of their own."""

    async def hold(_: Received) -> None:
        await server.released.wait()

    options: dict[str, Any] = {"max_in_flight": 1} if what == "slot" else {"max_in_flight": MANY, "rate": 0.001}
    async with serving(hold) as server, TingTing(base_url=server.url, api_token="t", **options) as tingting:
        calls = [asyncio.create_task(tingting.accounts.user_details()) for _ in range(MANY)]
        await server.received(1)
        assert most_callbacks() <= 3
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
