"""A Redis server for the tests of rate limits."""

from collections.abc import Iterator

import pytest
from support.redis_servers import RedisServer, redis_server


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """Return a Redis server that several tests use, one after the other."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """Return a Redis server without any keys, which stays as it is."""
    shared_redis.run("FLUSHALL")
    return shared_redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Return a Redis server of this test alone."""
    with redis_server() as server:
        yield server
