"""A ledger in an SQLite file, for the processes of one machine."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tingting_async.errors import LedgerError, TingTingError, UsageError
from tingting_async.ledger.claims import Claim, StoredClaim
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.owners import ProcessOwners
from tingting_async.ledger.schema import ensure_schema, is_empty
from tingting_async.outcomes import Clocks, Send, SendState, Verdict
from tingting_async.persistence import atomic_write, make_private_dir, resolve_path, run_in_thread

T = TypeVar("T")

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing; each write takes some milliseconds."""
_ADVICE = "Check that this process may read and write the file and its directory, and that the disk has space."
_INSERT = (
    "INSERT INTO sends (id, service, operation, key, target, old_key, is_done, owner, started_at, digest, "
    "service_time, monotonic, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT id, service, operation, key, target, is_done, owner, started_at, digest, service_time, monotonic, result, "
    "evidence FROM sends"
)
_RECORD = {
    Verdict.DONE: "UPDATE sends SET is_done = 1, result = coalesce(:result, result) WHERE id = :id",
    Verdict.NOT_DONE: "DELETE FROM sends WHERE id = :id",
    Verdict.UNKNOWN: "UPDATE sends SET owner = '' WHERE id = :id",
}
_PRUNE = "DELETE FROM sends WHERE is_done AND started_at < ?"


class SqliteLedger(Ledger):
    """Records every send in a file, so that nothing is sent twice: by no task, no process and no later run.

    ::

        TingTing(email="…", password="…", ledger=SqliteLedger("~/.local/state/my-service/sends.sqlite"))

    The file is an SQLite database on a local disk, for its owner alone (mode 0600). All processes of the machine that
    send for an account share one. It holds keys, operations, times and salted digests, but no messages, codes, phone
    numbers or tokens. The directory `<path>.owners` beside it holds lock files, which show which processes are alive.
    The file `<path>.id` shows that there was a ledger. If its file is lost, calls fail instead of making a new one.

    Args:
        path: The file; `~` is the user's home. Missing directories are made, for the owner alone.

    Raises:
        UsageError: `path` is not a valid path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self._path = resolve_path(path)
        except ValueError as error:
            raise UsageError(str(error)) from None
        super().__init__(SqliteStorage(self._path))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"


class SqliteStorage:
    """Keeps the claims of a ledger in an SQLite file; see `Storage`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owners = ProcessOwners(Path(f"{path}.owners"))
        self._id_path = Path(f"{path}.id")
        self._seen: tuple[str, int] | None = None
        """The id of the ledger, and the number of changes that it had when this object last used it."""

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim, or return the stored claim that it duplicates."""

        def work(database: sqlite3.Connection) -> StoredClaim:
            if (found := self._find(database, claim)) is not None:
                return found
            owner = self._owners.current()
            clocks = claim.read_clocks()  # Now, as the file may have been locked for a while.
            fields = (claim.id, claim.service, claim.operation, claim.key, claim.target)
            service_time = None if clocks.service is None else clocks.service.timestamp()
            times = (clocks.local.timestamp(), claim.digest, service_time, clocks.monotonic)
            database.execute(_INSERT, (*fields, "", 0, owner, *times, claim.evidence))
            send = Send(*fields, state=SendState.IN_PROGRESS, started_at=clocks.local, clocks=clocks)
            return StoredClaim(send, claim.digest, claim.evidence)

        return await self._run(work)

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate."""
        return await self._run(lambda database: self._find(database, claim))

    async def same_target(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target."""
        return await self._run(lambda database: self._same_target(database, claim))

    async def record(self, id: str, decide: Callable[[Send], Verdict | None], result: str | None = None) -> None:
        """Record the verdict that `decide` returns."""

        def work(database: sqlite3.Connection) -> None:
            row = database.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
            verdict = None if row is None else decide(self._read(row).send)
            if verdict is not None:
                database.execute(_RECORD[verdict], {"id": id, "result": result})

        await self._run(work)

    async def sends(self) -> list[Send]:
        """Return all sends, the oldest first."""
        return await self._run(
            lambda database: [self._read(row).send for row in database.execute(f"{_SELECT} ORDER BY rowid")]
        )

    async def prune(self, before: datetime) -> int:
        """Delete the claims that are done and started before a time."""
        return await self._run(lambda database: database.execute(_PRUNE, (before.timestamp(),)).rowcount)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a thread, in a transaction of its own."""

        def run() -> T:
            with self._transaction() as database:
                return work(database)

        return await run_in_thread(run)

    # What follows runs in threads.

    def _find(self, database: sqlite3.Connection, claim: Claim) -> StoredClaim | None:
        same_operation = "service = :service AND operation = :operation AND key = :key"
        same_target = "service = :service AND target = :target AND key IS :key"
        # A claim of an old file refuses also what the old code would have refused.
        same_old_key = "service = :service AND old_key = :old_key AND old_key != ''"
        row = database.execute(
            f"{_SELECT} WHERE {same_operation} OR {same_target} OR {same_old_key} "
            "ORDER BY target IS NOT :target, rowid LIMIT 1",
            {
                "service": claim.service,
                "operation": claim.operation,
                "key": claim.key,
                "target": claim.target,
                "old_key": claim.target if claim.key is None else f"{claim.target or claim.operation}: {claim.key}",
            },
        ).fetchone()
        if row is not None:
            return self._read(row)
        if claim.seen is not None:
            others = [each for each in self._same_target(database, claim) if each.send.state is not SendState.DONE]
            return next((each for each in others if each.send.id not in claim.seen), None)
        return None

    def _same_target(self, database: sqlite3.Connection, claim: Claim) -> list[StoredClaim]:
        found = database.execute(
            f"{_SELECT} WHERE service = ? AND target = ? ORDER BY rowid", (claim.service, claim.target)
        )
        return [self._read(row) for row in found]

    def _read(self, row: tuple[Any, ...]) -> StoredClaim:
        id_, url, operation, key, target, is_done, owner, started, digest, service_time, monotonic, result, evidence = (
            row
        )
        if is_done:
            state = SendState.DONE
        else:
            state = SendState.IN_PROGRESS if self._owners.is_alive(owner) else SendState.UNKNOWN
        started_at = datetime.fromtimestamp(started, UTC)
        service = None if service_time is None else datetime.fromtimestamp(service_time, UTC)
        clocks = None if monotonic is None else Clocks(started_at, service, monotonic)
        send = Send(id_, url, operation, key, target, state, started_at, clocks, result)
        return StoredClaim(send, digest, evidence)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Open the file for one transaction. Each has its own connection, as no connection survives a fork."""
        try:
            self._prepare()
            with self._connected() as database:
                seen = self._check(database)
                yield database
                if database.total_changes:
                    database.execute("UPDATE ledger SET changes = changes + 1")
                    seen = (seen[0], seen[1] + 1)
                database.execute("COMMIT")
                self._seen = seen
        except TingTingError:
            raise
        except Exception as error:  # SQLite's, the operating system's, and those of values that cannot be read.
            what = str(error) or type(error).__name__
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise self._lost(f"is damaged, or not a ledger ({what})") from error
            advice = "" if isinstance(error, sqlite3.NotSupportedError) else f" {_ADVICE}"
            raise LedgerError(f"The ledger {str(self._path)!r} cannot be used: {what}.{advice}") from error

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        """Open the file, which must exist, and lock it."""
        address = f"{self._path.as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None)) as database:
            # On the disk before the request leaves, so that a claim survives even a power cut.
            database.execute("PRAGMA synchronous = EXTRA")
            database.execute("BEGIN IMMEDIATE")
            yield database

    def _prepare(self) -> None:
        """Create the file, or migrate it, if this object has not used it yet. If it has, the file must exist."""
        if self._seen is not None:
            if not self._path.exists():
                raise self._lost("is missing")
            return
        make_private_dir(self._path.parent)
        known = self._id_path.read_text().strip() if self._id_path.exists() else None
        if known is None:
            # Never opens an existing file: closing it would release the locks that SQLite holds in other threads.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        elif not self._path.exists():
            raise self._lost("is missing")
        with self._connected() as database:
            if known is not None and is_empty(database):
                raise self._lost("is empty")
            ensure_schema(database)
            (id_,) = database.execute("SELECT id FROM ledger").fetchone()
            if known not in (None, id_):
                raise self._lost("is another ledger")
            database.execute("COMMIT")
        if known is None:
            with atomic_write(self._id_path) as file:
                file.write(f"{id_}\n".encode())
        self._seen = (id_, 0)

    def _check(self, database: sqlite3.Connection) -> tuple[str, int]:
        """Return the ledger's id and its number of changes, which show that it is the file that was used before."""
        if is_empty(database):
            raise self._lost("is empty")
        ensure_schema(database)
        found: tuple[str, int] = database.execute("SELECT id, changes FROM ledger").fetchone()
        assert self._seen is not None
        if found[0] != self._seen[0]:
            raise self._lost("is another ledger")
        if found[1] < self._seen[1]:
            raise self._lost("is an older copy of itself")
        return found

    def _lost(self, what: str) -> LedgerError:
        """Return the error for a file that does not hold what it held before."""
        left = ["the file"] * self._path.exists() + [repr(str(self._id_path))] * self._id_path.exists()
        delete = f"delete {' and '.join(left)}, and " if left else ""
        return LedgerError(
            f"The ledger {str(self._path)!r} {what}, so it does not hold what was sent before. Restore it. To start a "
            f"new ledger, which allows every send again, {delete}make a new {SqliteLedger.__name__}."
        )
