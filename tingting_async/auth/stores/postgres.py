"""Tokens in PostgreSQL, for the processes of several machines."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar

import anyio

from tingting_async.auth.stores.codec import decode, encode
from tingting_async.auth.tokens import LOCK_POLL_INTERVAL, Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import run_to_completion
from tingting_async.postgres import Postgres, PostgresError, PostgresFailedError, repeat
from tingting_async.quantities import NAME, is_name, is_seconds, shown
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Connection = AsyncConnection[tuple[Any, ...]]

_log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_PAUSES = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Seconds before each further attempt of an operation whose connection failed. Every operation here may be repeated."""

VERSION = 1
"""The form of a row."""
# The lock is for processes that create the table at the same time: `IF NOT EXISTS` alone may fail then.
_CREATE = """
SELECT pg_advisory_xact_lock(hashtextextended('tingting_tokens', 0));
CREATE TABLE IF NOT EXISTS tingting_tokens (
    key text PRIMARY KEY, version integer NOT NULL, tokens text NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_FIND = "SELECT to_regclass('tingting_tokens')"
_LOAD = "SELECT version, tokens FROM tingting_tokens WHERE key = %s"
_SAVE = """
INSERT INTO tingting_tokens (key, version, tokens) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET version = excluded.version, tokens = excluded.tokens, saved_at = clock_timestamp()
"""
_DELETE = "DELETE FROM tingting_tokens WHERE key = %s"
# Tokens that cannot be saved must not be refreshed, so the lock is granted to those alone who may save.
_LOCK = """
SELECT is_read_only, may_save, CASE WHEN may_save AND NOT is_read_only THEN pg_try_advisory_lock(%s) ELSE false END
FROM (SELECT
    current_setting('transaction_read_only')::boolean AS is_read_only,
    has_table_privilege('tingting_tokens', 'INSERT') AND has_table_privilege('tingting_tokens', 'UPDATE') AS may_save
) AS found
"""
_UNLOCK = "SELECT pg_advisory_unlock(%s)"
_ADVICE = {
    "25006": "It is read-only. Connect to the primary; if the connection string has several hosts, add "
    "target_session_attrs=read-write.",
    "42501": "Grant the role SELECT, INSERT, UPDATE and DELETE on the table tingting_tokens; to create the table, it "
    "needs CREATE on the schema.",
    "3F000": "Create a schema that is in the role's search_path.",
    "53100": "Free space on the server's disk.",
    "53300": "Raise max_connections: each process that reads, saves or waits for the lock has a connection meanwhile.",
}
"""What to do about some errors of the server, by their code."""


class PostgresTokenStore:
    """Keeps the tokens of one account in a PostgreSQL database, which processes on several machines may share.

    ::

        store = PostgresTokenStore("postgresql://me@db.example.com/jobs")
        async with TingTing(email="…", password="…", token_store=store) as tingting: ...

    This needs `psycopg` 3 (the extra `postgres`). The tokens are stored as plain JSON in the table `tingting_tokens`,
    which the first save creates in the first schema of the role's `search_path`. Use TLS (`sslmode=verify-full`) if
    others can reach the network.

    The lock is an advisory lock of a connection. The server releases it when the connection ends, however its process
    ends. So the store needs direct connections: PgBouncer in transaction mode does not work.

    Each operation opens a connection and closes it, because a session needs its store only when it signs in or
    refreshes its tokens. So no connection is idle, except the one with the lock. If a connection fails, the operation
    is repeated a few times, because servers restart. The store may be used in several event loops, threads and forked
    processes.

    Args:
        dsn_or_pool: A connection string, or a pool of `psycopg_pool`, whose parameters are used. The store opens
            its own connections, and uses none of the pool's.
        key: The name of the tokens. Use a different key for each account and each generation of the API.
        timeout: The seconds that an operation may take.

    Raises:
        UsageError: An argument is not valid, or `psycopg` is not installed.
    """

    @short_traceback
    def __init__(self, dsn_or_pool: Any, *, key: str = "default", timeout: float = 15.0) -> None:
        if not is_name(key):
            raise UsageError(f"`key` must be the name of the tokens: {NAME}.")
        if not is_seconds(timeout) or timeout < 0.1:
            raise UsageError(f"`timeout` is {shown(timeout)}; it must be a number of seconds from 0.1 to 1e9.")
        try:
            self._database = Postgres(dsn_or_pool, timeout=timeout)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(f"`dsn_or_pool`: {error}.") from None
        self._key = key
        self._timeout = timeout
        digest = hashlib.sha256(f"tingting_tokens {key}".encode()).digest()
        self._lock_key = int.from_bytes(digest[:8], signed=True)

    def __repr__(self) -> str:  # Without the connection string, which may contain a password.
        return f"<{type(self).__name__} key={self._key!r} {self._database.name}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Do nothing: no connection outlives its operation. The other stores have this method, too."""

    @short_traceback
    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None.

        Raises:
            TokenStoreError: The database cannot be used.
        """

        async def load(connection: "Connection") -> Any:
            try:
                return await self._row(connection, _LOAD, self._key)
            except PostgresError as error:
                if error.sqlstate == "42P01":  # There is no such table.
                    return None
                raise

        version, content = await self._run("read", load) or (VERSION, None)
        if version > VERSION:
            raise self._error("read", "a newer version of tingting_async has saved the tokens. Install that version.")
        return decode(content, f"The PostgreSQL row {self._key!r} of tingting_tokens")

    @short_traceback
    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them. The save completes even if the caller is cancelled.

        Raises:
            TokenStoreError: The database cannot be used.
        """

        async def save(connection: "Connection") -> None:
            await self._create(connection)
            with self._database.errors():
                if tokens is None:
                    await connection.execute(_DELETE, (self._key,))
                else:
                    await connection.execute(_SAVE, (self._key, VERSION, encode(tokens)))

        await self._run("deleted" if tokens is None else "written", save)

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the lock while tokens are loaded, refreshed and saved.

        Raises:
            TokenStoreError: The database cannot be used.
        """
        opened: list[Connection] = []
        is_ours = False

        async def try_acquire() -> None:
            nonlocal is_ours
            try:
                if not opened:
                    opened.append(await self._database.connect_async())
                    await self._create(opened[0])
                is_read_only, may_save, is_ours = await self._row(opened[0], _LOCK, self._lock_key)
            except PostgresError:
                await _close(opened)
                raise
            if is_read_only:
                raise PostgresError("its transactions are read-only", sqlstate="25006")
            if not may_save:
                raise PostgresError("permission denied for table tingting_tokens", sqlstate="42501")

        try:
            while not is_ours:
                await self._repeat("locked", try_acquire)
                if not is_ours:
                    await anyio.sleep(LOCK_POLL_INTERVAL)
            yield
        finally:
            await run_to_completion(self._release(opened, is_ours=is_ours))

    async def _release(self, opened: "list[Connection]", *, is_ours: bool) -> None:
        try:
            if is_ours:
                async with asyncio.timeout(self._timeout):
                    await self._row(opened[0], _UNLOCK, self._lock_key)
        except (PostgresError, TimeoutError):
            # The work under the lock is done. It does not fail because of a lock that ended with its connection.
            _log.warning(
                "The connection that held the lock of %r was lost: another process may have refreshed the tokens, too.",
                self,
            )
        finally:
            await _close(opened)

    async def _create(self, connection: "Connection") -> None:
        """Create the table if there is none. A role that may not create one can use one that is there."""
        (found,) = await self._row(connection, _FIND)
        if found is None:
            with self._database.errors():
                await connection.execute(_CREATE)

    async def _row(self, connection: "Connection", query: LiteralString, *arguments: Any) -> Any:
        """Run a query, and return its first row, or None."""
        with self._database.errors():
            return await (await connection.execute(query, arguments or None)).fetchone()

    async def _run(self, action: str, work: "Callable[[Connection], Awaitable[T]]") -> T:
        """Run something with a connection of its own."""

        async def run() -> T:
            opened = [await self._database.connect_async()]
            try:
                return await work(opened[0])
            finally:
                await _close(opened)

        return await self._repeat(action, run)

    async def _repeat(self, action: str, work: Callable[[], Awaitable[T]]) -> T:
        """Run something to its end, even if the caller is cancelled, and again if its connection failed."""
        try:
            repeated = repeat(work, pauses=RETRY_PAUSES, timeout=self._timeout, advice=_ADVICE)
            return await run_to_completion(repeated)
        except PostgresFailedError as error:
            text, cause = str(error), error.__cause__
        raise self._error(action, text) from cause

    def _error(self, action: str, text: str) -> TokenStoreError:
        where = f"The token store in PostgreSQL ({self._database.name}, key {self._key!r})"
        return TokenStoreError(f"{where} could not be {action}: {text}")


async def _close(opened: "list[Connection]") -> None:
    """Close the connections of a list, and empty it."""
    while opened:
        with suppress(Exception):  # A connection that is broken is closed.
            await opened.pop().close()
