"""A downloaded file that is complete or absent."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import anyio

from tingting_async.errors import UsageError
from tingting_async.persistence import atomic_write

_HEAD_SIZE = 4096


class AtomicFileSink:
    """Writes a response body to a temporary file, which replaces `path` once the body is complete.

    Args:
        path: Where to save the file. An existing file or symbolic link is replaced. `~` is not expanded.

    Raises:
        UsageError: The file cannot be written there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path: Path = Path(os.fsdecode(path))  # As it is given: a symbolic link is replaced, not its target.
            if b"\0" in os.fsencode(self.path):
                raise ValueError("embedded null byte")  # noqa: TRY301 - caught right below, as those of `os` are
        except (TypeError, ValueError) as error:
            raise UsageError(f"`path` is {path!r}, which is not a valid file path: {error}.") from None
        self.head: bytes = b""
        """The first bytes of the body, enough to recognise its format."""
        self._writing: AbstractContextManager[IO[bytes]] = atomic_write(self.path)
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        with self._usage_errors():
            self._file = await anyio.to_thread.run_sync(self._writing.__enter__)
        return self

    async def start(self) -> None:
        """Start the file, or start it again for another attempt."""
        assert self._file is not None
        self.head = b""
        with self._usage_errors():
            self._file.seek(0)
            self._file.truncate()

    async def write(self, piece: bytes) -> None:
        """Write the next piece of the body."""
        assert self._file is not None
        self.head = (self.head + piece)[:_HEAD_SIZE] if len(self.head) < _HEAD_SIZE else self.head
        with self._usage_errors():
            await anyio.to_thread.run_sync(self._file.write, piece)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not in a thread: this must also happen while the task is being cancelled.
        with self._usage_errors():
            self._writing.__exit__(kind, error, trace)

    @contextmanager
    def _usage_errors(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            # Not an OSError: the transport would take a full disk for a broken connection, and retry.
            raise UsageError(f"{str(self.path)!r} cannot be written: {error.strerror}.") from error
