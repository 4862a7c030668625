"""Tokens in a file, for the processes of one machine."""

import logging
import os
import stat
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from tingting_async.auth.stores.codec import POLL, decode, encode
from tingting_async.auth.tokens import Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import make_private_dir, run_in_thread

_log = logging.getLogger(__name__)


class FileTokenStore:
    """Keeps the tokens of one account in a file, which several sessions and processes of a machine may share.

    ::

        TingTing(email="…", password="…", token_store=FileTokenStore("~/.local/state/my-service/tingting.json"))

    The file is for its owner alone (mode 0600), from the first byte; folders that are missing are made with mode
    0700. It is replaced as a whole, so that a crash leaves the tokens from before. One that others may read is refused;
    one that cannot be understood counts as empty, with a warning in the log.

    The lock is one of the operating system's on a second file, `<path>.lock`, by way of `filelock`: the system
    frees it when its holder dies, however it dies. It excludes the tasks and sessions of one process, too. Waiting for
    it does not hold up the event loop. The file has to be on a local disk: locks on network file systems are not to be
    relied on.

    Args:
        path: The file; `~` is the user's home. A relative path counts from the current directory at that time. A
            symbolic link is followed.

    Raises:
        UsageError: That is no path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            # Whoever names the file in another way has to meet the same lock.
            self._path = Path(path).expanduser().resolve()
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            raise UsageError(f"`path` is {path!r}, which is no path of a file: {error}.") from None

    @property
    def path(self) -> Path:
        """The file, as an absolute path."""
        return self._path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    async def load(self) -> Tokens | None:
        """Return what was saved last, or None.

        Raises:
            TokenStoreError: The file cannot be read, or others may read it.
        """
        with self._errors("read"):
            content = await anyio.to_thread.run_sync(self._read)
        tokens = None if content is None else decode(content)
        if tokens is None and content is not None:
            _log.warning("The token store %s does not hold tokens that can be read: signing in again.", self._path)
        return tokens

    async def save(self, tokens: Tokens | None) -> None:
        """Keep the tokens; None forgets them. Whoever is cancelled meanwhile has saved them nevertheless.

        Raises:
            TokenStoreError: The file cannot be written; what it held before is still there.
        """
        with self._errors("written"):
            if tokens is None:
                await run_in_thread(lambda: self._path.unlink(missing_ok=True))
            else:
                await run_in_thread(lambda: self._write(encode(tokens).encode()))

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return what is entered around load, renewal and save.

        Raises:
            TokenStoreError: The lock's file cannot be opened (on entering).
        """
        return self._locked()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - for this store only

        # One for each that enters: an instance lets its holder in again.
        lock = FileLock(f"{self._path}.lock", mode=0o600, thread_local=False)
        with self._errors("locked"):
            make_private_dir(self._path.parent)
            while True:
                # A look takes some microseconds. Without a thread, no cancellation can part us from a lock that we got.
                with suppress(Timeout):
                    lock.acquire(blocking=False)
                    break
                await anyio.sleep(POLL)
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
                        f"The token store {self._path} may be read or written by others (mode {mode:04o}), so it is "
                        "not used. Delete it, or `chmod 600` it if nobody else can have."
                    )
                return file.read()
        except FileNotFoundError:
            return None

    def _write(self, content: bytes) -> None:
        make_private_dir(self._path.parent)
        # Made for its owner alone (0600), under a name that nobody else has.
        descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".tmp", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        if os.name == "posix":  # The new name has to outlive a power cut, too: the old refresh token may be used up.
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextmanager
    def _errors(self, done: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise TokenStoreError(
                f"The token store {self._path} could not be {done}: {error.strerror or type(error).__name__}. "
                "This process has to be able to write in its folder."
            ) from error
