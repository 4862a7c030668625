"""A file that is complete, or absent."""

import os
import tempfile
from types import TracebackType
from typing import IO, Self

import anyio
from anyio import to_thread

from tingting_async.errors import UsageError


class FileSink:
    """Takes a body into a temporary file beside its place, and moves it there once it is whole.

    Args:
        path: Where the file is to be; one that is there already is replaced.

    Raises:
        UsageError: The file cannot be written there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = anyio.Path(path)
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._file = await to_thread.run_sync(self._open)
        except OSError as error:
            raise UsageError(f"{str(self.path)!r} cannot be written: {error.strerror}.") from error
        return self

    def _open(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False)

    async def start(self) -> None:
        """Begin, or begin again."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()

    async def write(self, piece: bytes) -> None:
        """Take a piece."""
        assert self._file is not None
        await to_thread.run_sync(self._file.write, piece)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not in a thread: this has to happen when the task is being cancelled, too.
        assert self._file is not None
        with self._file as file:
            if kind is None:
                file.flush()
                os.fsync(file.fileno())
        if kind is None:
            os.replace(file.name, self.path)  # noqa: PTH105 - the whole point: atomic, on every system
        else:
            os.unlink(file.name)  # noqa: PTH108
