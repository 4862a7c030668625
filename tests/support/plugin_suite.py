"""A user's suite: `tests/sandbox/test_plugin.py` copies it, and runs it with pytest in both modes of pytest-asyncio."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from tingting_async import TingTing, v1
from tingting_async.sandbox import Sandbox

NUMBER = "9800000001"
pytestmark = pytest.mark.tingting_sandbox(campaigns=3, numbers=2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def send(tingting: TingTing | v1.TingTing) -> None:
    await tingting.otp.send(NUMBER, "Your code is {otp}", channel="text")


def sent(sandbox: Sandbox) -> int:
    return sandbox.tally()["otp", NUMBER]


def test_several_loops(tingting_sandbox: Sandbox, tingting: TingTing, tingting_v1: v1.TingTing) -> None:
    otp = tingting.otp
    for _ in range(2):
        asyncio.run(send(tingting))
        anyio.run(send, tingting_v1)
        asyncio.run(otp.send(NUMBER, "Your code is {otp}", channel="text"))
    assert sent(tingting_sandbox) == 6


def test_listeners_in_several_loops(tingting: TingTing) -> None:
    counts: list[int] = []
    events: list[Any] = []
    unsubscribe = tingting.subscribe(events.append)
    for number in range(3):
        if number == 2:
            unsubscribe()
        asyncio.run(send(tingting))
        counts.append(len(events))
    assert counts[0] > 0
    assert counts[1:] == [2 * counts[0]] * 2


def test_a_loop_that_fails(tingting_sandbox: Sandbox, tingting: TingTing) -> None:
    async def fail() -> None:
        await send(tingting)
        task = asyncio.ensure_future(send(tingting))
        raise LookupError(task)

    for _ in range(2):
        with pytest.raises(LookupError):
            asyncio.run(fail())
    assert sent(tingting_sandbox) >= 2


def test_a_session_that_the_test_closes(tingting_sandbox: Sandbox, tingting: TingTing) -> None:
    async def main() -> None:
        async with tingting:
            await send(tingting)

    asyncio.run(main())
    assert sent(tingting_sandbox) == 1


@contextmanager
def loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    with loop_in_a_thread() as loop:
        yield loop


def test_a_loop_in_a_thread(
    running_loop: asyncio.AbstractEventLoop, tingting_sandbox: Sandbox, tingting: TingTing
) -> None:
    asyncio.run_coroutine_threadsafe(send(tingting), running_loop).result(20)
    assert sent(tingting_sandbox) == 1


def test_unused(tingting: TingTing, tingting_v1: v1.TingTing) -> None:
    assert (TingTing, v1.TingTing) == (type(tingting), type(tingting_v1))


@pytest.mark.anyio
async def test_anyio(tingting_sandbox: Sandbox, tingting: TingTing, tingting_v1: v1.TingTing) -> None:
    await send(tingting)
    await send(tingting_v1)
    assert sent(tingting_sandbox) == 2


@pytest.mark.asyncio
async def test_asyncio(tingting_sandbox: Sandbox, tingting: TingTing, tingting_v1: v1.TingTing) -> None:
    await send(tingting)
    await send(tingting_v1)
    assert sent(tingting_sandbox) == 2


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("_", range(2))
async def test_a_loop_of_several_tests(tingting: TingTing, _: int) -> None:
    assert len(await tingting.campaigns.list().collect()) == 3


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    return {"campaigns": 1, "page_size": 2}


@pytest.mark.tingting_sandbox(campaigns=5, rotate_refresh=True)
def test_options(tingting_sandbox: Sandbox) -> None:
    options = tingting_sandbox.options
    assert (5, 2, 2, True) == (options.campaigns, options.numbers, options.page_size, options.rotate_refresh)


@pytest.fixture
def tingting_options() -> dict[str, Any]:
    return {"max_in_flight": 1}


def test_options_of_the_session(tingting_sandbox: Sandbox, tingting: TingTing) -> None:
    async def main() -> None:
        await asyncio.gather(send(tingting), send(tingting))

    asyncio.run(main())
    asyncio.run(main())
    assert tingting_sandbox.peak_in_flight == 1
