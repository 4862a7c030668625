"""Tokens in PostgreSQL."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool
from support.postgres_servers import PASSWORD, USER, PostgresServer, linked
from support.rotation import REFRESH, RotatingService
from support.servers import closed_port

from tingting_async import PostgresTokenStore, TingTing, Tokens, TokenStoreError, UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

TOKENS = Tokens("canary-of-tokens", "canary-of-tokens")
EXPIRED = Tokens("access-0", "refresh-0", refresh_at=0.0)
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


def role(server: PostgresServer, database: str, name: str, *grants: str) -> str:
    """Make a role without rights on the schema but those that are granted, and return its connection string."""
    name = f"{name}_of_{database}"
    server.run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'", database=database)
    server.run("REVOKE ALL ON SCHEMA public FROM PUBLIC", database=database)
    for grant in grants:
        server.run(f"GRANT {grant} TO {name}", database=database)
    return server.dsn(database, user=name)


async def failures(store: PostgresTokenStore) -> list[str]:
    """Return what each operation of a store says if it fails; empty if it succeeds."""

    async def fail(use: Callable[[], Awaitable[object]]) -> str:
        try:
            await use()
        except TokenStoreError as error:
            said = str(error)
            assert "canary" not in said
            assert PASSWORD not in said
            return said
        return ""

    uses = (store.load, lambda: store.save(TOKENS), lambda: store.save(None), lambda: enter(store))
    return await asyncio.gather(*(fail(use) for use in uses))


async def enter(store: PostgresTokenStore) -> None:
    """Hold the lock for a moment."""
    async with store.lock():
        pass


async def test_keys_and_schemas(shared_postgres: PostgresServer, database: str) -> None:
    """Each key holds its own tokens, in a table in the first schema of the search path."""
    shared_postgres.run("CREATE SCHEMA jobs", database=database)
    dsn = shared_postgres.dsn(database, options="-c search_path=jobs")
    async with PostgresTokenStore(dsn) as one, PostgresTokenStore(dsn, key="\"two; '") as two:
        async with one.lock(), two.lock():
            await one.save(TOKENS)
            await two.save(Tokens("other"))
        assert (TOKENS, Tokens("other")) == (await one.load(), await two.load())
    assert [("jobs",)] == shared_postgres.run(
        "SELECT schemaname::text FROM pg_tables WHERE tablename = 'tingting_tokens'", database=database
    )


async def test_pool(shared_postgres: PostgresServer, database: str) -> None:
    """The parameters of a pool are used, none of its connections is, and no connection stays open."""
    dsn = shared_postgres.dsn()
    with ConnectionPool(dsn, kwargs={"dbname": database}, min_size=0, max_size=1, open=False) as pool:
        store = PostgresTokenStore(pool)
        with pool.connection():
            async with store.lock():
                await store.save(TOKENS)
            assert TOKENS == await store.load()
            assert 1 == len(shared_postgres.run(SESSIONS, database))


async def test_many_at_once(shared_postgres: PostgresServer, database: str) -> None:
    """Stores that create the table at the same time all succeed."""
    stores = [PostgresTokenStore(shared_postgres.dsn(database), key=str(number)) for number in range(12)]
    await asyncio.gather(*(store.save(Tokens(str(number))) for number, store in enumerate(stores)))
    assert [Tokens(str(number)) for number in range(12)] == [await store.load() for store in stores]


async def test_strict_isolation(shared_postgres: PostgresServer, database: str) -> None:
    """Tokens can be saved at the same time if the database isolates transactions more strictly by default."""
    shared_postgres.run(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    store = PostgresTokenStore(shared_postgres.dsn(database))
    await asyncio.gather(*(store.save(Tokens(str(number))) for number in range(24)))
    assert await store.load() in [Tokens(str(number)) for number in range(24)]


async def test_saved_by_a_newer_version(shared_postgres: PostgresServer, database: str) -> None:
    """Tokens in the form of a newer version are refused with what to do."""
    store = PostgresTokenStore(shared_postgres.dsn(database))
    await store.save(TOKENS)
    shared_postgres.run("UPDATE tingting_tokens SET version = 2", database=database)
    with pytest.raises(TokenStoreError, match=r"could not be read: a newer version .* Install that version"):
        await store.load()


async def test_permissions(shared_postgres: PostgresServer, database: str) -> None:
    """A role needs rights on the table alone if it is there; without them, each operation says what to grant."""
    denied = PostgresTokenStore(role(shared_postgres, database, "denied", "USAGE ON SCHEMA public"))
    load, save, delete, lock = await failures(denied)
    assert "" == load  # There is no table yet.
    for said, what in ((save, "written"), (delete, "deleted"), (lock, "locked")):
        assert f"could not be {what}: permission denied for schema public. Grant the role SELECT, INSERT" in said
    await PostgresTokenStore(shared_postgres.dsn(database)).save(TOKENS)
    for said, what in zip(await failures(denied), ("read", "written", "deleted", "locked"), strict=True):
        assert f"could not be {what}: permission denied for table tingting_tokens. Grant the role SELECT" in said
    reader = role(shared_postgres, database, "reader", "USAGE ON SCHEMA public", "SELECT ON tingting_tokens")
    load, _, _, lock = await failures(PostgresTokenStore(reader))
    assert ("", True) == (load, "could not be locked: permission denied" in lock)
    rights = "SELECT, INSERT, UPDATE, DELETE ON tingting_tokens"
    writer = role(shared_postgres, database, "writer", "USAGE ON SCHEMA public", rights)
    assert [""] * 4 == await failures(PostgresTokenStore(writer))


async def test_no_schema(shared_postgres: PostgresServer, database: str) -> None:
    """Without a schema for the table, the error says what to do."""
    store = PostgresTokenStore(shared_postgres.dsn(database, options="-c search_path=absent"))
    assert "Create a schema that is in the role's search_path." in (await failures(store))[1]


async def test_read_only(own_postgres: PostgresServer) -> None:
    """On a read replica, tokens can be read but neither locked nor saved, and the error says where to connect."""
    await PostgresTokenStore(own_postgres.dsn()).save(TOKENS)
    with own_postgres.standby() as standby:
        while not standby.run("SELECT to_regclass('tingting_tokens') IS NOT NULL")[0][0]:
            await asyncio.sleep(0.01)
        places = standby.dsn(), own_postgres.dsn(options="-c default_transaction_read_only=on")
        for place in places:
            load, *others = await failures(PostgresTokenStore(place))
            assert ["", True, True, True] == [load, *("Connect to the primary" in said for said in others)]
        hosts = {"host": "127.0.0.1,127.0.0.1", "port": f"{standby.port},{own_postgres.port}"}
        either = own_postgres.dsn(**hosts, target_session_attrs="read-write")
        assert [""] * 4 == await failures(PostgresTokenStore(either))


async def test_restart(own_postgres: PostgresServer, serve: Any) -> None:
    """A session goes on after a restart of the server, before a refresh and while one is in flight."""
    service = RotatingService()
    url = (await serve(service.script)).url
    store = PostgresTokenStore(own_postgres.dsn())
    await store.save(EXPIRED)
    async with TingTing(base_url=url, token_store=store) as tingting:
        own_postgres.restart()
        await tingting.accounts.user_details()
        service.expire()
        service.gate.clear()
        service.replaced.clear()
        call = asyncio.create_task(tingting.accounts.user_details())
        await service.replaced.wait()
        own_postgres.restart()
        service.gate.set()
        await call
    assert service.tokens == await store.load()
    assert 2 == service.count(REFRESH)


async def test_lost_lock(shared_postgres: PostgresServer, database: str, caplog: pytest.LogCaptureFixture) -> None:
    """If the server ends the connection that holds the lock, another gets it, and the holder goes on with a warning."""
    one, two = (PostgresTokenStore(shared_postgres.dsn(database)) for _ in range(2))
    async with one.lock():
        shared_postgres.run(SESSIONS.replace("pid FROM", "pg_terminate_backend(pid) FROM"), database)
        async with two.lock():
            await one.save(TOKENS)
        assert TOKENS == await two.load()
    assert [("WARNING", True)] == [(record.levelname, "was lost" in record.message) for record in caplog.records]
    assert PASSWORD not in caplog.text


async def test_waiting_for_the_lock_survives(shared_postgres: PostgresServer, database: str) -> None:
    """A waiter whose connection is ended goes on waiting with another one, and gets the lock."""
    store = PostgresTokenStore(shared_postgres.dsn(database))
    async with store.lock():
        (holder,) = (pid for (pid,) in shared_postgres.run(SESSIONS, database))
        waiting = asyncio.create_task(enter(store))
        ended = 0
        while ended < 3:
            await asyncio.sleep(0.01)
            others = f"{SESSIONS} AND pid <> %s".replace("pid FROM", "pg_terminate_backend(pid) FROM", 1)
            ended += len(shared_postgres.run(others, database, holder))
        assert not waiting.done()
    await waiting


async def test_any_lost_connections(shared_postgres: PostgresServer, database: str) -> None:
    """Whenever the connection is cut, each operation succeeds, and what was saved last is there."""
    seeds = random.Random(7)
    async with linked(shared_postgres.port) as link:
        store = PostgresTokenStore(shared_postgres.dsn(database, port=link.port))

        async def cut_once(work: Awaitable[Any]) -> Any:
            task = asyncio.ensure_future(work)
            await asyncio.sleep(seeds.uniform(0, 0.05))
            link.cut()
            return await task

        for number in range(30):
            await cut_once(store.save(Tokens(str(number))))
            assert Tokens(str(number)) == await cut_once(store.load())
            await cut_once(enter(store))


async def test_silent_server(shared_postgres: PostgresServer, database: str) -> None:
    """If the network swallows everything, each operation ends after the timeout and says so."""
    async with linked(shared_postgres.port) as link:
        store = PostgresTokenStore(shared_postgres.dsn(database, port=link.port), timeout=0.3)
        await store.save(TOKENS)
        link.stop()
        for said in await failures(store):
            assert "no response within 0.3 s. Is the server up and reachable?" in said


async def test_no_server(caplog: pytest.LogCaptureFixture) -> None:
    """If no server listens, each operation says so, and shows no password; nothing is sent to the service."""
    caplog.set_level(logging.DEBUG)
    store = PostgresTokenStore(f"postgresql://me:{PASSWORD}@127.0.0.1:{closed_port()}/jobs")
    for said in await failures(store):
        assert said.startswith("The token store in PostgreSQL (database 'jobs' on 127.0.0.1, key 'default') could not")
        assert said.endswith("Is the server up and reachable?")
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, token_store=store) as tingting:
        with pytest.raises(TokenStoreError, match="could not be locked"):
            await tingting.accounts.user_details()
        assert [] == sandbox.requests
    assert PASSWORD not in caplog.text + repr(store)


async def test_wrong_password(shared_postgres: PostgresServer, database: str) -> None:
    """A wrong password is an error that says so and does not show it."""
    store = PostgresTokenStore(shared_postgres.dsn(database, password="canary-of-password"))
    for said in await failures(store):
        assert f'password authentication failed for user "{USER}"' in said


async def test_pool_that_fails() -> None:
    """If a pool's own function fails, the error names its type only."""

    def parameters() -> str:
        raise RuntimeError("canary")

    pool = type("Pool", (), {"conninfo": staticmethod(parameters), "kwargs": {}})()
    for said in await failures(PostgresTokenStore(pool)):
        assert said.endswith("connecting failed with RuntimeError.")


@pytest.mark.parametrize(
    "options",
    [{"key": ""}, {"key": None}, {"key": "a\0b"}, {"timeout": 0}, {"timeout": "5"}, {"timeout": float("nan")}],
    ids=repr,
)
def test_invalid_arguments(options: dict[str, Any]) -> None:
    """An invalid argument is a UsageError that names it."""
    with pytest.raises(UsageError, match=f"`{next(iter(options))}`"):
        PostgresTokenStore("postgresql://localhost", **options)


@pytest.mark.parametrize("database", [5, None, b"postgresql://x", "postgresql://:canary%@x", psycopg.connect], ids=repr)
def test_invalid_database(database: Any) -> None:
    """A value that is neither a connection string nor a pool is a UsageError that does not quote it."""
    with pytest.raises(UsageError, match="`dsn_or_pool`: ") as caught:
        PostgresTokenStore(database)
    assert "canary" not in str(caught.value)
