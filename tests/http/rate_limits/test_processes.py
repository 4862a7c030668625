"""Processes that share a rate limit."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from support.servers import Received

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("worker.py")
USER = b"""{"status": 200, "success": true,
"data": {"user_details": {"first_name": "S", "last_name": "E", "email": "sita@example.com"}}}"""


@pytest.fixture(params=["redis", "postgres"])
def where(request: pytest.FixtureRequest) -> str:
    """Return the URL or connection string of a server of each kind."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis").url)
    return str(request.getfixturevalue("shared_postgres").dsn(request.getfixturevalue("database")))


@contextmanager
def worker(*arguments: str) -> Iterator[Any]:
    """Start a process that shares the limit, and kill it at the end."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-P", str(WORKER), *arguments], stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_four_processes(where: str, serve: Any) -> None:
    """Four processes that share a limit never send more than it allows since they began."""
    arrivals: list[float] = []

    async def note(received: Received) -> None:
        arrivals.append(monotonic())
        await received.respond(USER)

    server = await serve(note)
    arguments = (where, "50", server.url, "25")
    with worker(*arguments) as one, worker(*arguments) as two, worker(*arguments) as three, worker(*arguments) as four:
        workers = (one, two, three, four)
        for each in workers:
            assert "ready\n" == await asyncio.to_thread(each.stdout.readline)
        started = monotonic()
        results = await asyncio.gather(*(asyncio.to_thread(each.communicate, "\n") for each in workers))
    assert ["25"] * 4 == [output.split()[0] for output, _ in results]
    assert 100 == len(arrivals)
    # A request may arrive late, but never before its moment: the request of index n has the moment n / 50 or later.
    assert [] == [index for index, moment in enumerate(arrivals) if moment - started < index / 50 - 0.01]


FORK = """
import asyncio, os, sys
from tingting_async import PostgresRateLimit, RedisRateLimit

where = sys.argv[1]
kind = RedisRateLimit if where.startswith("redis") else PostgresRateLimit
limit = kind(where, per_second=0.01)

async def reserve():
    (wait,) = await limit.reserve([1e9])
    print(round(wait, -2), flush=True)

parent = asyncio.Runner()
parent.run(reserve())
if (child := os.fork()) == 0:
    asyncio.run(reserve())
    os._exit(0)
os.waitpid(child, 0)
parent.run(reserve())
parent.run(limit.aclose())
"""


def test_fork(where: str) -> None:
    """A limit that is used before a fork works afterwards in both processes."""
    command = [sys.executable, "-P", "-c", FORK, where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ("0.0\n100.0\n200.0\n", "") == (done.stdout, done.stderr)
