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

    def current(self) -> str:
        """Return the name of this owner."""
        # A forked child is another owner. And if the lock file was deleted, no other process could see the lock.
        if self._own is None or self._own[0] != os.getpid() or not (self._directory / self._own[1]).exists():
            make_private_dir(self._directory)
            with suppress(OSError):
                for path in self._directory.iterdir():
                    self.is_alive(path.name)  # Removes the lock file of an owner that is dead.
            name = uuid4().hex
            lock = FileLock(self._directory / name, mode=0o600, thread_local=False)
            lock.acquire(blocking=False)
            self._own = (os.getpid(), name, lock)
        return self._own[1]

    def is_alive(self, owner: str) -> bool:
        """Return whether an owner holds its lock. If it does not, its lock file is removed."""
        path = self._directory / owner
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
