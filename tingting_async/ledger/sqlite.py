"""The send-once ledger: what rings or sends is written down before it leaves, for all processes of a machine.

A row stands for one attempt. It is written at the last moment before the first byte, and settled once the outcome is
known. What ends in between, however it ends, leaves its row behind, and whoever tries the same again meets it.
"""

import hashlib
import logging
import os
import sqlite3
import unicodedata
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import attrs

from tingting_async.errors import DuplicateSendError, LedgerError, OutcomeUnknownError, TingTingError, UsageError
from tingting_async.http.messages import Request
from tingting_async.outcomes import Reconciler, Reconciliation, Send, SendState, Verdict, attach_reconciler
from tingting_async.persistence import make_private_dir, run_in_thread
from tingting_async.redaction import redact

if TYPE_CHECKING:
    from filelock import FileLock

T = TypeVar("T")

MAX_KEY_LENGTH = 200
_BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing; each write takes some milliseconds."""
_TABLE = """CREATE TABLE IF NOT EXISTS sends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL, key TEXT, operation TEXT NOT NULL,
    is_done INTEGER NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL, digest TEXT NOT NULL,
    UNIQUE (service, key)
)"""
_INSERT = "INSERT INTO sends (service, key, operation, is_done, owner, since, digest) VALUES (?, ?, ?, 0, ?, ?, ?)"
_SELECT = "SELECT id, service, key, operation, is_done, owner, since, digest FROM sends"

_log = logging.getLogger("tingting_async")


class SqliteLedger:
    """Keeps a file of what was rung and sent, so that nothing is sent twice: by no task, process or later run.

    ::

        TingTing(email="…", password="…", ledger=SqliteLedger("~/.local/state/my-service/sends.sqlite"))

    The file is an SQLite database for its owner alone (mode 0600), on a local disk; all processes of the machine that
    send for an account share one. It holds keys, operations, times and salted digests,
    and no messages, codes, numbers or tokens. Beside it
    lies a folder, `<path>.owners`, whose lock files tell which processes are still running.

    Args:
        path: The file; `~` is the user's home. Folders that are missing are made, for the owner alone.

    Raises:
        UsageError: That is no path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self._path = Path(path).expanduser().resolve()
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            raise UsageError(f"`path` is {path!r}, which is no path of a file: {error}.") from None
        self._owners = Path(f"{self._path}.owners")
        self._owner: tuple[int, str, FileLock] | None = None
        self._unwritten: dict[int, tuple[Send, Verdict]] = {}
        """Outcomes that could not be written down: the next time that the file is used, they are."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    async def unresolved(self) -> list[Send]:
        """Return what nobody knows the outcome of, the oldest first.

        Raises:
            LedgerError: The file cannot be read.
        """
        return [send for send in await self._in_thread(self._all) if send.state is SendState.UNKNOWN]

    async def mark_sent(self, send: Send) -> None:
        """Say that it happened: it is done, and stays refused.

        Raises:
            UsageError: It is in progress: its own process is about to learn it.
            LedgerError: The file cannot be written.
        """
        await self._in_thread(self._settle, send, Verdict.DONE, by_hand=True)

    async def mark_not_sent(self, send: Send) -> None:
        """Say that it may be sent: what was written down of it is forgotten, unless it was found done meanwhile.

        Raises:
            UsageError: It is in progress.
            LedgerError: The file cannot be written.
        """
        await self._in_thread(self._settle, send, Verdict.NOT_DONE, by_hand=True)

    async def prune(self, before: datetime) -> int:
        """Forget what was done before then, and return how many those are. Their keys can be used again.

        Raises:
            UsageError: The datetime is naive.
            LedgerError: The file cannot be written.
        """
        if not isinstance(before, datetime) or before.tzinfo is None:
            raise UsageError("`before` has to be an aware datetime.")
        return await self._in_thread(self._forget, before.timestamp())

    async def execute(self, service: str, request: Request[T], call: Callable[[Request[T]], Awaitable[T]]) -> T:
        """Carry out what rings or sends, unless it was sent before; for the session.

        Args:
            service: Where to.
            request: What to send.
            call: Sends it.

        Raises:
            DuplicateSendError: It was sent before, or may have been; nothing was sent now.
            LedgerError: The file cannot be written; nothing was sent.
        """
        key = _key(request)
        claimed: Send | None = None
        may_have_left = False

        def write_down() -> None:
            nonlocal claimed  # Set in the thread: a cancellation that comes meanwhile must not lose sight of the row.
            claimed = self._claim(service, key, request)

        async def claim() -> None:
            nonlocal may_have_left
            if claimed is None:  # Else this is a repeat, of what is known not to have been sent.
                await self._in_thread(write_down)
            may_have_left = True

        try:
            result = await call(attrs.evolve(request, before_send=claim))
        except OutcomeUnknownError as error:
            if claimed is not None:
                await self._note(claimed, Verdict.UNKNOWN)
                attach_reconciler(error, request.reconciler, claimed.started_at, self._settler(claimed, by_hand=False))
            raise
        except BaseException as error:
            if claimed is not None:  # Our other errors say that nothing was sent, or that the service refused.
                is_clear = isinstance(error, TingTingError) or not may_have_left
                await self._note(claimed, Verdict.NOT_DONE if is_clear else Verdict.UNKNOWN)
            raise
        if claimed is not None:
            await self._note(claimed, Verdict.DONE)
        return result

    async def refuse_duplicate(self, service: str, request: Request[Any]) -> None:
        """Refuse what was sent before, ahead of what is to be changed first; for the session.

        Raises:
            DuplicateSendError: It was sent before, or may have been.
            LedgerError: The file cannot be read.
        """
        await self._in_thread(self._refuse_duplicate, service, _key(request), request)

    async def _note(self, send: Send, verdict: Verdict) -> None:
        """Write down an outcome; until that succeeds, the row stays, and refuses: it costs nobody a second call."""
        try:
            await self._in_thread(self._settle, send, verdict, by_hand=False)
        except LedgerError:
            self._unwritten[send.id] = (send, verdict)
            text = "The ledger %s could not take down that send %d (%s) is %s: until it can, it refuses the same."
            _log.warning(text, self._path, send.id, send.operation, verdict.value)

    def _settler(self, send: Send, *, by_hand: bool) -> Callable[[Reconciliation], Awaitable[None]]:
        async def settle(finding: Reconciliation) -> None:
            if finding.verdict is not Verdict.UNKNOWN:
                await self._in_thread(self._settle, send, finding.verdict, by_hand=by_hand)

        return settle

    async def _in_thread(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return await run_in_thread(lambda: work(*arguments, **options))

    # What follows runs in threads.

    def _claim(self, service: str, key: str | None, request: Request[Any]) -> Send:
        with self._writing() as database:
            self._refuse(database, service, key, request)
            since = datetime.now(UTC)
            owner = self._process_owner()
            added = database.execute(
                _INSERT,
                (service, key, request.operation, owner, since.timestamp(), _digest(request, os.urandom(16))),
            )
            assert added.lastrowid is not None
            return Send(added.lastrowid, service, request.operation, key, SendState.IN_PROGRESS, since)

    def _refuse_duplicate(self, service: str, key: str | None, request: Request[Any]) -> None:
        with self._writing() as database:
            self._refuse(database, service, key, request)

    def _refuse(self, database: sqlite3.Connection, service: str, key: str | None, request: Request[Any]) -> None:
        row = database.execute(_SELECT + " WHERE service = ? AND key = ?", (service, key)).fetchone()
        if row is None:
            return
        send, reconciler = self._read(row), request.reconciler
        if send.state is not SendState.UNKNOWN:
            reconciler = _fixed_reconciler(
                Verdict.DONE if send.state is SendState.DONE else Verdict.UNKNOWN, f"It is {send.state.value}."
            )
        elif row[-1] != _digest(request, bytes.fromhex(row[-1][:32])):
            reconciler = _fixed_reconciler(
                Verdict.UNKNOWN, "What was sent first had another content, so that it cannot be looked for."
            )
        error = _refusal(send, request)
        attach_reconciler(error, reconciler, send.started_at, self._settler(send, by_hand=True))
        raise error

    def _settle(self, send: Send, verdict: Verdict, *, by_hand: bool) -> None:
        with self._writing() as database:
            self._write(database, send, verdict, by_hand=by_hand)

    def _write(self, database: sqlite3.Connection, send: Send, verdict: Verdict, *, by_hand: bool) -> None:
        which = (send.id, send.started_at.timestamp())
        row = database.execute(_SELECT + " WHERE id = ? AND since = ?", which).fetchone()
        if row is None:
            return  # Settled by somebody else meanwhile; a newer attempt has another id.
        state = self._read(row).state
        if by_hand and state is SendState.IN_PROGRESS:
            raise UsageError(f"Send {send.id} ({send.operation}) is in progress: it settles itself.")
        if state is SendState.DONE and send.state is not SendState.DONE:
            return  # Confirmed meanwhile: whoever looked before that does not know better.
        if verdict is Verdict.DONE:
            database.execute("UPDATE sends SET is_done = 1 WHERE id = ?", (send.id,))
        elif verdict is Verdict.NOT_DONE:
            database.execute("DELETE FROM sends WHERE id = ?", (send.id,))
        else:
            database.execute("UPDATE sends SET owner = '' WHERE id = ?", (send.id,))

    def _all(self) -> list[Send]:
        with self._writing() as database:
            return [self._read(row) for row in database.execute(_SELECT + " ORDER BY id")]

    def _forget(self, before: float) -> int:
        with self._writing() as database:
            return database.execute("DELETE FROM sends WHERE is_done AND since < ?", (before,)).rowcount

    def _read(self, row: tuple[Any, ...]) -> Send:
        number, service, key, operation, is_done, owner, since, _ = row
        state = SendState.IN_PROGRESS if not is_done and self._is_alive(owner) else SendState.UNKNOWN
        when = datetime.fromtimestamp(since, UTC)
        return Send(number, service, operation, key, SendState.DONE if is_done else state, when)

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Open the file for one transaction; a connection each time, as none survives a fork."""
        try:
            make_private_dir(self._path.parent)
            with suppress(FileExistsError):  # Not opened then: closing it would undo SQLite's locks of other threads.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None)) as database:
                # On the disk before the request leaves, so that not even a power cut forgets it.
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                for number, (send, verdict) in [*self._unwritten.items()]:
                    self._write(database, send, verdict, by_hand=False)
                    database.execute("COMMIT")
                    self._unwritten.pop(number, None)
                    database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"The ledger {str(self._path)!r} cannot be used: {error}.") from error

    def _process_owner(self) -> str:
        """Return what this object in this process is known by, for as long as it lives: a locked file's name."""
        from filelock import FileLock  # noqa: PLC0415 - for the ledger only

        # Its file may have been cleared away since, with the folder or alone: nobody else would see that it is locked.
        is_known = (
            self._owner is not None and self._owner[0] == os.getpid() and (self._owners / self._owner[1]).exists()
        )
        if self._owner is None or not is_known:
            make_private_dir(self._owners)
            self._sweep()
            name = uuid4().hex
            lock = FileLock(self._owners / name, mode=0o600, thread_local=False)
            lock.acquire(blocking=False)
            self._owner = (os.getpid(), name, lock)
        return self._owner[1]

    def _is_alive(self, owner: str) -> bool:
        """Tell whether an owner's process is running: whether it holds its lock. Only asked under the file's lock."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - for the ledger only

        path = self._owners / owner
        if not owner or not path.exists():
            return False
        lock = FileLock(path, mode=0o600, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False

    def _sweep(self) -> None:
        """Remove the files of processes that ended; under the file's lock, so that nobody is making one."""
        with suppress(OSError):
            for path in self._owners.iterdir():
                self._is_alive(path.name)


def _key(request: Request[Any]) -> str | None:
    """Return what a send is known by: the caller's word for it, or what is rung as a whole, such as a campaign."""
    if request.idempotency_key is None:
        return request.send_target or None
    key: object = request.idempotency_key
    if not isinstance(key, str) or not key or key != key.strip() or not key.isprintable():
        raise UsageError(
            f"{request.operation}: `idempotency_key` must be a string on one line, with no space around it."
        )
    if len(request.idempotency_key) > MAX_KEY_LENGTH:
        raise UsageError(
            f"{request.operation}: `idempotency_key` has {len(request.idempotency_key)} characters; the limit is "
            f"{MAX_KEY_LENGTH}."
        )
    # The same word from a file's name, on some systems, has other code points than from a keyboard.
    return f"{request.send_target or request.operation}: {unicodedata.normalize('NFC', request.idempotency_key)}"


def _fixed_reconciler(verdict: Verdict, why: str) -> Reconciler:
    async def reconcile(_: datetime | None) -> Reconciliation:
        return Reconciliation(verdict, f"By the ledger: {why}")

    return reconcile


def _digest(request: Request[Any], salt: bytes) -> str:
    """Return by what it is known whether two attempts send the same; what is rung as a whole is found by itself."""
    if request.send_target:
        return salt.hex()
    # Salted and slow: a code of six digits is not to be guessed from it at once.
    return salt.hex() + hashlib.scrypt(repr(request.json).encode(), salt=salt, n=2**10, r=8, p=1, dklen=16).hex()


def _refusal(send: Send, request: Request[Any]) -> DuplicateSendError:
    what = {
        SendState.DONE: "was sent before. For another send that is meant, give another `idempotency_key`",
        SendState.IN_PROGRESS: "is being sent by a running process. Wait for its outcome",
        SendState.UNKNOWN: "may have been sent before: nobody knows. This error's `reconcile()` finds out where the "
        "service has what tells; else `confirm` or `release` it in the ledger",
    }[send.state]
    return DuplicateSendError(
        f"{request.operation}: nothing was sent. By the ledger {redact(send.key or '')!r} {what} "
        f"({send.operation}, {send.started_at:%Y-%m-%d %H:%M:%S} UTC).",
        operation=request.operation,
        send=send,
    )
