"""Locations for tokens, their servers, and processes that share a location."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from support.postgres_servers import PostgresServer
from support.redis_servers import PASSWORD, RedisServer, redis_server

from tingting_async import FileTokenStore, PostgresTokenStore, RedisTokenStore

WORKER = Path(__file__).parent / "worker.py"


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """Start a Redis server for the tests, and return its port."""
    with redis_server() as server:
        yield server.port


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Return a Redis server of this test alone."""
    with redis_server() as server:
        yield server


@attrs.frozen
class Place:
    """Where several processes keep tokens."""

    kind: str
    where: str
    """The path of the file, the URL of Redis, or the connection string of PostgreSQL."""

    def open(self, **options: Any) -> Any:
        """Return a new store at the place."""
        if self.kind == "file":
            return FileTokenStore(self.where)
        if self.kind == "postgres":
            return PostgresTokenStore(self.where, **options)
        return RedisTokenStore(self.where, **{"key": "tokens", **options})

    @contextlib.contextmanager
    def worker(self, action: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Start a process that uses the place, and kill it at the end."""
        command = [sys.executable, "-P", str(WORKER), self.kind, self.where, action, *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """Return a file in a directory that does not exist yet."""
    return Place("file", str(tmp_path / "state" / "tokens.json"))


@pytest.fixture
def place_of() -> Callable[[str], Place]:
    """Return a function that returns the place for a path."""
    return lambda path: Place("file", path)


@pytest.fixture
def redis_place(redis_port: int) -> Place:
    """Return an empty database."""
    from redis import Redis

    url = f"redis://:{PASSWORD}@127.0.0.1:{redis_port}/0"
    with Redis.from_url(url) as client:
        client.flushdb()
    return Place("redis", url)


@pytest.fixture
def postgres_place(shared_postgres: PostgresServer, database: str) -> Place:
    """Return an empty database."""
    return Place("postgres", shared_postgres.dsn(database))


@pytest.fixture(params=["file", "redis", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """Return a place of each kind."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
async def make(place: Place) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that opens stores at the place, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def open_one(**options: Any) -> Any:
            store = place.open(**options)
            if place.kind != "file":
                stack.push_async_callback(store.aclose)
            return store

        yield open_one
