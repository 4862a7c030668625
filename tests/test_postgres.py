"""Connections to PostgreSQL: their parameters, their limits, and what their errors say."""

import asyncio
import gc
import itertools
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.frames import chain, frame_locals
from support.postgres_servers import PASSWORD, PostgresServer, linked
from support.servers import closed_port

from tingting_async import LedgerError, NotSentError, PostgresLedger, PostgresRateLimit
from tingting_async.postgres import Postgres, PostgresError, PostgresFailedError, repeat

pytestmark = pytest.mark.anyio

SHOWN = """
SELECT current_setting('application_name'), current_setting('tcp_keepalives_idle'),
    current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'),
    current_setting('tcp_user_timeout'), current_setting('client_encoding'), current_setting('idle_session_timeout')
"""


def parameters(connection: Any) -> dict[str, str]:
    """Return the parameters of libpq that a connection has."""
    return {each.keyword.decode(): (each.val or b"").decode() for each in connection.pgconn.info}


async def test_both_sides_notice_a_dead_connection(shared_postgres: PostgresServer, database: str) -> None:
    """Both kinds of connections have keepalives on both sides, and a limit for connecting."""
    postgres = Postgres(shared_postgres.dsn(database))
    with postgres.connect() as connection:
        shown = connection.execute(SHOWN).fetchone()
    other = await postgres.connect_async()
    async with other:
        assert shown == await (await other.execute(SHOWN)).fetchone()
    assert ("tingting_async", "10", "5", "3", "15000", "UTF8", "0") == shown
    for each in (connection, other):
        assert each.closed
    with postgres.connect() as connection:
        given = parameters(connection)
    names = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count")
    assert ["5", "1", "10", "5", "3", "15000"] == [given[name] for name in (*names, "tcp_user_timeout")]


async def test_parameters_of_the_caller(shared_postgres: PostgresServer, database: str) -> None:
    """What the connection string says takes precedence."""
    dsn = shared_postgres.dsn(database, application_name="jobs", keepalives_idle=60, connect_timeout=9)
    with Postgres(dsn).connect() as connection:
        given, shown = parameters(connection), connection.execute(SHOWN).fetchone()
    assert ("60", "9") == (given["keepalives_idle"], given["connect_timeout"])
    assert shown is not None
    assert "jobs" == shown[0]


@pytest.mark.parametrize("is_computed", [False, True])
async def test_pool(shared_postgres: PostgresServer, database: str, *, is_computed: bool) -> None:
    """A pool's parameters are used, for a connection of its own, without what concerns the pool's connections."""
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    options = {"dbname": database, "row_factory": dict_row, "autocommit": False, "application_name": "jobs"}
    dsn: Any = shared_postgres.dsn()
    for kind in (ConnectionPool, AsyncConnectionPool):
        pool: Any = kind(
            (lambda: dsn) if is_computed else dsn, kwargs=(lambda: options) if is_computed else options, open=False
        )
        postgres = Postgres(pool)
        assert f"<Postgres database '{database}' on 127.0.0.1>" == repr(postgres)
        with postgres.connect() as connection:
            assert [(database, "jobs")] == connection.execute(
                "SELECT current_database(), current_setting('application_name')"
            ).fetchall()
        async with await postgres.connect_async() as other:
            assert other.autocommit


async def coroutine() -> str:
    """Return a connection string, as a pool may ask for."""
    return ""


def test_pool_with_a_coroutine() -> None:
    """A pool that computes its parameters in a coroutine is refused when it is used: there may be no event loop."""
    from psycopg_pool import AsyncConnectionPool

    pool: Any = AsyncConnectionPool(coroutine, open=False)
    with pytest.raises(ValueError, match="in a coroutine; give the connection string"):
        Postgres(pool).connect()


@pytest.mark.parametrize(
    "given",
    [
        "postgresql+psycopg://me:canary@host/name",
        "host=a password='canary",
        "canary",
        "postgresql://me:can@ary@host/na%me",
        "hostt=canary",
        "\0canary",
        "postgresql://me:c@nary@host/name",
        "postgresql://me:c@nary@host:5432,other:5432/name",
        "postgresql://me@cloud:canary@host/name",
        "postgresql://me:c/nary@host:5432/name",
        "postgresql://me:12/canary@host/name",
        "postgresql://me:12,/canary@host/name",
        "postgresql://me:canary/12@host/name?sslmode=disable",
        "postgresql://canary@@host/name",
        "postgresql+psycopg://me:c=nary@host/name",
        "host=me:canary@host dbname=name",
        "host=host dbname=postgresql://me:canary@host/name",
        "host=host port=canary",
    ],
)
def test_invalid_connection_strings(given: str) -> None:
    """A connection string that libpq cannot read is a ValueError, which does not quote it."""
    with pytest.raises(ValueError, match="Write postgresql://user:password@host") as caught:
        Postgres(given)
    assert not any("ary" in str(each) for each in chain(caught.value))


@pytest.mark.parametrize("seed", range(200))
def test_passwords_that_are_not_escaped(seed: int) -> None:
    """Whatever a password contains, the connection string is refused, or no name and no error shows a part of it."""
    choose = random.Random(seed)
    parts = ["".join(choose.choices("@/:?#=,%[] 1", k=choose.randint(1, 2))) for _ in range(3)]
    password = "".join(f"{part}canary{number}" for number, part in enumerate(parts))
    scheme = choose.choice(["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
    given = f"{scheme}://me:{password}@127.0.0.1:1/jobs{choose.choice(['', '?connect_timeout=1'])}"
    try:
        postgres = Postgres(given)
    except ValueError as error:
        assert not any("canary" in str(each) for each in chain(error))
    else:
        assert "canary" not in repr(postgres)
        assert postgres.name == "database 'jobs' on 127.0.0.1"


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://me:c%40n%2Fary@host/name",
        "postgresql://one:5432,two,three:5433/name?user=me@cloud",
        "postgresql://%2Frun%2Fpostgresql/name",
        "postgresql:///name?host=/run/postgresql",
        "postgresql://[::1]:5432/name",
        "host=@abstract dbname=name user=me@cloud password='c@n/ary'",
        "host=one,two port=5432,5433 dbname=me@name",
        "",
    ],
)
def test_valid_connection_strings(given: str) -> None:
    """A connection string whose password is escaped, or that is no URL, is accepted."""
    assert "ary" not in repr(Postgres(given))


@pytest.mark.parametrize("driver", ["+asyncpg", "+psycopg", "+psycopg2", "+psycopg_async", "+pg8000"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_connection_strings_of_sqlalchemy(scheme: str, driver: str) -> None:
    """A connection string with a driver of SQLAlchemy is a ValueError that says so, and quotes nothing else."""
    with pytest.raises(ValueError, match=re.escape(f"a driver of SQLAlchemy, {driver},")) as caught:
        Postgres(f"{scheme}{driver}://me:canary@host/name")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "absent"}, {"dbname": "absent"}])
async def test_wrong_connection_string(shared_postgres: PostgresServer, wrong: dict[str, str]) -> None:
    """If the server refuses the user, the password or the database, every part advises to check the connection string.

    None of them asks again.
    """
    dsn = shared_postgres.dsn(**wrong)
    postgres, attempts = Postgres(dsn), itertools.count(1)

    async def connect() -> None:
        next(attempts)
        await postgres.connect_async()

    with pytest.raises(PostgresFailedError) as caught:
        await repeat(connect, pauses=(0.0, 0.0), timeout=60, advice={})
    errors: list[BaseException] = [caught.value]
    async with PostgresRateLimit(dsn, per_second=1) as limit:
        with pytest.raises(NotSentError) as not_sent:
            await limit.reserve([1.0])
        errors.append(not_sent.value)
    async with PostgresLedger(dsn) as ledger:
        with pytest.raises(LedgerError) as failed:
            await ledger.unresolved()
        errors.append(failed.value)
    for error in errors:
        assert "Check the connection string: the user, the password and the name of the database." in str(error)
        assert "Is the server up" not in str(error)
    assert 2 == next(attempts)


@pytest.mark.parametrize("given", [None, 5, b"postgresql://host", object(), Postgres])
def test_what_is_neither_a_string_nor_a_pool(given: Any) -> None:
    """Anything else is a ValueError that says what to give."""
    with pytest.raises(ValueError, match="must be a connection string"):
        Postgres(given)


async def test_secrets(shared_postgres: PostgresServer, database: str) -> None:
    """No error, no repr and no frame of a failed connection or statement shows the password or a value."""
    wrong = Postgres(shared_postgres.dsn(database, user="nobody"))
    absent = Postgres(shared_postgres.dsn(database, port=closed_port()))
    right = Postgres(shared_postgres.dsn(database))
    errors: list[BaseException] = []
    for postgres in (wrong, absent):
        with pytest.raises(PostgresError, match="connection failed") as caught:
            postgres.connect()
        assert caught.value.is_lost
        errors.append(caught.value)
        with pytest.raises(PostgresError, match="connection failed") as caught:
            await postgres.connect_async()
        errors.append(caught.value)
    with right.connect() as connection:
        connection.execute("CREATE TABLE things (a text UNIQUE)")
        for _ in range(2):
            try:
                with right.errors():
                    connection.execute("INSERT INTO things VALUES (%s)", ("value-canary",))
            except PostgresError as error:
                assert ("23505", False) == (error.sqlstate, error.is_lost)
                errors.append(error)
    assert 5 == len(errors)
    for error in errors:
        texts = [f"{each} {each!r}" for each in chain(error)]
        shown = [text for text in (*texts, *frame_locals(error), repr(wrong)) if PASSWORD in text or "canary" in text]
        assert [] == shown


async def test_connections_that_are_lost(shared_postgres: PostgresServer, database: str) -> None:
    """A connection that the server ends, that is cut, or that nothing passes any more, is an error that says so."""
    async with linked(shared_postgres.port) as link:
        for how in ("ended", "stopped"):
            port = shared_postgres.port if how == "ended" else link.port
            postgres = Postgres(shared_postgres.dsn(database, port=port), timeout=0.3)
            if how == "stopped":
                connection = await asyncio.to_thread(postgres.connect)
                link.stop()
            else:
                connection = postgres.connect()
                shared_postgres.run("SELECT pg_terminate_backend(%s)", connection.info.backend_pid)

            def use(connection: Any = connection, postgres: Postgres = postgres) -> None:
                with postgres.errors():
                    connection.execute("SELECT 1")

            with pytest.raises(PostgresError) as caught:
                await asyncio.to_thread(use) if how == "stopped" else use()
            assert caught.value.is_lost
            assert connection.closed
        link.resume()


@pytest.mark.filterwarnings("error")
def test_deleted_connection(shared_postgres: PostgresServer, database: str) -> None:
    """A connection that is deleted is closed without a warning, in whichever order a cycle of objects is deleted."""
    connection: Any = Postgres(shared_postgres.dsn(database)).connect()
    connection.cycle = connection
    del connection
    gc.collect()
    while shared_postgres.run("SELECT 1 FROM pg_stat_activity WHERE datname = %s", database):
        pass


async def test_cancelled_statement(shared_postgres: PostgresServer, database: str) -> None:
    """A cancelled statement ends its connection, and does not wait for a further one to a server that is silent."""
    async with linked(shared_postgres.port) as link:
        connection = await Postgres(shared_postgres.dsn(database, port=link.port)).connect_async()
        link.stop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await connection.execute("SELECT 1")
        assert connection.closed
        assert link.accepted == 1


def test_statement_that_lasts(shared_postgres: PostgresServer, database: str) -> None:
    """A statement that lasts too long is ended by the server, and the connection stays."""
    postgres = Postgres(shared_postgres.dsn(database), timeout=0.5)
    with postgres.connect() as connection:
        with pytest.raises(PostgresError, match="statement timeout") as caught, postgres.errors():
            connection.execute("SELECT pg_sleep(60)")
        assert not caught.value.is_lost
        assert [(1,)] == connection.execute("SELECT 1").fetchall()


def test_without_psycopg(tmp_path: Path) -> None:
    """Without psycopg, the error says how to install the extra."""
    (tmp_path / "psycopg.py").write_text("raise ImportError('canary')")
    program = "import sys; sys.path.insert(0, sys.argv[1]); from tingting_async.postgres import Postgres; Postgres('')"
    command = [sys.executable, "-P", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (
        "Install it: `pip install 'tingting-async[postgres]'`, or `pip install '.[postgres]'` in a clone" in done.stderr
    )
