"""A ledger in PostgreSQL, for processes on any number of machines."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from tingting_async.errors import LedgerError, UsageError
from tingting_async.ledger.claims import Claim, Decision, Elapsed, StoredClaim
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.postgres_database import Database, Outcome, Renewal, Work
from tingting_async.ledger.postgres_statements import PRUNED, Statements
from tingting_async.ledger.writer import Writer
from tingting_async.outcomes import Send
from tingting_async.postgres import Postgres
from tingting_async.tracebacks import short_traceback

T = TypeVar("T")


class PostgresLedger(Ledger):
    """Records every send in a PostgreSQL database, so that nothing is sent twice, whichever machine sends it.

    ::

        async with PostgresLedger("postgresql://me@db.example.com/jobs") as ledger:
            async with TingTing(email="…", password="…", ledger=ledger) as tingting: ...

    This needs `psycopg` (the extra `postgres`). All processes that send for an account share one ledger. It opens
    one connection, on first use, and keeps it: a direct one, because the session of the database shows that this
    process is alive. PgBouncer in transaction mode does not work. The ledger creates the tables `tingting_ledger` and
    `tingting_sends`, in the first schema of the role's `search_path`.

    Args:
        dsn_or_pool: A connection string, or a pool of `psycopg_pool`, whose parameters are used. The ledger opens
            its own connection, and uses none of the pool's.

    Raises:
        UsageError: `psycopg` is not installed, or the argument is neither a valid connection string nor a pool.
    """

    @short_traceback
    def __init__(self, dsn_or_pool: Any) -> None:
        try:
            self._postgres = Postgres(dsn_or_pool)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(f"`dsn_or_pool`: {error}.") from None
        super().__init__(PostgresStorage(self._postgres))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._postgres.name}>"  # Without the connection string, which has a password.


class PostgresStorage:
    """Keeps the claims of a ledger in PostgreSQL; see `Storage`.

    Args:
        postgres: The database.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._writer: Writer[list[Work]] = Writer(Database(postgres))

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim, or return the stored claim that it duplicates."""
        while True:  # Another claim may be in its way, and be deleted before it is read.
            if claim.seen is None:
                stored: StoredClaim | None = await self._run(claim)
            else:
                stored = await self._call(lambda statements: statements.create(claim), claim.id)
            if stored is None:
                stored = await self.find(claim)
            if stored is not None:
                return stored

    async def renew(self, id: str) -> Elapsed:
        """Renew a claim of this process."""
        renewed: Elapsed | None = await self._run(Renewal(id))
        if renewed is None:
            raise LedgerError(
                "The claim no longer belongs to this process: its session of the database has ended, or somebody has "
                "recorded the send meanwhile. Send again; the ledger allows it if it was not sent."
            )
        return renewed

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate."""
        return await self._call(lambda statements: statements.find(claim))

    async def unfinished(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target that are not done."""
        return await self._call(lambda statements: statements.unfinished(claim))

    async def results(self, claim: Claim) -> frozenset[str]:
        """Return the results of the other claims for the same service and target that are done."""
        return await self._call(lambda statements: statements.results(claim))

    async def has_others(self, claim: Claim, *, later: bool = False) -> bool:
        """Return whether another key has a claim for the same service and target, stored later or at any time."""
        return await self._call(lambda statements: statements.has_others(claim, later=later))

    async def record(self, id: str, decision: Decision, result: str | None = None) -> float:
        """Record a verdict."""
        if decision.is_owner:
            await self._run(Outcome(id, decision.verdict, result, decision.mark, decision.claim))
            return 0.0
        return await self._call(lambda statements: statements.record(id, decision, result), id)

    async def sends(self, *, is_unfinished: bool = False) -> list[Send]:
        """Return all sends, the oldest first."""
        return await self._call(lambda statements: statements.sends(is_unfinished=is_unfinished))

    async def prune(self, before: datetime) -> int:
        """Delete the claims that are done and started before a time."""
        count = 0
        while True:
            deleted = await self._call(lambda statements: statements.prune(before))
            count += deleted
            if deleted < PRUNED:
                return count

    async def aclose(self) -> None:
        """End the session."""
        await self._writer.aclose()

    async def _call(self, work: Callable[[Statements], T], about: str = "") -> T:
        """Run a function in a transaction of its own. If it changes a claim, it is about the id of that."""
        result: T = await self._run(work, about)
        return result

    async def _run(self, what: Any, about: str = "") -> Any:
        work = Work(what, about)
        await self._writer.run(lambda batch: batch.append(work))
        if work.error is not None:
            raise work.error
        return work.result
