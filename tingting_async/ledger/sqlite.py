"""A ledger in an SQLite file, for the processes of one machine."""

import os
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from tingting_async.errors import LedgerError, UsageError
from tingting_async.ledger.claims import Claim, Decision, Elapsed, StoredClaim, may_begin_for
from tingting_async.ledger.file import LedgerFile
from tingting_async.ledger.ledger import Ledger
from tingting_async.ledger.writer import Writer
from tingting_async.outcomes import Clocks, Send, SendState, Verdict
from tingting_async.persistence import resolve_path

_INSERT = (
    "INSERT INTO sends (id, service, operation, key, target, old_key, is_done, owner, started_at, digest, "
    "service_time, monotonic, evidence, renewed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT id, service, operation, key, target, is_done, owner, started_at, digest, service_time, monotonic, result, "
    "evidence, renewed"
)
_RECORD = {
    Verdict.DONE: "UPDATE sends SET is_done = 1, result = coalesce(:result, result) WHERE id = :id",
    Verdict.NOT_DONE: "DELETE FROM sends WHERE id = :id",
    Verdict.UNKNOWN: "UPDATE sends SET owner = '' WHERE id = :id",
}
_RECORD_OWN = {verdict: f"{statement} AND NOT is_done" for verdict, statement in _RECORD.items()}
_IS_UNFINISHED = "SELECT 1 FROM sends WHERE id = ? AND NOT is_done"
_RENEW = "UPDATE sends SET renewed = ? WHERE id = ? AND owner = ? AND NOT is_done"
# A creation stays as long as it protects an unfinished one of the same target.
_PRUNE = """
DELETE FROM sends WHERE is_done AND started_at < ? AND (evidence = '' OR NOT EXISTS (
    SELECT 1 FROM sends AS other INDEXED BY unfinished
    WHERE other.service = sends.service AND other.target = sends.target AND NOT other.is_done
))
"""
_UNFINISHED = "FROM sends INDEXED BY unfinished WHERE service = ? AND target = ? AND NOT is_done ORDER BY rowid"
_RESULTS = "SELECT result FROM sends WHERE service = ? AND target = ? AND id != ? AND is_done AND result IS NOT NULL"
_OTHERS = "SELECT 1 FROM sends WHERE service = ? AND target = ? AND key IS NOT ?"
_LATER = (
    "SELECT 1 FROM sends WHERE service = ? AND target = ? AND key IS NOT ? "
    "AND rowid > coalesce((SELECT rowid FROM sends WHERE id = ?), -1)"
)


class SqliteLedger(Ledger):
    """Records every send in a file, so that nothing is sent twice: by no task, no process and no later run.

    ::

        TingTing(email="…", password="…", ledger=SqliteLedger("~/.local/state/my-service/sends.sqlite"))

    The file is an SQLite database on a local disk, for its owner alone (mode 0600). All processes of the machine that
    send for an account share one file. It holds keys, operations, times, salted digests, and the names and ids of
    campaigns that were created with a key, but no messages, codes, phone numbers or tokens. The directory
    `<path>.owners` beside it holds lock files, which show which processes are alive. The file `<path>.id` shows that
    there was a ledger. If the ledger's file is lost, calls fail instead of making a new one. `<path>.queue` is the
    queue of processes that wait for the file, and `<path>-journal` is SQLite's.

    A thread does the work, and commits all waiting work in one transaction. The file stays open between transactions.

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
        file = LedgerFile(path)
        self._owners = file.owners
        self._writer = Writer(file)

    async def claim(self, claim: Claim) -> StoredClaim:
        """Store a claim, or return the stored claim that it duplicates."""

        def work(database: sqlite3.Connection) -> StoredClaim:
            if (found := self._find(database, claim)) is not None:
                return found
            return _insert(database, claim, self._owners.current())

        return await self._writer.run(work)

    async def renew(self, id: str) -> Elapsed:
        """Renew a claim of this process."""

        def work(database: sqlite3.Connection) -> Elapsed:
            now = Elapsed.start()
            if not database.execute(_RENEW, (now.monotonic, id, self._owners.current())).rowcount:
                raise LedgerError(
                    "The claim no longer belongs to this process: its lock file was deleted, or somebody has recorded "
                    "the send meanwhile. Send again; the ledger allows it if it was not sent."
                )
            return now

        return await self._writer.run(work)

    async def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that this one would duplicate."""
        return await self._writer.run(lambda database: self._find(database, claim))

    async def unfinished(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target that are not done."""
        return await self._writer.run(lambda database: self._unfinished(database, claim))

    async def results(self, claim: Claim) -> frozenset[str]:
        """Return the results of the other claims for the same service and target that are done."""
        given = (claim.service, claim.target, claim.id)
        return await self._writer.run(lambda database: frozenset(row[0] for row in database.execute(_RESULTS, given)))

    async def has_others(self, claim: Claim, *, later: bool = False) -> bool:
        """Return whether another key has a claim for the same service and target, stored later or at any time."""
        given = (claim.service, claim.target, claim.key)
        query, values = (_LATER, (*given, claim.id)) if later else (_OTHERS, given)
        return await self._writer.run(lambda database: database.execute(query, values).fetchone() is not None)

    async def record(self, id: str, decision: Decision, result: str | None = None) -> float:
        """Record a decision."""

        def work(database: sqlite3.Connection) -> float:
            if decision.is_owner:
                if decision.mark is not None and database.execute(_IS_UNFINISHED, (id,)).fetchone() is not None:
                    mark, ending = decision.mark
                    database.execute(_RECORD_OWN[ending], {"id": mark, "result": None})
                changed = database.execute(_RECORD_OWN[decision.verdict], {"id": id, "result": result}).rowcount
                if not changed:
                    self._restore(database, decision, result)
                return 0.0
            row = database.execute(f"{_SELECT} FROM sends WHERE id = ?", (id,)).fetchone()
            if row is None:
                self._restore(database, decision, result)
                found = None if decision.claim is None else self._find(database, decision.claim)
                decision.check_missing(found, result)
                return 0.0
            stored = self._read(row)
            if rest := decision.rest(stored):
                return rest
            verdict = decision.verdict_for(stored.send, result)
            if verdict is not None:
                database.execute(_RECORD[verdict], {"id": id, "result": result})
            return 0.0

        return await self._writer.run(work)

    async def sends(self, *, is_unfinished: bool = False) -> list[Send]:
        """Return all sends, the oldest first."""
        where = "WHERE NOT is_done" if is_unfinished else ""
        query = f"{_SELECT} FROM sends {where} ORDER BY rowid"
        return await self._writer.run(lambda database: [self._read(row).send for row in database.execute(query)])

    async def prune(self, before: datetime) -> int:
        """Delete the claims that are done and started before a time."""
        return await self._writer.run(lambda database: database.execute(_PRUNE, (before.timestamp(),)).rowcount)

    async def aclose(self) -> None:
        """Close the file, and end the owner of this object's claims. The next use opens the file again."""
        try:
            if self._owners.has_current():
                with suppress(LedgerError):  # Without the file, the lock is released when this object is deleted.
                    await self._writer.run(lambda _: self._owners.release())
        finally:
            await self._writer.aclose()

    # What follows runs in threads.

    def _find(self, database: sqlite3.Connection, claim: Claim) -> StoredClaim | None:
        if claim.key is None and claim.target is None:
            return None  # It may be sent every time.
        same_operation = "service = :service AND operation = :operation AND key = :key"
        same_target = "service = :service AND target = :target AND key IS :key"
        # A claim of an old file also refuses the sends that the old code would have refused.
        same_old_key = "service = :service AND old_key = :old_key AND old_key != ''"
        row = database.execute(
            f"{_SELECT} FROM sends WHERE {same_operation} OR {same_target} OR {same_old_key} "
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
            others = self._unfinished(database, claim)
            return next((each for each in others if each.send.id not in claim.seen), None)
        return None

    def _restore(self, database: sqlite3.Connection, decision: Decision, result: str | None) -> None:
        """Store the claim of a decision that is done, unless it is stored, or another one that it would duplicate."""
        claim = decision.claim
        if decision.verdict is not Verdict.DONE or claim is None:
            return
        is_stored = database.execute("SELECT 1 FROM sends WHERE id = ?", (claim.id,)).fetchone() is not None
        if not is_stored and self._find(database, attrs.evolve(claim, seen=None)) is None:
            _insert(database, claim, "")
            database.execute(_RECORD[Verdict.DONE], {"id": claim.id, "result": result})

    def _unfinished(self, database: sqlite3.Connection, claim: Claim) -> list[StoredClaim]:
        found = database.execute(f"{_SELECT} {_UNFINISHED}", (claim.service, claim.target))
        return [self._read(row) for row in found]

    def _read(self, row: tuple[Any, ...]) -> StoredClaim:
        id_, url, operation, key, target, is_done, owner, started, digest, service_time, monotonic, *others = row
        result, evidence, renewed = others
        if is_done:
            state = SendState.DONE
        else:
            state = SendState.IN_PROGRESS if self._owners.is_alive(owner) else SendState.UNKNOWN
        started_at = datetime.fromtimestamp(started, UTC)
        service = None if service_time is None else datetime.fromtimestamp(service_time, UTC)
        clocks = None if monotonic is None else Clocks(started_at, service, monotonic)
        send = Send(id_, url, operation, key, target, state, started_at, clocks, result)
        age = None if is_done or not owner or renewed is None else time.monotonic() - renewed
        return StoredClaim(send, digest, evidence, may_begin_for(age))


def _insert(database: sqlite3.Connection, claim: Claim, owner: str) -> StoredClaim:
    clocks = claim.read_clocks()  # Now, because the file may have been locked for a while.
    fields = (claim.id, claim.service, claim.operation, claim.key, claim.target)
    service_time = None if clocks.service is None else clocks.service.timestamp()
    times = (clocks.local.timestamp(), claim.digest, service_time, clocks.monotonic)
    database.execute(_INSERT, (*fields, "", 0, owner, *times, claim.evidence, clocks.monotonic))
    send = Send(*fields, state=SendState.IN_PROGRESS, started_at=clocks.local, clocks=clocks)
    return StoredClaim(send, claim.digest, claim.evidence)
