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
MAX_ITERATIONS = 5
"""For how many iterations of the event loop a thread waits at most, while work comes in each of them."""
PATIENCE = 0.1
"""How many seconds a thread waits for more work before it ends, and for the end of iterations of the event loop.

To start a thread takes longer than to wake one, and the work of a send comes in two pieces. The end of the interpreter
waits for the thread. The wait for iterations has a limit because the loop may be blocked or stopped.
"""
_FORK_TIMEOUT = 1.0
"""Seconds for which a fork waits for the thread and for a transaction. A longer one waits for another process."""


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
    runs it. It starts when there is work, and ends when there has been none for a moment, so that it hardly delays the
    end of the interpreter. It also ends before a fork. The child begins with an empty queue, and without a connection.

    After work has shared a transaction, the thread begins the next one only after an iteration of the event loop in
    which no more work has come. So tasks that wake up soon after each other, such as those whose responses arrived
    together, share a transaction, too. Work that comes alone, and work of other event loops, does not wait for that.

    Args:
        database: What the work needs.
        patience: How many seconds the thread waits for more work, and for the end of iterations.
    """

    def __init__(self, database: Database[C], *, patience: float = PATIENCE) -> None:
        self._database = database
        self._patience = patience
        self._reset()
        self._handle_forks()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        """Guards everything below except the transaction. A signal handler may fork while its own thread holds it."""
        self._queue: deque[_Piece[Any, Any]] = deque()
        self._thread: threading.Thread | None = None
        """The thread, which serves the queue or waits for work."""
        self._must_begin = threading.Event()
        """Set when the thread has to begin a transaction."""
        self._is_served = False
        """Whether the queue is served, or is about to be."""
        self._is_shared = False
        """Whether work has shared a transaction since the thread last had to begin."""
        self._iteration_of: asyncio.AbstractEventLoop | None = None
        """The event loop whose iterations the thread waits for to end."""
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
        """Close the connection, and end the thread, when all earlier work has ended. The next use opens another."""
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
                if self._iteration_of not in (None, piece.loop):
                    self._must_begin.set()
                return
        try:
            self._begin(piece.loop)
        except BaseException:  # A signal handler may raise at any line. Others may rely on this call by then.
            self._is_served = False
            self._begin(piece.loop)  # If there are now two threads, they take turns.
            raise

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake up the thread if nobody serves the queue. Start one if there is no thread."""
        with self._lock:
            if self._is_served:
                return
            self._is_served = True
            must_wait, self._is_shared = self._is_shared, False
            self._iteration_of = loop if must_wait else None
            has_thread = self._thread is not None
            if must_wait:
                loop.call_soon(self._end_iteration, loop, 0, MAX_ITERATIONS)
            else:
                self._must_begin.set()
        if has_thread:
            return
        try:
            # Not a daemon: the interpreter waits for the work before it ends.
            threading.Thread(target=self._run, name="tingting_async ledger", daemon=False).start()
        except RuntimeError:
            self._serve()  # It blocks the event loop, but not doing it could lose what became of a send.

    def _end_iteration(self, loop: asyncio.AbstractEventLoop, seen: int, left: int) -> None:
        """Let the thread begin if no work has come in the iteration that has ended.

        Args:
            loop: The event loop.
            seen: How much work waited before that iteration.
            left: For how many more iterations the thread may wait.
        """
        waiting = len(self._queue)
        if left > 1 and waiting > seen:
            loop.call_soon(self._end_iteration, loop, waiting, left - 1)
        else:
            self._must_begin.set()

    def _handle_forks(self) -> None:
        """Let a fork wait for the end of a transaction, and of the thread.

        A child that is forked during a transaction inherits the database library's knowledge of the parent's locks. And
        Python warns of forks while there are threads.
        """
        if hasattr(os, "register_at_fork"):  # Windows has no forks.
            os.register_at_fork(
                before=_weak(self._before_fork),
                after_in_parent=_weak(self._after_fork_in_parent),
                after_in_child=_weak(self._after_fork_in_child),
            )

    def _before_fork(self) -> None:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._must_begin.set()  # Without work, it ends.
            thread.join(_FORK_TIMEOUT)
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

    def _run(self) -> None:
        """Do the work that comes, until none has come for a while."""
        patience, self._thread = self._patience, threading.current_thread()
        try:
            while True:
                self._must_begin.wait(patience)
                with self._lock:
                    self._must_begin.clear()
                    self._is_served = bool(self._queue)
                    if not self._is_served:
                        self._thread = None
                        return
                patience = 0.0 if self._serve() else self._patience
        except BaseException:  # E.g. for lack of memory.
            with self._lock:
                self._is_served, self._thread = False, None
            raise

    def _serve(self) -> bool:
        """Do the work until the queue is empty. Return whether the last batch closed the connection."""
        is_served, is_closed = True, False
        while is_served:
            with self._lock:
                self._iteration_of = None
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                self._is_shared = self._is_shared or len(batch) > 1
            try:
                with self._in_transaction:
                    if work := [piece for piece in batch if piece.work is not None]:
                        self._execute(work)
                    if is_closed := any(piece.work is None for piece in batch):
                        self._database.close()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the callers wait for it
                _fail([piece for piece in batch if piece.error is None], error)
            # Before the callers wake up: their next work must find that nobody serves the queue.
            with self._lock:
                is_served = self._is_served = bool(self._queue)
            _announce(batch)
        return is_closed

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
