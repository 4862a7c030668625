"""A ledger in an SQLite file, for the processes of one machine."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from tingting_async.errors import LedgerError, UsageError
from tingting_async.ledger.ledger import Claim, Ledger, StoredClaim
from tingting_async.ledger.owners import ProcessOwners
from tingting_async.outcomes import Send, SendState, Verdict
from tingting_async.persistence import make_private_dir, resolve_path, run_in_thread

T = TypeVar("T")

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing; each write takes some milliseconds."""
_VERSION = 1
"""The form of the file, as `PRAGMA user_version`. A file of version 0 is new, or has the old form."""
# The table keeps its name and changed its columns, so that a process that still runs the old code fails, and sends
# nothing, instead of starting a table of its own.
_SCHEMA = (
    """CREATE TABLE sends (
        id TEXT PRIMARY KEY,
        service TEXT NOT NULL, operation TEXT NOT NULL, key TEXT, target TEXT, old_key TEXT NOT NULL,
        is_done INTEGER NOT NULL, owner TEXT NOT NULL, started_at REAL NOT NULL, digest TEXT NOT NULL,
        UNIQUE (service, operation, key, old_key)
    )""",
    "CREATE UNIQUE INDEX targets ON sends (service, target, coalesce(key, ''), old_key)",
    "CREATE INDEX old_keys ON sends (service, old_key) WHERE old_key != ''",
)
_INSERT = "INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT id, service, operation, key, target, is_done, owner, started_at, digest FROM sends"
_RECORD = {
    Verdict.DONE: "UPDATE sends SET is_done = 1 WHERE id = ?",
    Verdict.NOT_DONE: "DELETE FROM sends WHERE id = ?",
    Verdict.UNKNOWN: "UPDATE sends SET owner = '' WHERE id = ?",
}
_PRUNE = "DELETE FROM sends WHERE is_done AND started_at < ?"
_OLD_ROWS = "SELECT service, key, operation, is_done, owner, since, digest FROM old_sends ORDER BY id"


class SqliteLedger(Ledger):
    """Records every send in a file, so that nothing is sent twice: by no task, no process and no later run.

    ::

        TingTing(email="…", password="…", ledger=SqliteLedger("~/.local/state/my-service/sends.sqlite"))

    The file is an SQLite database on a local disk, for its owner alone (mode 0600). All processes of the machine that
    send for an account share one. It holds keys, operations, times and salted digests, but no messages, codes, phone
    numbers or tokens. The directory `<path>.owners` beside it holds lock files, which show which processes are alive.

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

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim, or return the stored claim that it duplicates."""

        def work(database: sqlite3.Connection) -> StoredClaim:
            if (found := self._find(database, claim)) is not None:
                return found
            now, owner = datetime.now(UTC), self._owners.current()
            fields = (claim.id, claim.service, claim.operation, claim.key, claim.target)
            database.execute(_INSERT, (*fields, "", 0, owner, now.timestamp(), claim.digest))
            return StoredClaim(Send(*fields, state=SendState.IN_PROGRESS, started_at=now), claim.digest)

        return await self._run(work)

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate."""
        return await self._run(lambda database: self._find(database, claim))

    async def record(self, id: str, decide: Callable[[Send], Verdict | None]) -> None:
        """Record the verdict that `decide` returns."""

        def work(database: sqlite3.Connection) -> None:
            row = database.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
            verdict = None if row is None else decide(self._read(row).send)
            if verdict is not None:
                database.execute(_RECORD[verdict], (id,))

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
        return None if row is None else self._read(row)

    def _read(self, row: tuple[Any, ...]) -> StoredClaim:
        id_, service, operation, key, target, is_done, owner, started_at, digest = row
        if is_done:
            state = SendState.DONE
        else:
            state = SendState.IN_PROGRESS if self._owners.is_alive(owner) else SendState.UNKNOWN
        return StoredClaim(
            Send(id_, service, operation, key, target, state, started_at=datetime.fromtimestamp(started_at, UTC)),
            digest,
        )

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Open the file for one transaction. Each has its own connection, as no connection survives a fork."""
        try:
            make_private_dir(self._path.parent)
            # Never opens an existing file: closing it would release the locks that SQLite holds in other threads.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None)) as database:
                # On the disk before the request leaves, so that a claim survives even a power cut.
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE")
                _ensure_schema(database)
                yield database
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"The ledger {str(self._path)!r} cannot be used: {error}.") from error


def _ensure_schema(database: sqlite3.Connection) -> None:
    """Create the schema in a new file, and migrate an old one, as part of the transaction.

    Raises:
        sqlite3.NotSupportedError: The file was written by a newer version of the package.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return
    if version > _VERSION:
        raise sqlite3.NotSupportedError("it was written by a newer version of tingting_async; install that version")
    is_old = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'sends'").fetchone() is not None
    if is_old:
        database.execute("ALTER TABLE sends RENAME TO old_sends")
    for statement in _SCHEMA:
        database.execute(statement)
    if is_old:
        database.executemany(_INSERT, [_migrated(row) for row in database.execute(_OLD_ROWS).fetchall()])
        database.execute("DROP TABLE old_sends")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _migrated(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the new form of a row of an old file.

    There, one column held the target (`campaign 7`), or a given key after its target or operation (`campaign 7: word`,
    `otp.send: word`).
    """
    service, old_key, operation, is_done, owner, since, digest = row
    target, _, key = (old_key or "").partition(": ")
    is_target = old_key is not None and target != operation
    # The digest of a target was a salt alone, which says nothing about the content.
    return (
        uuid4().hex,
        service,
        operation,
        key or None,
        target if is_target else None,
        old_key or "",
        is_done,
        owner,
        since,
        "" if is_target else digest,
    )
