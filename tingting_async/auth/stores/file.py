"""Tokens in a file, for the processes of one machine."""

import os
import stat
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from anyio import sleep

from tingting_async.auth.stores.codec import decode, encode
from tingting_async.auth.tokens import LOCK_POLL_INTERVAL, Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import atomic_write, make_private_dir, resolve_path, run_in_thread
from tingting_async.redaction import redact
from tingting_async.tracebacks import short_traceback


class FileTokenStore:
    """Keeps the tokens of one account in a file, which several sessions and processes of a machine may share.

    ::

        TingTing(email="…", password="…", token_store=FileTokenStore("~/.local/state/my-service/tingting.json"))

    The file is for its owner alone (mode 0600) from the first byte. Missing directories are made with mode 0700. Each
    save replaces the whole file, so that a crash leaves the previous tokens. A file that others can read is refused. A
    file whose content is not valid counts as empty, and a warning is logged.

    The lock is an operating system lock on a second file, `<path>.lock`, by `filelock`. The operating system releases
    it when its holder dies, however it dies. It also excludes the other tasks and sessions of the same process. Waiting
    for it does not block the event loop. The file must be on a local disk, because locks on network file systems are
    not reliable.

    Args:
        path: The file; `~` is the user's home. A relative path is resolved against the current directory once, here. A
            symbolic link is followed.

    Raises:
        UsageError: `path` is not a valid path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Here, not in `lock`: it cannot be imported any more after the main thread has ended.
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only this store needs it

        self._new_lock, self._timeout = FileLock, Timeout
        try:
            self._path = resolve_path(path)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._shown = redact(str(self._path))

    @property
    def path(self) -> Path:
        """The file, as an absolute path."""
        return self._path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    @short_traceback
    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None.

        Raises:
            TokenStoreError: The file cannot be read, or others can read it.
        """
        with self._errors("read"):
            content = await run_in_thread(self._read)
        return decode(content, f"The token store {self._shown}")

    @short_traceback
    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them. The save completes even if the caller is cancelled.

        Raises:
            TokenStoreError: The file cannot be written. It still has its previous content.
        """
        with self._errors("written"):
            if tokens is None:
                await run_in_thread(lambda: self._path.unlink(missing_ok=True))
            else:
                await run_in_thread(lambda: self._write(tokens))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the lock while tokens are loaded, refreshed and saved.

        Raises:
            TokenStoreError: The lock file cannot be opened.
        """
        # A new object each time: a `FileLock` that is held can be acquired again by any code that has the object.
        lock = self._new_lock(f"{self._path}.lock", mode=0o600, thread_local=False)
        with self._errors("locked"):
            make_private_dir(self._path.parent)
            while True:
                # An attempt takes microseconds. As no thread is used, a cancellation cannot lose a lock just acquired.
                with suppress(self._timeout):
                    lock.acquire(blocking=False)
                    break
                await sleep(LOCK_POLL_INTERVAL)
        try:
            yield
        finally:
            with self._errors("unlocked"):
                lock.release()

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if os.name == "posix" and mode & 0o077:
                    raise TokenStoreError(
                        f"The token store {self._shown} was not read: others can read or write it (mode {mode:04o}). "
                        "Delete it, or run `chmod 600` on it if no one else can have used it."
                    )
                return file.read()
        except FileNotFoundError:
            return None

    def _write(self, tokens: Tokens) -> None:
        make_private_dir(self._path.parent)
        with atomic_write(self._path) as file:
            file.write(encode(tokens).encode())  # In no local variable, which error trackers collect.
        if os.name == "posix":  # The new file must survive a power cut: the old refresh token may be used up.
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    @contextmanager
    def _errors(self, action: str) -> Generator[None]:
        try:
            yield
        except (OSError, RuntimeError, ImportError) as error:  # E.g. a file system without locks.
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise TokenStoreError(
                f"The token store {self._shown} could not be {action}: {reason}. "
                "Make sure that this process can write in its directory."
            ) from error
