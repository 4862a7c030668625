"""Tokens that outlive a process, and are shared by several.

Needs the extra `files`: `pip install "tingting-async[files]"`.
"""

import json
import logging
import os
import stat
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

import attrs
from anyio import to_thread
from filelock import AsyncFileLock

from tingting_async.auth import Tokens
from tingting_async.convert import make_converter
from tingting_async.errors import TokenStoreError

_log = logging.getLogger("tingting_async")
_KEPT = make_converter(detailed=False, factories={})


class FileTokenStore:
    """Keeps one account's tokens in a file, for all processes of this machine that use it.

    The file is readable for its owner alone, and is replaced as a whole. Beside it lies a lock file, which the system
    sets free when its holder ends, however it ends; so workers renew in turn, and those who waited use what the first
    one got. Not for network file systems, on which such locks are not to be relied on.

    Args:
        path: Where the file is to be. Folders that are missing are made, for the owner alone.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    async def load(self) -> Tokens | None:
        """Return what was saved last; None if that is nothing, or cannot be read as tokens.

        Raises:
            TokenStoreError: The file cannot be opened, or others may read it too.
        """
        return await to_thread.run_sync(self._load)

    async def save(self, tokens: Tokens | None) -> None:
        """Keep the tokens; None removes the file.

        Raises:
            TokenStoreError: The file cannot be written.
        """
        await to_thread.run_sync(self._save, tokens)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return what is entered around load, renewal and save."""
        return self._locked()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        try:
            self._make_folder()
            # A lock of its own each time: two sessions of one process wait for each other, too. Taken by asking again
            # and again and not in a thread, so that whoever is cancelled while waiting holds nothing.
            lock = AsyncFileLock(f"{self._path}.lock", mode=0o600, thread_local=False, run_in_executor=False)
            await lock.acquire(poll_interval=0.02)
        except OSError as error:
            raise self._failure("locked", error) from error
        try:
            yield
        finally:
            await lock.release()

    def _load(self) -> Tokens | None:
        try:
            with self._path.open("rb") as file:
                if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise TokenStoreError(
                        f"{str(self._path)!r} holds tokens, and others may read it: `chmod 600` it, or remove it."
                    )
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure("read", error) from error
        try:
            return _KEPT.structure(json.loads(content), Tokens)
        except Exception:  # noqa: BLE001 - whatever it was, there are no tokens; and what is quoted may be one
            _log.warning("%s holds no tokens that can be read: signing in again", self._path)
            return None

    def _save(self, tokens: Tokens | None) -> None:
        try:
            if tokens is None:
                self._path.unlink(missing_ok=True)
                return
            self._make_folder()
            # Made with mode 0600, whatever the umask.
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(json.dumps(attrs.asdict(tokens)).encode())
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(self._path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)  # noqa: PTH108 - gone already where it was moved to its place
        except OSError as error:
            raise self._failure("written", error) from error

    def _make_folder(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _failure(self, what: str, error: OSError) -> TokenStoreError:
        return TokenStoreError(f"{str(self._path)!r} cannot be {what}: {error.strerror or error}.")
