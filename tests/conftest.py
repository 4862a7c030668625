"""Fixtures for all tests."""

import asyncio
import contextlib
import gc
import inspect
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from support.postgres_servers import PostgresServer, postgres_server
from support.servers import Script, Server, serving

# A busy machine must not fail a test, and the same commit is tested in the same way every time.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.fixture(scope="module", autouse=True)
def _frozen_heap() -> None:
    """Leave out of garbage collection what was there before a file of tests. Some tests collect garbage often."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the only event loop that aiohttp supports."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    """Fail an async test that leaves a task or a socket behind."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("_leftovers")


@pytest.fixture
async def _leftovers() -> AsyncIterator[None]:
    loop: Any = asyncio.get_running_loop()

    def found() -> set[object]:
        # The selector of the loop holds every open socket, of clients and servers alike.
        tasks = (task for task in asyncio.all_tasks() if "TestRunner" not in repr(task))
        return {*tasks, *(key.fileobj for key in loop._selector.get_map().values())}

    before = found()
    yield
    for _ in range(2000):  # Closing may take some iterations of the loop.
        if not found() - before:
            break
        await asyncio.sleep(0.001)
    assert set() == found() - before, "The test left tasks or sockets behind."


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Return a function that starts servers, which respond as a script says; with `tls`, over TLS."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script, *, tls: ssl.SSLContext | None = None) -> Server:
            return await stack.enter_async_context(serving(script, tls=tls))

        yield start


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Return a port on which connecting neither succeeds nor fails, because its backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # More than the smallest backlog that a system grants.
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for all tests of this process, each of which has a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for this test alone, which may stop it."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(shared_postgres: PostgresServer) -> Iterator[str]:
    """Return the name of an empty database on the shared server."""
    name = shared_postgres.make_database()
    yield name
    shared_postgres.drop_database(name)
