"""Files on this machine: paths, private directories, atomic writes, and work that a cancellation must not cut short.

Nothing in here knows the library: functions raise `ValueError` and `OSError`, and their callers convert them.
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")


def resolve_path(path: str | bytes | os.PathLike[str]) -> Path:
    """Return the absolute path of a file: `~` is expanded, and symbolic links are followed.

    Raises:
        ValueError: `path` is not a valid path.
    """
    try:
        # Every spelling of a file's name must lead to the same file, and to the same lock.
        resolved = Path(os.fsdecode(path)).expanduser().resolve()
        os.fsencode(resolved)
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"`path` is {path!r}, which is not a valid file path: {error}.") from None
    return resolved


def make_private_dir(directory: Path) -> None:
    """Make a directory and its missing parents, each for the owner alone."""
    if not directory.exists():
        make_private_dir(directory.parent)  # `parents=True` would make them readable by everybody.
        directory.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def atomic_write(path: Path) -> Generator[IO[bytes]]:
    """Open a temporary file that replaces `path` if the block succeeds, and is removed if it does not.

    The file is for its owner alone (mode 0600).

    Raises:
        OSError: The file cannot be written. `path` is as it was before.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False)  # noqa: SIM115 - closed below
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
        Path(file.name).replace(path)
    finally:
        with suppress(OSError):
            file.close()  # Writes what is buffered, which fails again on a full disk.
        Path(file.name).unlink(missing_ok=True)


async def run_to_completion(work: Awaitable[T]) -> T:
    """Wait until work has ended. If the caller is cancelled, the cancellation is raised only then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # Marks it as retrieved: the caller ends with the cancellation.
        raise cancelled
    return task.result()


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread, and wait for its end even if the caller is cancelled or the event loop ends."""
    # `anyio.to_thread` starts a task, which `asyncio.run` cancels at its end, and nothing would wait for the thread.
    # The loop's own threads also look up host names: a thread that waits for another process would delay them.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only stores and ledgers need it

    executor = ThreadPoolExecutor(1)
    try:
        return await run_to_completion(asyncio.get_running_loop().run_in_executor(executor, work))
    finally:
        executor.shutdown(wait=False)
