"""A thread that runs a ledger's work: all work that waits shares one transaction."""

import asyncio
import copy
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from typing import Any, Generic, Protocol, TypeVar, cast

from tingting_async.persistence import run_to_completion

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
T = TypeVar("T")

MAX_BATCH = 1000
"""The maximum number of pieces of work that share a transaction."""
MAX_TURN = 0.1
"""The maximum number of seconds for which a thread waits for the end of a turn of the event loop.

The loop may be blocked, or may have stopped.
"""
_FORK_TIMEOUT = 1.0
"""Seconds for which a fork waits for the end of a transaction. One that takes longer waits for another process."""


class Database(Protocol[C_co]):
    """A database, which one thread uses at a time."""

    def transaction(self) -> AbstractContextManager[C_co]:
        """Begin a transaction, on an open connection or a new one. The block gets the connection.

        After the block, the transaction is durable. If the block fails, it is undone, and the error is raised.

        Raises:
            LedgerError: The database cannot be used.
        """
        ...

    def close(self) -> None:
        """Close the connection, if one is open. The next transaction opens another."""
        ...

    def after_fork(self) -> None:
        """Forget the connection, in a child that was forked: it belongs to the parent."""
        ...


class Writer(Generic[C]):
    """Runs work in transactions of a database, one after the other, for callers in any event loop and any thread.

    A durable commit takes much longer than the work itself, so all work that waits shares one transaction. A thread
    runs it. It starts when there is work and ends when there is none, so that it neither delays the end of the
    interpreter nor is lost in a fork. A child that is forked begins with an empty queue and without a connection.

    After work has shared a transaction, the next thread begins only at the end of the turn of the event loop that has
    started it. So tasks that wake up in the same turn, such as those whose responses arrived together, share one, too.
    Work that comes alone, and work of other event loops, does not wait for that.

    Args:
        database: What the work needs.
        max_turn: The maximum number of seconds for which a thread waits for the end of a turn.
    """

    def __init__(self, database: Database[C], *, max_turn: float = MAX_TURN) -> None:
        self._database = database
        self._max_turn = max_turn
        self._reset()
        self._handle_forks()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        """Guards everything below except the transaction. A signal handler may fork while its own thread holds it."""
        self._queue: deque[_Piece[Any, Any]] = deque()
        self._is_served = False
        """Whether a thread serves the queue, or is about to."""
        self._is_shared = False
        """Whether work has shared a transaction since a thread was last started."""
        self._turn_ended = threading.Event()
        self._turn_of: asyncio.AbstractEventLoop | None = None
        """The event loop whose turn the thread waits for to end."""
        self._in_transaction = threading.Lock()
        """Held during a transaction."""
        self._held_by_fork: list[Callable[[], None]] = []

    async def run(self, work: Callable[[C], T]) -> T:
        """Run a function in a transaction, and return its result when that is committed.

        The work ends even if the caller is cancelled; the cancellation is raised only then. A function that raises
        changes nothing, and does not affect the work of others. It may be called more than once: if another function
        raises, the transaction that they share is undone, and each is called again in another transaction.

        If no thread can be started, because the main thread has ended or the system allows no more, the work runs in
        the caller's.
        """
        return await self._submit(work)

    async def aclose(self) -> None:
        """Close the connection when all earlier work has ended. The next use opens another."""
        await self._submit(None)

    async def _submit(self, work: Callable[[C], T] | None) -> T:
        piece = _Piece(work, asyncio.get_running_loop())
        self._enqueue(piece)
        try:
            await piece.ended
        except asyncio.CancelledError:
            if not piece.has_ended:
                piece.ended = piece.loop.create_future()
                await run_to_completion(piece.ended)
            raise
        try:
            if piece.error is not None:
                raise piece.error
            return cast("T", piece.result)
        finally:
            del piece  # The error refers to this frame.

    def _enqueue(self, piece: "_Piece[C, Any]") -> None:
        with self._lock:
            self._queue.append(piece)
            if self._is_served:
                if self._turn_of not in (None, piece.loop):
                    self._turn_ended.set()
                return
        try:
            self._start(piece.loop)
        except BaseException:  # A signal handler may raise at any line.
            self._is_served = False  # Later work starts a thread. If there are two, they take turns.
            raise

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a thread, if none serves the queue."""
        with self._lock:
            if self._is_served:
                return
            self._is_served = True
            must_wait, self._is_shared = self._is_shared, False
            self._turn_of = loop if must_wait else None
            self._turn_ended.clear()
        if must_wait:
            loop.call_soon(self._turn_ended.set)
        serve = self._serve_after_turn if must_wait else self._serve
        try:
            # Not a daemon: the interpreter waits for the work before it ends.
            threading.Thread(target=serve, name="tingting_async ledger", daemon=False).start()
        except RuntimeError:
            self._serve()  # It blocks the event loop, but not doing it could lose what became of a send.

    def _handle_forks(self) -> None:
        """Let a fork wait for the end of a transaction.

        A child that is forked during a transaction inherits the database library's knowledge of the parent's locks.
        """
        if hasattr(os, "register_at_fork"):  # Windows has no forks.
            os.register_at_fork(
                before=_weak(self._before_fork),
                after_in_parent=_weak(self._after_fork_in_parent),
                after_in_child=_weak(self._after_fork_in_child),
            )

    def _before_fork(self) -> None:
        for lock, timeout in ((self._in_transaction, _FORK_TIMEOUT), (self._lock, -1)):
            if lock.acquire(timeout=timeout):
                self._held_by_fork.append(lock.release)

    def _after_fork_in_parent(self) -> None:
        while self._held_by_fork:
            self._held_by_fork.pop()()

    def _after_fork_in_child(self) -> None:
        self._reset()
        self._database.after_fork()

    # What follows runs in the thread.

    def _serve_after_turn(self) -> None:
        """Do the work that waits, until there is none, when the turn has ended or has taken too long."""
        self._turn_ended.wait(self._max_turn)
        self._serve()

    def _serve(self) -> None:
        """Do the work that waits, until there is none."""
        is_served = True
        while is_served:
            with self._lock:
                self._turn_of = None
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                self._is_shared = self._is_shared or len(batch) > 1
            try:
                with self._in_transaction:
                    if work := [piece for piece in batch if piece.work is not None]:
                        self._execute(work)
                    if any(piece.work is None for piece in batch):
                        self._database.close()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the callers wait for it
                _fail([piece for piece in batch if piece.error is None], error)
            # Before the callers know: their next work starts a thread, which may wait for the end of their turn.
            with self._lock:
                is_served = self._is_served = bool(self._queue)
            _announce(batch)

    def _execute(self, batch: "list[_Piece[C, Any]]") -> BaseException | None:
        """Do work in one transaction. If a piece fails, undo that, and do each half in a transaction of its own.

        Returns:
            Why a transaction could not begin; what was left of the batch has failed, too. None if all of them could.
        """
        begun = worked = False
        try:
            with self._database.transaction() as connection:
                begun = True
                for piece in batch:
                    piece.do(connection)
                worked = True
        except BaseException as error:  # noqa: BLE001 - whatever it is, the callers wait for it
            if worked or not begun or len(batch) == 1:
                _fail(batch, error)
                return None if begun else error
        if worked:
            return None
        half = len(batch) // 2
        failure = self._execute(batch[:half])
        if failure is None:
            return self._execute(batch[half:])
        _fail(batch[half:], failure)  # It would wait as long as the first half did.
        return failure


class _Piece(Generic[C, T]):
    """Work that a caller waits for.

    Args:
        work: The function; None to close the connection.
        loop: The caller's event loop.
    """

    __slots__ = ("ended", "error", "has_ended", "loop", "result", "work")

    def __init__(self, work: Callable[[C], T] | None, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.ended: asyncio.Future[None] = loop.create_future()
        """The future that the caller waits for. A cancellation of the caller cancels it."""
        self.has_ended = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def do(self, connection: C) -> None:
        """Do the work."""
        assert self.work is not None
        self.result = self.work(connection)


def _fail(batch: list[_Piece[Any, Any]], error: BaseException) -> None:
    """Set the error of each piece: a copy, because raising an error changes it."""
    for piece in batch:
        piece.error = error if len(batch) == 1 else copy.copy(error)
        piece.error.__cause__ = error.__cause__


def _announce(batch: Iterable[_Piece[Any, Any]]) -> None:
    """Tell the callers in each event loop that their work has ended."""
    by_loop: dict[asyncio.AbstractEventLoop, deque[_Piece[Any, Any]]] = {}
    for piece in batch:
        by_loop.setdefault(piece.loop, deque()).append(piece)
    for loop, pieces in by_loop.items():
        with suppress(RuntimeError):  # The event loop is closed, and so nobody waits.
            loop.call_soon_threadsafe(_end, pieces)


def _end(pieces: deque[_Piece[Any, Any]]) -> None:
    """Wake up the callers. This runs in their event loop."""
    try:
        while pieces:
            piece = pieces[0]
            piece.has_ended = True
            if not piece.ended.done():
                piece.ended.set_result(None)
            pieces.popleft()
    except BaseException:  # A signal handler may raise at any line.
        if pieces:
            pieces[0].loop.call_soon(_end, pieces)
        raise


def _weak(method: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls a method as long as its object exists: a fork handler cannot be unregistered."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if (found := reference()) is not None:
            found()

    return call
