"""Which processes are alive, shown by lock files: the operating system releases a lock however its holder ends."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from tingting_async.persistence import make_private_dir


class ProcessOwners:
    """Names the owners of claims, and shows which of them are alive.

    An owner is one object of this class in one process. Its name is that of a lock file, which it holds as long as it
    lives. Call the methods only while the ledger's file is locked, so that no two processes do this at once.

    Args:
        directory: Where the lock files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own: tuple[int, str, FileLock] | None = None
        self._found: dict[str, bool] = {}
        """Which owners are alive, as far as that was looked up for this transaction."""

    def begin(self) -> None:
        """Look again, for a new transaction."""
        self._found.clear()

    def current(self) -> str:
        """Return the name of this owner."""
        # A forked child is another owner. And if the lock file was deleted, no other process could see the lock.
        if self._own is None or self._own[0] != os.getpid() or not self.is_alive(self._own[1]):
            make_private_dir(self._directory)
            with suppress(OSError):
                for path in self._directory.iterdir():
                    self.is_alive(path.name)  # Removes the lock file of an owner that is dead.
            name = uuid4().hex
            lock = FileLock(self._directory / name, mode=0o600, thread_local=False)
            lock.acquire(blocking=False)
            self._own = (os.getpid(), name, lock)
            self._found[name] = True
        return self._own[1]

    def has_current(self) -> bool:
        """Return whether there is an owner, which stored claims."""
        return self._own is not None and self._own[0] == os.getpid()

    def release(self) -> None:
        """End this owner. Its claims that have no outcome are unknown from now on."""
        if self._own is not None and self.has_current():
            _, name, lock = self._own
            (self._directory / name).unlink(missing_ok=True)
            lock.release()
            self._own = None

    def is_alive(self, owner: str) -> bool:
        """Return whether an owner holds its lock. If it does not, its lock file is removed."""
        if owner not in self._found:
            self._found[owner] = self._look(owner)
        return self._found[owner]

    def _look(self, owner: str) -> bool:
        path = self._directory / owner
        if not owner or not path.exists():
            return False
        if self._own is not None and self._own[:2] == (os.getpid(), owner):
            return True
        lock = FileLock(path, mode=0o600, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False
