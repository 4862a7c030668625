"""A token store in Redis, while its server closes connections, restarts and fails over."""

import asyncio
import random
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from support.redis_servers import RedisServer, cutting_proxy
from support.rotation import REFRESH, RotatingService

from tingting_async import RedisTokenStore, RetryPolicy, TingTing, Tokens, TokenStoreError

pytestmark = pytest.mark.anyio

TOKENS = Tokens("access", "refresh")
EXPIRED = Tokens("access-0", "refresh-0", refresh_at=0.0)


@pytest.mark.parametrize("is_own", [False, True])
async def test_idle_connections_that_are_closed(own_redis: RedisServer, is_own: bool) -> None:
    """The first call of every kind works after the server has closed its idle connections, with any client."""
    client = Redis.from_url(own_redis.url, retry=Retry(NoBackoff(), 0))
    async with client, RedisTokenStore(client if is_own else own_redis.url, key="tokens") as store:
        await asyncio.gather(store.load(), store.save(TOKENS), store.load())
        for use in (store.load, lambda: store.save(TOKENS), lambda: enter(store)):
            own_redis.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await use()
        async with store.lock():
            own_redis.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert own_redis.run("EXISTS", "tokens:lock") == 0


async def enter(store: RedisTokenStore) -> None:
    """Hold the lock for a moment."""
    async with store.lock():
        pass


async def test_restart(own_redis: RedisServer, serve: Any) -> None:
    """A session goes on after a restart of the server, before a refresh and while one is in flight."""
    service = RotatingService()
    url = (await serve(service.script)).url
    async with RedisTokenStore(own_redis.url, key="tokens") as store:
        await store.save(EXPIRED)
        async with TingTing(base_url=url, token_store=store) as tingting:
            own_redis.stop()
            own_redis.start()
            await tingting.accounts.user_details()
            service.expire()
            service.gate.clear()
            service.replaced.clear()
            call = asyncio.create_task(tingting.accounts.user_details())
            await service.replaced.wait()
            own_redis.stop()
            own_redis.start()
            service.gate.set()
            await call
        assert service.tokens == await store.load()
    assert 2 == service.count(REFRESH)


async def test_failover_to_a_replica(own_redis: RedisServer, serve: Any) -> None:
    """A server that becomes a read-only replica during a refresh loses no token, and the error says what it is."""
    service = RotatingService()
    url = (await serve(service.script)).url
    async with RedisTokenStore(own_redis.url, key="tokens") as store:
        await store.save(EXPIRED)
        async with TingTing(base_url=url, token_store=store, retries=RetryPolicy(initial_backoff=0)) as tingting:
            service.gate.clear()
            call = asyncio.create_task(tingting.accounts.user_details())
            await service.replaced.wait()
            own_redis.run("REPLICAOF", "127.0.0.1", "1")
            service.gate.set()
            with pytest.raises(TokenStoreError, match="could not be written: the server is a read-only replica"):
                await call
            await tingting.accounts.user_details()  # The session has its tokens.
            with pytest.raises(TokenStoreError, match="could not be locked: the server is a read-only replica"):
                await tingting.accounts.refresh()
            own_redis.run("REPLICAOF", "NO", "ONE")
            await tingting.accounts.user_details()
            assert service.tokens == await store.load()
    assert 1 == service.count(REFRESH)


async def test_lock_whose_grant_is_lost(redis_place: Any, redis_port: int) -> None:
    """If the response that grants the lock is lost, the lock is acquired at once and not after the lease."""
    async with cutting_proxy(redis_port, lambda number: "after" if number == 0 else "") as (port, _):
        where = redis_place.where.replace(str(redis_port), str(port))
        async with RedisTokenStore(where, key="tokens", lease=3600) as store:
            await enter(store)
            await enter(store)


async def test_any_lost_connections(
    redis_place: Any, redis_port: int, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever commands lose their connection, before or after they are carried out, a refresh succeeds."""
    for seed in range(40):
        seeds = random.Random(seed)
        cuts = {number: seeds.choice(("before", "after")) for number in seeds.sample(range(8), 3)}
        service = RotatingService()
        server = await serve(service.script)
        async with cutting_proxy(redis_port, lambda number, cuts=cuts: cuts.get(number, "")) as (port, commands):
            where = redis_place.where.replace(str(redis_port), str(port))
            async with redis_place.open() as direct:
                await direct.save(EXPIRED)
                async with RedisTokenStore(where, key="tokens") as store:
                    async with TingTing(base_url=server.url, token_store=store) as tingting:
                        await tingting.accounts.user_details()
                assert len(commands) == 4 + sum(number < len(commands) for number in cuts)
                assert service.tokens == await direct.load()
        assert 1 == service.count(REFRESH)
    assert [] == caplog.records


async def test_lock_that_was_not_released(own_redis: RedisServer) -> None:
    """A lock that could not be released is acquired again by the same store at once, and not after the lease."""
    async with RedisTokenStore(own_redis.url, key="tokens", lease=3600) as store:
        async with store.lock():
            own_redis.run("REPLICAOF", "127.0.0.1", "1")
        own_redis.run("REPLICAOF", "NO", "ONE")
        await enter(store)
        await enter(store)


def test_two_event_loops(redis_place: Any) -> None:
    """A store for a URL works in one event loop after another; a client of the user's own is refused clearly."""
    store = redis_place.open()

    async def use() -> Tokens | None:
        async with store.lock():
            await store.save(Tokens("access", refresh_at=time.time()))
        loaded: Tokens | None = await store.load()
        await store.aclose()
        return loaded

    assert asyncio.run(use()) != asyncio.run(use())

    async def connect() -> RedisTokenStore:
        shared = RedisTokenStore(Redis.from_url(redis_place.where), key="tokens")
        await shared.load()
        return shared

    with asyncio.Runner() as runner:
        shared = runner.run(connect())
        with asyncio.Runner() as other:
            with pytest.raises(TokenStoreError, match="It belongs to one event loop: give the store a URL"):
                other.run(shared.load())
        client: Any = shared._user_client
        runner.run(client.aclose())
