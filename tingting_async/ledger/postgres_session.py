"""A session of a ledger in PostgreSQL: its connection, its lock, and the tables.

The owner of claims is a session. It holds an advisory lock, which the server releases when the session ends, however
it ends. So a process that can see the lock knows that the owner is alive.
"""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tingting_async.postgres import Postgres, PostgresError

if TYPE_CHECKING:
    from psycopg import Connection

VERSION = 2
"""The form of the tables."""
# One tuple of statements for each version; migrating executes those after the version that is there.
_MIGRATIONS = (
    (
        # One row: which ledger this is, its form, and until when sends may have been deleted on purpose.
        """CREATE TABLE tingting_ledger (
            id text NOT NULL, version integer NOT NULL, deleted_until timestamptz NOT NULL DEFAULT '-infinity'
        )""",
        """CREATE TABLE tingting_sends (
            id text PRIMARY KEY, number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
            service text NOT NULL, operation text NOT NULL, key text, target text,
            is_done boolean NOT NULL DEFAULT false, owner bigint NOT NULL,
            started_at timestamptz NOT NULL, renewed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            service_time timestamptz, monotonic double precision,
            digest text NOT NULL, result text, evidence text NOT NULL DEFAULT '',
            UNIQUE (service, operation, key)
        )""",
        """CREATE UNIQUE INDEX tingting_targets ON tingting_sends (service, target, coalesce(key, ''))
            WHERE target IS NOT NULL""",
        "CREATE INDEX tingting_unfinished ON tingting_sends (number) WHERE NOT is_done",
        "INSERT INTO tingting_ledger (id, version) VALUES (%s, 1)",
    ),
    (
        # There are few of them, however many sends with the same target are done.
        "CREATE INDEX tingting_unfinished_targets ON tingting_sends (service, target) WHERE NOT is_done",
        "DROP INDEX tingting_unfinished",
        # For `prune`. A claim enters it when it is done, which enters the other indexes again anyway.
        "CREATE INDEX tingting_done ON tingting_sends (started_at) WHERE is_done",
        "UPDATE tingting_ledger SET version = 2",
    ),
)
_MIGRATION_LOCK = 0x7469_6E67_7469_6E67
# Not `to_regclass`, which may still not see a table that another session has made meanwhile.
_TABLES = """
SELECT relname FROM pg_class WHERE relname IN ('tingting_ledger', 'tingting_sends') AND pg_table_is_visible(oid)
"""
# A stronger setting than `on`, which waits for the replicas to show the commit, is kept.
# A plan that the server made while the table was empty reads the whole table, and is kept when the table has grown. So
# plans must look rows up by an index, one by one. Where there is no index, the estimated cost is so high that the
# server would compile the plan, which takes longer than the plan itself.
_OPEN = """
SELECT pg_is_in_recovery(), pg_backend_pid(), pg_try_advisory_lock(%s), set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)
"""
ADVICE = {
    "25006": "It is read-only. Connect to the primary; if the connection string has several hosts, add "
    "target_session_attrs=read-write.",
    "42501": "Grant the role SELECT, INSERT, UPDATE and DELETE on tingting_ledger and tingting_sends. To make or "
    "migrate them, it needs CREATE on their schema, and must own them.",
    "53100": "Free space on the server's disk.",
    "53300": "Each ledger object has one connection. Raise max_connections, or start fewer processes.",
    "57014": "The server was too slow, or somebody cancelled the statement.",
}
"""What to do about some errors of the server, by their code."""


class LostError(PostgresError):
    """The tables do not hold what they held before. The text says what they lack, and follows "The ledger"."""


class PooledError(PostgresError):
    """A connection does not lead to one session, so that it can hold no lock."""

    def __init__(self) -> None:
        super().__init__(
            "each transaction may run in another session of the server, as behind PgBouncer in transaction mode; give "
            "the address of the server itself"
        )


class Session:
    """An open session, which owns the claims that it stores.

    Args:
        postgres: The database.

    Raises:
        PostgresError: The database cannot be used.
    """

    def __init__(self, postgres: Postgres) -> None:
        self.owner: int = secrets.randbelow(2**63 - 1) + 1
        """The key of the lock that this session holds."""
        self.connection: Connection[tuple[Any, ...]] = postgres.connect()
        self._descriptor = self.connection.fileno()
        self.backend: int = 0
        """The number of the server's process that serves this session."""
        try:
            with postgres.errors():
                self._begin()
                if self.connection.info.backend_pid != self.backend:
                    self._look_for_pooler(postgres)
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        is_replica, self.backend, is_locked, *_ = self._row(_OPEN, self.owner)
        if is_replica:
            raise PostgresError("it is a read replica", sqlstate="25006")
        if not is_locked:
            raise PostgresError("the lock of a new session is not free")

    def _look_for_pooler(self, postgres: Postgres) -> None:
        """Raise an error if two connections can lead to the same session.

        Called because the connection reported another process number than `pg_backend_pid()`. A harmless proxy can
        cause that, too.
        """

        def own_backends() -> set[tuple[Any, ...]]:
            return {self._row("SELECT pg_backend_pid()") for _ in range(10)}  # A pooler may use its sessions in turn.

        other = postgres.connect()
        try:
            other.execute("BEGIN")  # The pooler now needs another session for this connection, if it pools them.
            found = other.execute("SELECT pg_backend_pid()").fetchone()
            own = own_backends()
            other.execute("ROLLBACK")
            own |= own_backends()  # A pooler may prefer the session that was used last, which is now the other's.
            if found in own or own != {(self.backend,)}:
                raise PooledError
        finally:
            other.close()

    def release(self) -> None:
        """Release the lock, so that all others see at once that the session has ended."""
        with suppress(Exception):  # If the connection is lost, the server releases it.
            self.connection.execute("SELECT pg_advisory_unlock_all()")

    def close(self) -> None:
        """End the session. Claims that it owns are then unknown."""
        with suppress(Exception):  # A connection that is broken is closed.
            self.connection.close()

    def abandon(self) -> None:
        """Close the connection's file in a forked child; the parent still uses it.

        Otherwise the server would see the connection open, and the owner alive, as long as the child runs.
        """
        with suppress(OSError):
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, self._descriptor)
            os.close(null)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Execute the block in a transaction. psycopg's own logs a warning if the connection is lost."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(Exception):  # If the connection is lost, there is nothing to undo.
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def ensure_tables(self, *, known: str | None) -> str:
        """Create the tables, or migrate old ones, and return the ledger's id.

        Args:
            known: The id of the ledger that the caller has used. If it has used one, its tables must be there.

        Raises:
            PostgresError: Only one of the tables is there, or a newer version of the package made them.
        """
        with self.transaction():
            if (found := self._found()) is None or found[1] < VERSION:
                # Only one process does this. The others wait, and check again.
                self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
                found = self._found()
                if found is None and known is not None:
                    raise LostError("lacks its tables")
                done = 0 if found is None else found[1]
                for statement in (each for migration in _MIGRATIONS[done:] for each in migration):
                    self.connection.execute(statement.encode(), (uuid4().hex,) if "%s" in statement else None)
                found = self._found()
        assert found is not None
        if known not in (None, found[0]):
            raise LostError("is another ledger")
        if found[1] > VERSION:
            raise PostgresError("a newer version of tingting_async made its tables; install that version")
        return found[0]

    def _found(self) -> tuple[str, int] | None:
        """Return the id and the version of the ledger; None if there is none."""
        found = {name for (name,) in self.connection.execute(_TABLES)}
        if not found:
            return None
        if missing := {"tingting_ledger", "tingting_sends"} - found:
            raise LostError(f"lacks the table {missing.pop()}")
        row = self.connection.execute("SELECT id, version FROM tingting_ledger").fetchone()
        if row is None:
            raise LostError("has an empty table tingting_ledger")
        return row[0], row[1]

    def _row(self, query: str, *arguments: Any) -> tuple[Any, ...]:
        # Not prepared in the session: a pooler would use the name of the statement in another one.
        row = self.connection.execute(query.encode(), arguments or None, prepare=False).fetchone()
        assert row is not None
        return row
