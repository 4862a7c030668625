"""A file that is complete, or absent."""

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Self

import anyio
from anyio import to_thread

from tingting_async.errors import UsageError

_HEAD = 4096


class AtomicFileSink:
    """Takes a body into a temporary file beside its place, and moves it there once it is whole.

    Args:
        path: Where the file is to be; one that is there already is replaced.

    Raises:
        UsageError: The file cannot be written there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path = anyio.Path(os.fsdecode(os.fspath(path)))
            os.fsencode(self.path)
        except (TypeError, ValueError) as error:
            raise UsageError(f"`path` is {path!r}, which is no path of a file.") from error
        self.head = b""
        """The first bytes of what came, as many as tell what it is."""
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        with self._explained():
            self._file = await to_thread.run_sync(self._open)
        return self

    def _open(self) -> IO[bytes]:
        if os.path.isdir(self.path):  # noqa: PTH112 - in a thread already
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False)

    async def start(self) -> None:
        """Begin, or begin again."""
        assert self._file is not None
        self.head = b""
        with self._explained():
            self._file.seek(0)
            self._file.truncate()

    async def write(self, piece: bytes) -> None:
        """Take a piece."""
        assert self._file is not None
        self.head = (self.head + piece)[:_HEAD] if len(self.head) < _HEAD else self.head
        with self._explained():
            await to_thread.run_sync(self._file.write, piece)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not in a thread: this has to happen when the task is being cancelled, too.
        assert self._file is not None
        try:
            with self._explained():
                if kind is None:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    self._file.close()
                    os.replace(self._file.name, self.path)  # noqa: PTH105 - the whole point: atomic, on every system
        finally:
            with suppress(OSError):
                self._file.close()  # Writes what is left, which fails again on a full disk.
            with suppress(FileNotFoundError):
                os.unlink(self._file.name)  # noqa: PTH108 - gone already where it was moved to its place

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            # Ours, so that the transport does not take a full disk for a broken connection, and ask again.
            raise UsageError(f"{str(self.path)!r} cannot be written: {error.strerror}.") from error
