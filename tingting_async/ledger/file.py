"""The file of an SQLite ledger: opened, checked that it is what it was before, and locked for one transaction."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tingting_async.errors import LedgerError, TingTingError
from tingting_async.ledger.owners import ProcessOwners
from tingting_async.ledger.schema import ensure_schema, is_empty
from tingting_async.ledger.turns import take_turn
from tingting_async.persistence import atomic_write, make_private_dir

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing; each write takes some milliseconds."""
_ADVICE = "Check that this process may read and write the file and its directory, and that the disk has space."


class LedgerFile:
    """A ledger's file, which one thread uses at a time.

    It stays open between transactions, as long as nobody else touches it. If anything did, it is opened again. So an
    open file never shows old content after it was replaced.

    Args:
        path: The file.

    Attributes:
        owners: Shows which owners of claims are alive, during a transaction.
    """

    def __init__(self, path: Path) -> None:
        self.owners: ProcessOwners = ProcessOwners(Path(f"{path}.owners"))
        self._path = path
        self._id_path = Path(f"{path}.id")
        self._queue_path = Path(f"{path}.queue")
        self._seen: tuple[str, int] | None = None
        """The id of the ledger, and the number of changes that it had when this object last used it."""
        self._database: sqlite3.Connection | None = None
        self._inherited: sqlite3.Connection | None = None
        self._left: tuple[int, ...] | None = None
        """The values of `_look` when the file was opened, and after each transaction since."""

    def __del__(self) -> None:
        """Close the file."""
        self.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Lock the file for a transaction, which is on the disk after the block, or is undone if the block fails.

        Raises:
            LedgerError: The file cannot be used, or does not hold what it held before.
        """
        try:
            with take_turn(self._queue_path):
                database = self._begin()
                self.owners.begin()
                before, seen = database.total_changes, self._check(database)
                yield database
                if database.total_changes != before:
                    database.execute("UPDATE ledger SET changes = changes + 1")
                    seen = (seen[0], seen[1] + 1)
                database.execute("COMMIT")
                self._leave()
                self._seen = seen
        except BaseException as error:
            self.close()
            if isinstance(error, Exception) and not isinstance(error, TingTingError):
                raise self._failed(error) from error
            raise

    def close(self) -> None:
        """Close the file, if it is open, and undo an unfinished transaction."""
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.rollback()  # Closing alone does not, while a traceback refers to an unfinished query.
            database.close()

    def after_fork(self) -> None:
        """Forget the open file, in a child that was forked: SQLite must neither use nor close it there."""
        self._inherited, self._database = self._database, None

    def _begin(self) -> sqlite3.Connection:
        """Begin a transaction: on the open connection, if the file is as that left it; otherwise on a new one."""
        if self._database is not None and self._look() == self._left:
            self._database.execute("BEGIN IMMEDIATE")
            if self._look() == self._left:  # Nobody wrote while this process waited for the lock.
                return self._database
        self.close()
        self._prepare()
        self._left = self._look()
        self._database = self._open()
        self._database.execute("BEGIN IMMEDIATE")
        if is_empty(self._database):
            raise self._lost("is empty")
        self._require_whole(self._database)
        ensure_schema(self._database)
        return self._database

    def _require_whole(self, database: sqlite3.Connection) -> None:
        """Refuse a file that was cut off within its last page. SQLite would read the rest of that page as zeros."""
        (pages,), (size,) = (database.execute(f"PRAGMA page_{each}").fetchone() for each in ("count", "size"))
        if self._path.stat().st_size < pages * size:
            raise self._lost("was cut off")

    def _look(self) -> tuple[int, ...] | None:
        """Return values that change if the file is replaced or written; None if it is missing."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _leave(self) -> None:
        """Remember these values after a transaction. The file must be the one that was opened."""
        now, opened = self._look(), self._left
        if now is None or opened is None or now[:2] != opened[:2]:
            raise self._lost("was replaced while it was in use")
        self._left = now

    def _open(self) -> sqlite3.Connection:
        """Open the file, which must exist."""
        address = f"{self._path.as_uri()}?mode=rw"
        database = sqlite3.connect(
            address, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            # On the disk before the request leaves, so that a claim survives even a power cut.
            database.execute("PRAGMA journal_mode = PERSIST")
            database.execute("PRAGMA synchronous = EXTRA")
        except BaseException:
            database.close()
            raise
        return database

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
        with closing(self._open()) as database:
            database.execute("BEGIN IMMEDIATE")
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
        found: tuple[str, int] = database.execute("SELECT id, changes FROM ledger").fetchone()
        assert self._seen is not None
        if found[0] != self._seen[0]:
            raise self._lost("is another ledger")
        if found[1] < self._seen[1]:
            raise self._lost("is an older copy of itself")
        return found

    def _failed(self, error: Exception) -> LedgerError:
        """Return the error for one of SQLite's, of the operating system's, or of a value that cannot be read."""
        what = str(error) or type(error).__name__
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return self._lost(f"is damaged, or not a ledger ({what})")
        advice = "" if isinstance(error, sqlite3.NotSupportedError) else f" {_ADVICE}"
        return LedgerError(f"The ledger {str(self._path)!r} cannot be used: {what}.{advice}")

    def _lost(self, what: str) -> LedgerError:
        """Return the error for a file that does not hold what it held before."""
        left = ["the file"] * self._path.exists() + [repr(str(self._id_path))] * self._id_path.exists()
        delete = f"delete {' and '.join(left)}, and " if left else ""
        return LedgerError(
            f"The ledger {str(self._path)!r} {what}, so it does not hold what was sent before. Restore it. To start a "
            f"new ledger, which allows every send again, {delete}make a new SqliteLedger."
        )
