"""Files on this machine: paths, private directories, atomic writes, and work that a cancellation must not cut short.

Nothing in here knows the library: functions raise `ValueError` and `OSError`, and their callers convert them.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

CLOSE_TIMEOUT = 5.0
"""Seconds for which closing a session waits for work that must finish."""


def resolve_path(path: str | bytes | os.PathLike[str]) -> Path:
    """Return the absolute path of a file: `~` is expanded, and symbolic links are followed.

    Raises:
        ValueError: `path` is not a valid path.
    """
    if path in ("", b"", ":memory:", Path()):  # `Path("")` is the same as `Path(".")`.
        raise ValueError(f"`path` is {path!r}, which names no file. Give the path of a file.")
    try:
        # Every spelling of a file's name must lead to the same file, and to the same lock.
        resolved = Path(os.fsdecode(path)).expanduser().resolve()
        os.fsencode(resolved)
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        is_path = isinstance(path, str | bytes | os.PathLike)  # The `repr` of other values may fail.
        found = repr(path) if is_path else f"a value of the type {type(path).__name__}"
        raise ValueError(f"`path` is {found}, which is not a valid file path: {error}.") from None
    return resolved


def make_private_dir(directory: Path) -> None:
    """Make a directory and its missing parents, each for the owner alone."""
    if not directory.exists():
        make_private_dir(directory.parent)  # `parents=True` would make them readable by everybody.
        directory.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def atomic_write(path: Path, *, is_private: bool = True) -> Generator[IO[bytes]]:
    """Open a temporary file that replaces `path` if the block succeeds, and is removed if it does not.

    Args:
        path: The file. A symbolic link is replaced; the file that it names stays as it is.
        is_private: Whether the file is for its owner alone (mode 0600). If not, it has the permissions of the file
            that it replaces, or those that the umask gives to a new file.

    Raises:
        OSError: The file cannot be written. `path` is as it was before.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():  # To replace a device such as /dev/null would destroy it.
        raise OSError(errno.EINVAL, "it is not a regular file")
    # The name is cut, because it may be as long as a name can be.
    temporary = path.with_name(f".{path.name[:40]}.{os.urandom(8).hex()}.tmp")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    file = os.fdopen(os.open(temporary, flags, 0o600 if is_private else 0o666), "wb")
    try:
        yield file
        file.flush()
        if not is_private and path.is_file() and not path.is_symlink():
            temporary.chmod(path.stat().st_mode & 0o777)
        os.fsync(file.fileno())
        file.close()
        temporary.replace(path)
    finally:
        with suppress(OSError):
            file.close()  # Writes what is buffered, which fails again on a full disk.
        temporary.unlink(missing_ok=True)


async def run_to_completion(work: Awaitable[T]) -> T:
    """Wait until work has ended. If the caller is cancelled, the cancellation is raised only then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    shield, raise_if_cancelled = _shield()
    with shield:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if not task.cancelled():
        task.exception()  # Marks it as retrieved, even if the caller ends with the cancellation.
    if cancelled is not None:
        raise cancelled
    await raise_if_cancelled()
    return task.result()


def _shield() -> tuple[AbstractContextManager[object], Callable[[], Awaitable[None]]]:
    """Return a scope that shields against anyio's cancellation, and a function that raises a held-back cancellation.

    A cancelled scope cancels its tasks in each iteration of the event loop. Without a shield, waiting for work would
    occupy a whole core.
    """
    try:
        import anyio.lowlevel  # noqa: PLC0415 - it costs a hundredth of importing aiohttp

        return anyio.CancelScope(shield=True), anyio.lowlevel.checkpoint_if_cancelled
    except Exception:  # noqa: BLE001 - e.g. no file can be opened: then this task is in no scope of anyio
        return nullcontext(), _do_nothing


async def _do_nothing() -> None: ...


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread, and wait for its end even if the caller is cancelled or the event loop ends.

    If no thread can be started, because the main thread has ended or the system allows no more, run it here.
    """
    # `anyio.to_thread` starts a task, which `asyncio.run` cancels at its end, and nothing would wait for the thread.
    # The loop's own threads also look up host names: a thread that waits for another process would delay them.
    executor = make_executor()
    running = start_in(executor, work)
    if executor is None or running is None:
        return work()  # It blocks the event loop, but not doing it could lose what became of a send.
    try:
        return await run_to_completion(running)
    finally:
        executor.shutdown(wait=False)


def make_executor() -> "ThreadPoolExecutor | None":
    """Return an executor with one thread; None if there can be none, e.g. because the main thread has ended."""
    try:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only files, stores and ledgers need it
    except (RuntimeError, ImportError, OSError):
        return None
    return ThreadPoolExecutor(1)


def start_in(executor: "ThreadPoolExecutor | None", work: Callable[[], T]) -> "asyncio.Future[T] | None":
    """Start a function in an executor, and return its future; None if no thread can be started."""
    if executor is None:
        return None
    try:
        return asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError:
        # The executor keeps the function all the same, and the next thread would run it a second time.
        executor.shutdown(wait=False, cancel_futures=True)
        return None


class BackgroundTask:
    """Work that runs in a task of its own. Any number of calls may wait for its end, and stop waiting.

    When the session is closed or the event loop ends, the calls that wait end at once. The work is cancelled at once,
    too, unless it has called `must_finish()`. Then it gets `CLOSE_TIMEOUT` seconds to finish.

    Args:
        work: Returns the coroutine to run, for this task.
    """

    def __init__(self, work: "Callable[[BackgroundTask], Coroutine[Any, Any, None]]") -> None:
        self.has_ended: bool = False
        """Whether the work has ended, or the calls that wait for it need not wait any longer."""
        self.error: BaseException | None = None
        """The error with which the work has ended."""
        self.was_stopped: bool = False
        """Whether the session was closed, or the event loop ended, before the work had ended."""
        self.is_ending: bool = False
        """Whether the session is being closed, or the event loop ends: the work gets no second chance."""
        self._has_to_finish: Callable[[], bool] = lambda: False
        # One future for each call: many calls that stop waiting for one future would each search all its callbacks.
        self._waiting: set[asyncio.Future[None]] = set()
        self.guard: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._run(work))
        """Ends when the work has ended."""
        self.guard.add_done_callback(lambda _: self._end_waits(was_stopped=True))  # Cancelled before its first step.

    async def wait(self) -> None:
        """Wait until `has_ended`."""
        if not self.has_ended:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)

    def must_finish(self, condition: Callable[[], bool] = lambda: True) -> None:
        """Declare that the work must not be cut short from here on, or only if the condition is true at that moment."""
        self._has_to_finish = condition

    def stop(self) -> "asyncio.Task[None]":
        """End the work as described above; return the guard."""
        self.is_ending = True
        # Not at once: a task that is cancelled before its first step does nothing.
        self.guard.get_loop().call_soon(self.guard.cancel)
        return self.guard

    async def _run(self, work: "Callable[[BackgroundTask], Coroutine[Any, Any, None]]") -> None:
        task = asyncio.create_task(work(self))
        task.add_done_callback(self._report)
        # `asyncio.run` cancels every task that it knows before it closes the loop, and waits for them to end. It knows
        # the guard instead of the work, which would end in the middle of an exchange.
        asyncio._unregister_task(task)  # noqa: SLF001 - documented for code that has tasks of its own
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            self.is_ending = True
            self._end_waits(was_stopped=True)
            await self._end(task, CLOSE_TIMEOUT if self._has_to_finish() else 0.0)
            task.cancel()
            await self._end(task, CLOSE_TIMEOUT)

    @staticmethod
    async def _end(task: "asyncio.Task[None]", seconds: float) -> None:
        """Wait up to this many seconds for the work to end, even if this task is cancelled again."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not task.done() and (left := deadline - loop.time()) > 0:
            try:
                await asyncio.wait([task], timeout=left)
            except asyncio.CancelledError:
                continue

    def _report(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()  # Asking marks the error as retrieved.
        self._end_waits(error, was_stopped=task.cancelled())

    def _end_waits(self, error: BaseException | None = None, *, was_stopped: bool) -> None:
        if self.has_ended:
            return
        self.has_ended, self.error, self.was_stopped = True, error, was_stopped
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
