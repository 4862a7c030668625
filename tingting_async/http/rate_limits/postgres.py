"""A rate limit in PostgreSQL, for the processes of several machines."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tingting_async.errors import NotSentError, UsageError
from tingting_async.http.rate_limits.local import seconds_between
from tingting_async.http.rate_limits.shared import KEPT, SharedRate
from tingting_async.postgres import Postgres, PostgresError, PostgresFailedError, repeat
from tingting_async.quantities import NAME, SECONDS, is_name, is_seconds, shown
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Connection = AsyncConnection[tuple[Any, ...]]

RETRY_PAUSES = (0.0, 0.1, 0.5, 1.0)
"""Seconds before each further attempt of a reservation whose connection failed."""

# The name of the function has its version. The lock is for processes that create it at the same time.
_FIND = "SELECT to_regclass('tingting_rates') IS NOT NULL AND to_regproc('tingting_reserve_2') IS NOT NULL"
_CREATE = """
SELECT pg_advisory_xact_lock(hashtextextended('tingting_rates', 0));
CREATE TABLE IF NOT EXISTS tingting_rates (
    name text PRIMARY KEY, free_at timestamptz NOT NULL, seen_at timestamptz NOT NULL
);
-- An earlier version of the library, whose function may still be in use, made tables without these two.
ALTER TABLE tingting_rates
    ADD COLUMN IF NOT EXISTS spacing float8, ADD COLUMN IF NOT EXISTS spacing_until timestamptz;
CREATE OR REPLACE FUNCTION tingting_reserve_2(
    given_name text, given_spacing float8, own float8, kept float8, limits float8[]
) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    found tingting_rates%ROWTYPE;
    now_at timestamptz;
    wait float8;
    lapse float8;
    slowest float8 := given_spacing;
    patience float8;
    waits float8[] := '{}';
BEGIN
    -- Nothing is lost if the server crashes: each process knows what it has reserved itself.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO tingting_rates VALUES (given_name, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING;
    SELECT * INTO found FROM tingting_rates WHERE name = given_name FOR UPDATE;
    now_at := clock_timestamp();
    wait := extract(epoch FROM found.free_at - greatest(now_at, found.seen_at));
    wait := greatest(wait, own - CASE WHEN wait > 0 THEN 0.1 ELSE 0 END, 0);
    lapse := extract(epoch FROM found.spacing_until - greatest(now_at, found.seen_at));
    IF found.spacing > given_spacing AND lapse > 0 THEN
        slowest := found.spacing;
    ELSE
        lapse := NULL;
    END IF;
    FOREACH patience IN ARRAY limits LOOP
        IF wait <= patience THEN
            waits := waits || wait;
            wait := wait + slowest;
        ELSE
            waits := waits || NULL::float8;
        END IF;
    END LOOP;
    UPDATE tingting_rates SET
        free_at = now_at + wait * interval '1 second',
        seen_at = now_at,
        spacing = slowest,
        spacing_until = now_at + coalesce(lapse, wait + kept) * interval '1 second'
    WHERE name = given_name;
    RETURN waits || slowest;
END $$
"""
"""Reserves a moment for each request whose limit it keeps; the last element of the result is the slowest spacing.

The row holds the next free moment, and when that was written, by the clock of the server. If the clock was set back
since then, the moment moves back with it. `own` is the time until the next free moment that the caller knows of. It
takes the place of the row if that was lost, or if the clock was set forward. Otherwise both agree, apart from the time
that statements need to arrive, and `own` counts only if it is later by more than a tenth of a second.

The row also holds the spacing of the slowest process, and when that lapses: some time (`kept`) after the last moment
that a process of this spacing has reserved.
"""
_RESERVE = "SELECT tingting_reserve_2(%s, %s, %s, %s, %s)"
_LONGEST = 1e9
"""The longest limit of a request that is sent to the server, in seconds."""
_ADVICE = {
    "25006": "It is read-only. Connect to the primary; if the connection string has several hosts, add "
    "target_session_attrs=read-write.",
    "42501": "Grant the role SELECT, INSERT and UPDATE on the table tingting_rates; to create it and the function "
    "tingting_reserve_2, the role needs CREATE on the schema. If an earlier version made the table, its owner must "
    "use the limit once: the table gets two more columns.",
    "3F000": "Create a schema that is in the role's search_path.",
    "53300": "Raise max_connections: each process has a connection for its rate limit.",
}
"""What to do about some errors of the server, by their code."""


class PostgresRateLimit:
    """The number of requests per second of all sessions that share a PostgreSQL database, on any number of machines.

    ::

        async with PostgresRateLimit("postgresql://me@db.example.com/jobs", per_second=20) as limit:
            async with TingTing(email="…", password="…", rate=limit) as tingting: ...

    This needs `psycopg` 3 (the extra `postgres`). It does what `RedisRateLimit` does, with one row of the table
    `tingting_rates` for each limit. The first reservation creates the table, and the function `tingting_reserve_2`, in
    the first schema of the role's `search_path`. The limit keeps one connection open for each event loop.

    If the database cannot be used, the requests that wait raise a `NotSentError` whose `phase` is `"rate"`.

    Args:
        dsn_or_pool: A connection string, or a pool of `psycopg_pool`, whose parameters are used. The limit opens
            its own connection, and uses none of the pool's.
        per_second: The number of requests per second. Give the same in all processes that share the limit: otherwise
            all use the slowest rate, and the other processes log a warning.
        name: The name of the limit. Sessions with the same name share it; use one for each account.
        timeout: Seconds after which a reservation fails if the server does not respond.

    Raises:
        UsageError: An argument is not valid, or `psycopg` is not installed.
    """

    @short_traceback
    def __init__(self, dsn_or_pool: Any, *, per_second: float, name: str = "default", timeout: float = 5.0) -> None:
        if not is_name(name):
            raise UsageError(f"`name` must be the name of the limit: {NAME}.")
        if not is_seconds(timeout):
            raise UsageError(f"`timeout` must be {SECONDS}, not {shown(timeout)}.")
        self._rate = SharedRate(f"{type(self).__name__} {name!r}", seconds_between(per_second, "per_second"))
        self._name = name
        self._timeout = timeout
        try:
            self._database = Postgres(dsn_or_pool, timeout=timeout)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(f"`dsn_or_pool`: {error}.") from None
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}

    def __repr__(self) -> str:  # Without the connection string, which may contain a password.
        return f"<{type(self).__name__} name={self._name!r} per_second={self._rate.per_second} {self._database.name}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection of this event loop. Close the sessions first."""
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            with suppress(Exception):  # A connection that is broken is closed.
                await connection.close()

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Reserve a moment for each of several requests, as `RateLimit.reserve` says.

        Raises:
            NotSentError: The database cannot be used.
        """
        started = sent = monotonic()

        async def reserve() -> list[Any]:
            nonlocal sent
            connection = await self._connection()
            try:
                with self._database.errors():
                    sent = monotonic()
                    patience = [min(limit - (sent - started), _LONGEST) for limit in limits]
                    own = self._rate.time_until_free(sent)
                    arguments = (self._name, self._rate.spacing, own, float(KEPT), patience)
                    row = await (await connection.execute(_RESERVE, arguments)).fetchone()
            except PostgresError:
                await self.aclose()
                raise
            assert row is not None
            reserved: list[Any] = row[0]
            return reserved

        try:
            *waits, spacing = await repeat(reserve, pauses=RETRY_PAUSES, timeout=self._timeout, advice=_ADVICE)
        except PostgresFailedError as error:
            text, cause = str(error), error.__cause__
        else:
            self._rate.note(sent, waits, spacing)
            return waits
        await self.aclose()  # After a timeout, the response may still come.
        where = f"the limit {self._name!r} in PostgreSQL ({self._database.name})"
        raise NotSentError(f"{where} could not be reserved: {text}", phase="rate") from cause

    async def _connection(self) -> "Connection":
        """Return the connection of this event loop."""
        loop = asyncio.get_running_loop()
        if loop in self._connections:
            return self._connections[loop]
        for ended in [each for each in self._connections if each.is_closed()]:
            del self._connections[ended]
        connection = await self._database.connect_async()
        try:
            with self._database.errors():
                row = await (await connection.execute(_FIND)).fetchone()
                if row == (False,):
                    await connection.execute(_CREATE)
        except BaseException:
            await connection.close()
            raise
        if loop in self._connections:  # Another session was faster.
            await connection.close()
        return self._connections.setdefault(loop, connection)
