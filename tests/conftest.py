"""Fixtures for all tests."""

import asyncio
import contextlib
import gc
import inspect
import os
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest
from coverage import Coverage
from hypothesis import is_hypothesis_test, settings
from support.postgres_servers import PostgresServer, postgres_server
from support.servers import Script, Server, serving

# A busy machine must not fail a test, and the same commit is tested in the same way every time.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")

MEASURED_CASES = 4
"""How many cases of a test measure coverage, at most. Measuring doubles the time that Python takes."""
UNMEASURED = (
    *("tests/faults/", "tests/fleet/", "tests/jobs/test_killed_jobs.py", "tests/ledger/test_cancelled.py"),
    *("tests/ledger/test_kill.py", "tests/ledger/test_nightly.py", "tests/decoding/fast/test_agreement.py"),
    *("tests/pagination/test_exact.py::test_seeded", "tests/pagination/test_exact_lists.py::test_seeded"),
    *("tests/pagination/test_iterator_scripts.py", "tests/pagination/test_repetition.py::test_seeded"),
    *("tests/v1/test_keyed_additions.py::test_lost", "tests/v1/test_keyed_additions.py::test_killed"),
    *("tests/v1/test_concurrent_additions.py::test_the_memory", "tests/v1/test_reports.py::test_a_large_report"),
    *("tests/test_docs.py", "tests/test_docstrings.py", "tests/test_architecture.py", "tests/test_benchmarks.py"),
)
"""Tests that measure no coverage: they run for long what other tests run in short."""


def pytest_configure(config: pytest.Config) -> None:
    """Measure coverage neither in the process that only distributes the tests, nor in those that tests start."""
    measuring = Coverage.current()
    if measuring is None:
        return
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    else:
        measuring.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all but the first cases of a test as unmeasured, as the others run the same code; and the long tests."""
    cases: Counter[str] = Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        is_random = is_hypothesis_test(getattr(item, "obj", None))
        if cases[test] > MEASURED_CASES or is_random or test.startswith(UNMEASURED):
            item.add_marker("unmeasured")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage while a test runs that is marked as unmeasured."""
    measuring = Coverage.current()
    if measuring is None or item.get_closest_marker("unmeasured") is None:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


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
