"""A rate limit in PostgreSQL, and what its server does to it.

With a rate of one request in a thousand seconds, the first request is sent and no other, so no test needs the clock.
"""

import asyncio
import math
import random
from typing import Any

import pytest
from support.messages import SEND
from support.postgres_servers import PASSWORD, PostgresServer, linked
from support.rate_limits import require_shared_by_loops, require_slowest_rate
from support.servers import closed_port, succeed

from tingting_async import NotSentError, PostgresRateLimit, TingTing, UsageError

pytestmark = pytest.mark.anyio


@pytest.fixture
def dsn(shared_postgres: PostgresServer, database: str) -> str:
    """Return the connection string of an empty database."""
    return shared_postgres.dsn(database)


def connect(url: str, limit: PostgresRateLimit) -> TingTing:
    """Return a session with a rate limit."""
    return TingTing(base_url=url, rate=limit, api_token="key", timeout=60)


async def test_evenly_spaced(dsn: str) -> None:
    """Sessions that share a limit by its name get moments that are evenly spaced; another name is another limit."""
    async with (
        PostgresRateLimit(dsn, per_second=0.01) as one,
        PostgresRateLimit(dsn, per_second=0.01) as two,
        PostgresRateLimit(dsn, per_second=0.01, name="other") as other,
    ):
        waits = [*await one.reserve([1e6] * 3), *await two.reserve([1e6] * 2), *await one.reserve([1e6])]
        assert [0, 100, 200, 300, 400, 500] == [round(wait or 0, -1) for wait in waits]
        assert [0.0] == await other.reserve([1.0])


async def test_slowest_rate(
    shared_postgres: PostgresServer, database: str, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Limits of different rates keep to the slowest until ten minutes after its last moment; the faster one warns."""

    def lapse() -> None:
        (row,) = shared_postgres.run(
            "SELECT extract(epoch FROM spacing_until - now()) FROM tingting_rates", database=database
        )
        assert float(row[0]) == pytest.approx(4200 + 600, abs=60)
        shared_postgres.run("UPDATE tingting_rates SET spacing_until = now() - interval '1 second'", database=database)

    await require_slowest_rate(lambda **options: PostgresRateLimit(dsn, **options), lapse, caplog)


async def test_table_of_an_earlier_version(
    shared_postgres: PostgresServer, database: str, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that an earlier version made gets the new columns, and its moments still count."""
    shared_postgres.run(
        "CREATE TABLE tingting_rates (name text PRIMARY KEY, free_at timestamptz NOT NULL, seen_at timestamptz "
        "NOT NULL); INSERT INTO tingting_rates VALUES ('default', now() + interval '5000 s', now())",
        database=database,
    )
    async with PostgresRateLimit(dsn, per_second=0.01) as fast, PostgresRateLimit(dsn, per_second=0.001) as slow:
        for limit, expected in ((fast, 5000), (slow, 5100), (fast, 6100), (fast, 7100)):
            assert [expected] == [round(wait or 0, -2) for wait in await limit.reserve([1e6])]
    assert 1 == len(caplog.records)


@pytest.mark.parametrize("seed", range(5))
async def test_refusals_reserve_nothing(dsn: str, seed: int) -> None:
    """Nothing is reserved for a request whose limit is too short, whatever limits the requests have."""
    seeds = random.Random(seed)
    rate = seeds.choice((0.01, 0.03, 1 / 700))
    reserved = 0
    async with PostgresRateLimit(dsn, per_second=rate) as one, PostgresRateLimit(dsn, per_second=rate) as two:
        for _ in range(20):
            limits = [seeds.choice((-1.0, 0.0, 60.0, 1e9, math.inf)) for _ in range(seeds.randrange(5))]
            for wait, limit in zip(await seeds.choice((one, two)).reserve(limits), limits, strict=True):
                if limit < reserved / rate - 50:
                    assert wait is None
                elif limit > reserved / rate:
                    assert reserved / rate == pytest.approx(wait, abs=20)  # The machine may be slow.
                reserved += wait is not None


async def test_many_at_once(dsn: str) -> None:
    """Limits that create the table at the same time, and sessions that share a connection, all get moments."""
    limits = [PostgresRateLimit(dsn, per_second=0.01) for _ in range(6)]
    results = await asyncio.gather(*(limit.reserve([1e9]) for limit in limits for _ in range(2)))
    assert [100 * index for index in range(12)] == sorted(round(wait or 0, -2) for (wait,) in results)
    await asyncio.gather(*(limit.aclose() for limit in limits))


async def test_strict_isolation(shared_postgres: PostgresServer, database: str, dsn: str) -> None:
    """Reservations at the same time succeed if the database isolates transactions more strictly by default."""
    shared_postgres.run(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    limits = [PostgresRateLimit(dsn, per_second=0.01) for _ in range(6)]
    reservations = (limit.reserve([1e9]) for _ in range(10) for limit in limits)
    results = await asyncio.gather(*reservations)
    assert [100 * index for index in range(60)] == sorted(round(wait or 0, -2) for (wait,) in results)
    await asyncio.gather(*(limit.aclose() for limit in limits))


@pytest.mark.parametrize("loss", ["DELETE FROM tingting_rates", "UPDATE tingting_rates SET free_at = '2000-01-01'"])
async def test_lost_row(shared_postgres: PostgresServer, database: str, dsn: str, loss: str) -> None:
    """If the database loses the row, a process still keeps to what it has reserved itself."""
    async with PostgresRateLimit(dsn, per_second=0.001) as limit:
        assert [0.0] == await limit.reserve([1.0])
        shared_postgres.run(loss, database=database)
        assert [None] == await limit.reserve([800.0])


async def test_clock_set_back(shared_postgres: PostgresServer, database: str, dsn: str) -> None:
    """If the server's clock is set back, requests wait as long as they would have waited before, and no longer."""
    async with PostgresRateLimit(dsn, per_second=0.001) as limit, PostgresRateLimit(dsn, per_second=0.001) as other:
        assert [0.0] == await other.reserve([1.0])
        later = "free_at = now() + interval '6 hours', seen_at = now() + interval '5 hours'"
        shared_postgres.run(f"UPDATE tingting_rates SET {later}", database=database)
        assert [3600, 4600] == [round(wait or 0, -1) for wait in await limit.reserve([1e9, 1e9])]


async def test_clock_set_forward(shared_postgres: PostgresServer, database: str, dsn: str) -> None:
    """If the server's clock is set forward, a process still keeps to what it has reserved itself."""
    async with PostgresRateLimit(dsn, per_second=0.001) as limit:
        assert [0.0] == await limit.reserve([1.0])
        earlier = "free_at = free_at - interval '5 hours', seen_at = seen_at - interval '5 hours'"
        shared_postgres.run(f"UPDATE tingting_rates SET {earlier}", database=database)
        assert [None] == await limit.reserve([800.0])


async def test_server_that_restarts(own_postgres: PostgresServer, serve: Any) -> None:
    """Requests leave after the server has ended its connections, after a restart, and after the table is dropped."""
    server = await serve(succeed)
    async with PostgresRateLimit(own_postgres.dsn(), per_second=1000) as limit, connect(server.url, limit) as tingting:
        await tingting._core.execute(SEND)
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
        )
        own_postgres.run(others)
        await tingting._core.execute(SEND)
        own_postgres.restart()
        await tingting._core.execute(SEND)
        own_postgres.run("DROP TABLE tingting_rates")
        with pytest.raises(NotSentError, match='relation "tingting_rates" does not exist'):
            await tingting._core.execute(SEND)
        await tingting._core.execute(SEND)
        own_postgres.stop()
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
    said = "things.send: the rate limit (`rate`) failed: the limit 'default' in PostgreSQL (database 'postgres' on "
    assert str(caught.value).startswith(f"{said}127.0.0.1) could not be reserved: ")
    assert str(caught.value).endswith("Is the server up and reachable? Nothing was sent.")
    assert PASSWORD not in str(caught.value) + repr(limit)
    assert ("rate", 4) == (caught.value.phase, len(server.requests))


async def test_read_only(own_postgres: PostgresServer) -> None:
    """On a read replica and in a read-only session, the error says where to connect."""
    async with PostgresRateLimit(own_postgres.dsn(), per_second=5) as limit:
        await limit.reserve([1.0])
    async with PostgresRateLimit(
        own_postgres.dsn(options="-c default_transaction_read_only=on"), per_second=5
    ) as limit:
        with pytest.raises(NotSentError, match=r"It is read-only. Connect to the primary"):
            await limit.reserve([1.0])


async def test_permissions(shared_postgres: PostgresServer, database: str, dsn: str) -> None:
    """A role needs rights on the table alone if it is there; without them, the error says what to grant."""
    name = f"limited_of_{database}"
    for statement in (
        f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {name}",
    ):
        shared_postgres.run(statement, database=database)
    async with PostgresRateLimit(shared_postgres.dsn(database, user=name), per_second=0.01) as limit:
        with pytest.raises(NotSentError, match=r"permission denied for schema public. Grant the role SELECT, INSERT"):
            await limit.reserve([1.0])
        async with PostgresRateLimit(dsn, per_second=0.01) as other:
            await other.reserve([1.0])
        with pytest.raises(NotSentError, match=r"permission denied for table tingting_rates. Grant the role SELECT"):
            await limit.reserve([1.0])
        shared_postgres.run(f"GRANT SELECT, INSERT, UPDATE ON tingting_rates TO {name}", database=database)
        assert [None] == await limit.reserve([1.0])


async def test_silent_server(shared_postgres: PostgresServer, database: str, serve: Any) -> None:
    """If the network swallows everything, a request fails after the limit's `timeout`, and a later one leaves."""
    server = await serve(succeed)
    async with linked(shared_postgres.port) as link:
        where = shared_postgres.dsn(database, port=link.port)
        async with (
            PostgresRateLimit(where, per_second=1000, timeout=1) as limit,
            connect(server.url, limit) as tingting,
        ):
            await tingting._core.execute(SEND)
            link.stop()
            with pytest.raises(
                NotSentError, match=r"no response within 1 s\. Is the server up and reachable\? Nothing"
            ):
                await tingting._core.execute(SEND)
            link.cut()
            link.resume()
            await tingting._core.execute(SEND)
    assert 2 == len(server.requests)


def test_event_loops_and_threads(dsn: str) -> None:
    """A limit may be shared by event loops, one after the other and in threads at the same time."""
    require_shared_by_loops(PostgresRateLimit(dsn, per_second=0.01))


@pytest.mark.parametrize(
    "options",
    [
        *({"per_second": value} for value in (0, math.nan, math.inf, "5", None, True, 5e-324, 10**400)),
        *({"name": value} for value in ("", None, "a\0b")),
        *({"timeout": value} for value in (0, math.nan, math.inf, "5", None)),
        *({"dsn_or_pool": value} for value in (5, None, "postgresql://:canary%@x")),
    ],
    ids=repr,
)
def test_invalid_arguments(options: dict[str, Any]) -> None:
    """An invalid argument is a UsageError that names it."""
    with pytest.raises(UsageError, match=f"`{next(iter(options))}`") as caught:
        PostgresRateLimit(**{"dsn_or_pool": f"host=localhost port={closed_port()}", "per_second": 5, **options})
    assert "canary" not in str(caught.value)
