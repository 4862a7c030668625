"""A rate limit in Redis, and what its server does to it.

With a rate of one request in a thousand seconds, the first request is sent and no other, so no test needs the clock.
"""

import asyncio
import logging
import math
import random
import socket
from typing import Any

import pytest
import redis as redis_client
from redis.asyncio import Redis
from support.messages import READ, SEND
from support.rate_limits import require_shared_by_loops, require_slowest_rate
from support.redis_servers import RedisServer, cutting_proxy
from support.servers import succeed

from tingting_async import (
    NotSentError,
    RedisRateLimit,
    SessionClosedError,
    Timeout,
    TingTing,
    UsageError,
)

pytestmark = pytest.mark.anyio

KEY = "tingting:rate:default"
SPACING = f"tingting:spacing:{{{KEY}}}"
HOUR = 3600 * 10**6


def connect(url: str, limit: RedisRateLimit, **options: Any) -> TingTing:
    """Return a session with a rate limit."""
    return TingTing(base_url=url, rate=limit, **{"api_token": "key", "timeout": 60, **options})


def now(redis: RedisServer) -> int:
    """Return the time of the server, in microseconds."""
    seconds, microseconds = redis.run("TIME")
    return int(seconds * 10**6 + microseconds)


async def test_evenly_spaced(redis: RedisServer) -> None:
    """Sessions that share a limit by its name get moments that are evenly spaced; another name is another limit."""
    async with (
        RedisRateLimit(redis.url, per_second=0.01) as one,
        RedisRateLimit(redis.url, per_second=0.01) as two,
        RedisRateLimit(redis.url, per_second=0.01, name="other") as other,
    ):
        waits = [*await one.reserve([1e6] * 3), *await two.reserve([1e6] * 2), *await one.reserve([1e6])]
        assert [0, 100, 200, 300, 400, 500] == [round(wait or 0, -1) for wait in waits]
        assert [0.0] == await other.reserve([1.0])
    assert redis.run("PTTL", KEY) > 600_000


async def test_slowest_rate(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Limits of different rates keep to the slowest until ten minutes after its last moment; the faster one warns."""

    def lapse() -> None:
        assert redis.run("PTTL", SPACING) == pytest.approx(1000 * (4200 + 600), abs=60_000)
        redis.run("DEL", SPACING)

    await require_slowest_rate(lambda **options: RedisRateLimit(redis.url, **options), lapse, caplog)


async def test_same_rate(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Limits whose rates are equal as shown log no warning, and each reservation is one round trip."""
    async with cutting_proxy(redis.port, lambda _: "") as (port, commands):
        url = redis.url.replace(str(redis.port), str(port))
        for rate in (0.3, 0.1 + 0.2, 0.3):
            async with RedisRateLimit(url, per_second=rate) as limit:
                await limit.reserve([1e6])
    assert (3, []) == (len(commands), caplog.records)


async def test_handler_that_raises(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A logging handler that raises an error for the warning does not fail the requests."""

    def fail(record: logging.LogRecord) -> bool:
        raise RuntimeError(record.msg)

    caplog.handler.addFilter(fail)
    async with RedisRateLimit(redis.url, per_second=0.001) as slow, RedisRateLimit(redis.url, per_second=1) as fast:
        assert [0.0] == await slow.reserve([1.0])
        assert [None] == await fast.reserve([1.0])
    caplog.handler.removeFilter(fail)


@pytest.mark.parametrize("seed", range(10))
async def test_refusals_reserve_nothing(redis: RedisServer, seed: int) -> None:
    """Nothing is reserved for a request whose limit is too short, whatever limits the requests have."""
    seeds = random.Random(seed)
    rate = seeds.choice((0.01, 0.03, 1 / 700))
    reserved = 0
    async with RedisRateLimit(redis.url, per_second=rate) as one, RedisRateLimit(redis.url, per_second=rate) as two:
        for _ in range(20):
            limits = [seeds.choice((-1.0, 0.0, 60.0, 1e9, math.inf)) for _ in range(seeds.randrange(5))]
            for wait, limit in zip(await seeds.choice((one, two)).reserve(limits), limits, strict=True):
                if limit < reserved / rate - 50:
                    assert wait is None
                elif limit > reserved / rate:
                    assert reserved / rate == pytest.approx(wait, abs=20)  # The machine may be slow.
                reserved += wait is not None


async def test_too_late(redis: RedisServer, serve: Any) -> None:
    """A request that could leave only after its limit fails at once, and uses nothing up."""
    server = await serve(succeed)
    async with RedisRateLimit(redis.url, per_second=0.001) as limit, connect(server.url, limit) as tingting:
        await tingting._core.execute(READ)
        free = redis.run("GET", KEY).split()[0]
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
        assert free == redis.run("GET", KEY).split()[0]
    said = "things.send: would have to wait longer than 60 s for the rate limit (`rate`). Nothing was sent."
    assert said == str(caught.value)
    assert ("rate", 1) == (caught.value.phase, len(server.requests))


@pytest.mark.parametrize("decodes", [False, True])
async def test_own_client(redis: RedisServer, decodes: bool) -> None:
    """The user's own client is used with its settings, and not closed."""
    async with Redis.from_url(redis.url, decode_responses=decodes, max_connections=2) as client:
        async with RedisRateLimit(client, per_second=0.001) as limit:
            assert [0.0, None] == await limit.reserve([1.0, 1.0])
        assert await client.ping()


@pytest.mark.parametrize("loss", [("FLUSHALL",), ("DEL", KEY), ("SCRIPT", "FLUSH"), ("SET", KEY, "garbage")])
async def test_lost_key(redis: RedisServer, loss: tuple[str, ...]) -> None:
    """If the server loses the key or the script, a process still keeps to what it has reserved itself."""
    async with RedisRateLimit(redis.url, per_second=0.001) as limit:
        assert [0.0] == await limit.reserve([1.0])
        redis.run(*loss)
        assert [None] == await limit.reserve([800.0])
        (wait,) = await limit.reserve([1e6])
        assert 1000 == pytest.approx(wait, abs=100)


async def test_clock_set_back(redis: RedisServer) -> None:
    """If the server's clock is set back, requests wait as long as they would have waited before, and no longer."""
    later = now(redis) + 5 * HOUR
    redis.run("SET", KEY, f"{later + HOUR} {later}")
    async with RedisRateLimit(redis.url, per_second=0.001) as limit:
        assert [3600, 4600] == [round(wait or 0) for wait in await limit.reserve([1e9, 1e9])]


async def test_clock_set_forward(redis: RedisServer) -> None:
    """If the server's clock is set forward, a process still keeps to what it has reserved itself."""
    async with RedisRateLimit(redis.url, per_second=0.001) as limit:
        assert [0.0] == await limit.reserve([1.0])
        free, seen = map(int, redis.run("GET", KEY).split())
        redis.run("SET", KEY, f"{free - 5 * HOUR} {seen - 5 * HOUR}")
        assert [None] == await limit.reserve([800.0])


async def test_idle_connections_that_are_closed(own_redis: RedisServer, serve: Any) -> None:
    """Requests leave after the server has closed its idle connections, and after a restart."""
    server = await serve(succeed)
    async with RedisRateLimit(own_redis.url, per_second=1000) as limit, connect(server.url, limit) as tingting:
        await tingting._core.execute(SEND)
        own_redis.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await tingting._core.execute(SEND)
        own_redis.stop()
        own_redis.start()
        await tingting._core.execute(SEND)
    assert 3 == len(server.requests)


async def test_no_server(own_redis: RedisServer, serve: Any) -> None:
    """If the server is down, every request that waits fails unsent and says what to do; later ones leave again."""
    server = await serve(succeed)
    timeout = Timeout(pool=None, total=1e6)
    async with RedisRateLimit(own_redis.url, per_second=1000) as limit:
        async with connect(server.url, limit, timeout=timeout) as tingting:
            await tingting._core.execute(SEND)
            own_redis.stop()
            calls = (tingting._core.execute(SEND) for _ in range(10))
            results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
            own_redis.start()
            await tingting._core.execute(SEND)
    errors = [result for result in results if isinstance(result, NotSentError)]
    assert 10 == len({id(error) for error in errors})
    assert {"rate"} == {error.phase for error in errors}
    said = str(errors[0])
    assert said.startswith("things.send: the rate limit (`rate`) failed: the limit 'default' in Redis could not be ")
    assert said.endswith("Is the server up and reachable? Nothing was sent.")
    assert "pass-of-redis" not in said
    assert 2 == len(server.requests)


async def test_silent_server(deaf_port: int, serve: Any) -> None:
    """If the server does not respond, a request fails after the limit's `timeout`, long before its own."""
    server = await serve(succeed)
    async with RedisRateLimit(f"redis://127.0.0.1:{deaf_port}", per_second=5, timeout=0.3) as limit:
        async with connect(server.url, limit, timeout=1e6) as tingting:
            with pytest.raises(NotSentError, match=r"TimeoutError: no response within 0\.3 s\."):
                await asyncio.wait_for(tingting._core.execute(SEND), 20)
    assert [] == server.requests


async def test_connections_that_became_silent(shared_redis: RedisServer) -> None:
    """If nothing responds on the idle connections any more, a reservation is made over a new one."""
    connections = silent = 0

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        number = connections
        connections += 1
        there, here = await asyncio.open_connection("127.0.0.1", shared_redis.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(2**16):
                if number >= silent:
                    sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, here), pump(there, writer), return_exceptions=True)

    async with await asyncio.start_server(converse, "127.0.0.1", 0) as proxy:
        url = shared_redis.url.replace(str(shared_redis.port), str(proxy.sockets[0].getsockname()[1]))
        async with RedisRateLimit(url, per_second=1000, timeout=1.5, name="silent") as limit:
            await asyncio.gather(*(limit.reserve([60.0]) for _ in range(5)))
            silent = connections
            (wait,) = await limit.reserve([60.0])
    assert wait is not None
    assert (5, 6) == (silent, connections)


async def test_closed_while_the_server_is_silent(deaf_port: int, serve: Any) -> None:
    """Closing the session ends a reservation to which the server does not respond."""
    server = await serve(succeed)
    async with RedisRateLimit(f"redis://127.0.0.1:{deaf_port}", per_second=5, timeout=1e6) as limit:
        tingting = connect(server.url, limit, timeout=1e6)
        call = asyncio.create_task(tingting._core.execute(SEND))
        await asyncio.sleep(0.05)
        await tingting.aclose()
        with pytest.raises(SessionClosedError):
            await asyncio.wait_for(call, 20)
    assert [] == server.requests


async def test_read_only_replica(own_redis: RedisServer, serve: Any) -> None:
    """If the server has become a read-only replica, requests fail unsent and say so, until it is a primary again."""
    server = await serve(succeed)
    async with RedisRateLimit(own_redis.url, per_second=1000) as limit, connect(server.url, limit) as tingting:
        await tingting._core.execute(READ)
        own_redis.run("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(NotSentError, match=r"read-only replica. Connect to the primary. Nothing was sent."):
            await tingting._core.execute(SEND)
        own_redis.run("REPLICAOF", "NO", "ONE")
        await tingting._core.execute(SEND)
    assert 2 == len(server.requests)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(("LPUSH", KEY, "x"), "the server refused with ResponseError"), (None, "AuthenticationError: ")],
    ids=["type", "password"],
)
async def test_refusals_of_the_server(redis: RedisServer, serve: Any, spoil: Any, said: str) -> None:
    """If the server refuses, requests fail unsent, and their errors show no password."""
    server = await serve(succeed)
    if spoil:
        redis.run(*spoil)
    url = redis.url if spoil else redis.url.replace("pass-of-redis", "wrong-pass-of-redis")
    async with RedisRateLimit(url, per_second=5) as limit, connect(server.url, limit) as tingting:
        with pytest.raises(NotSentError, match=said) as caught:
            await tingting._core.execute(SEND)
        assert "pass-of-redis" not in str(caught.value) + repr(limit)
    assert [] == server.requests


@pytest.mark.parametrize("seed", range(8))
async def test_any_lost_connections(redis: RedisServer, serve: Any, seed: int) -> None:
    """Whichever reservations lose their connection, before or after they are made, all requests leave, in order."""
    seeds = random.Random(seed)
    cuts = {number: seeds.choice(("before", "after")) for number in seeds.sample(range(12), 5)}
    server = await serve(succeed)
    async with cutting_proxy(redis.port, lambda number: cuts.get(number, "")) as (port, commands):
        url = redis.url.replace(str(redis.port), str(port))
        async with RedisRateLimit(url, per_second=200) as limit, connect(server.url, limit) as tingting:
            started = now(redis)
            for count in (1, 3, 1, 5, 2):
                await asyncio.gather(*(tingting._core.execute(SEND) for _ in range(count)))
    assert 12 == len(server.requests)
    assert len(commands) >= 5
    assert int(redis.run("GET", KEY).split()[0]) >= started + 12 * 5000


def test_event_loops_and_threads(redis: RedisServer) -> None:
    """A limit for a URL may be shared by event loops, one after the other and in threads at the same time."""
    require_shared_by_loops(RedisRateLimit(redis.url, per_second=0.01))


def test_own_client_in_two_event_loops(redis: RedisServer) -> None:
    """A client of the user's own is refused in another event loop, with an error that says what to do."""
    client = Redis.from_url(redis.url)
    limit = RedisRateLimit(client, per_second=1000)
    with asyncio.Runner() as runner, asyncio.Runner() as other:
        runner.run(limit.reserve([1.0]))  # type: ignore[arg-type, unused-ignore]
        with pytest.raises(NotSentError, match="It belongs to one event loop: give the store a URL"):
            other.run(limit.reserve([1.0]))  # type: ignore[arg-type, unused-ignore]
        runner.run(client.aclose())


@pytest.mark.parametrize(
    "options",
    [
        *({"per_second": value} for value in (0, -1, math.nan, math.inf, "5", None, True, 5e-324, 10**400)),
        *({"name": value} for value in ("", None, 5)),
        *({"timeout": value} for value in (0, -1, math.nan, math.inf, "5", None)),
    ],
    ids=repr,
)
def test_invalid_arguments(options: dict[str, Any]) -> None:
    """An invalid argument is a UsageError that names it."""
    with pytest.raises(UsageError, match=f"`{next(iter(options))}`"):
        RedisRateLimit("redis://localhost", **{"per_second": 5, **options})


@pytest.mark.parametrize(
    "client",
    [5, None, b"redis://:canary@localhost", Redis, redis_client.Redis(), socket.socket],
    ids=lambda client: type(client).__name__,
)
def test_invalid_client(client: Any) -> None:
    """A client that is neither a URL nor a client of `redis.asyncio` is a UsageError that says what to give."""
    expected = r"`client` must be a URL such as .*, or a client of `redis.asyncio`, not "
    with pytest.raises(UsageError, match=expected) as caught:
        RedisRateLimit(client, per_second=5)
    assert "canary" not in str(caught.value)


def test_invalid_url() -> None:
    """A value that is not the URL of a Redis server is a UsageError that does not quote it."""
    with pytest.raises(UsageError, match="URL of Redis") as caught:
        RedisRateLimit("http://:canary@host", per_second=5)
    assert "canary" not in str(caught.value)
