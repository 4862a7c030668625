"""Downloaded files: complete or absent, or read only once they are complete."""

import functools
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from tingting_async.errors import UsageError
from tingting_async.persistence import atomic_write, make_executor, run_to_completion, start_in
from tingting_async.quantities import shown
from tingting_async.redaction import redact

T = TypeVar("T")

_HEAD_SIZE = 4096
_IN_MEMORY = 2**20
_PIECE_SIZE = 2**18
_ENCODINGS = ("gzip", "x-gzip", "deflate")
_ANY_HEADER = zlib.MAX_WBITS + 32  # Decompress what has a header of gzip or of zlib.


class FileSink:
    """Writes a response body to a file, which a subclass opens."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.head: bytes = b""
        """The first bytes of the body, enough to recognise its format."""
        self._file: IO[bytes] | None = None
        self._closing = ExitStack()
        # One thread does everything with the file, in the order in which it was requested. A write whose attempt timed
        # out meanwhile cannot land in the file of the next attempt.
        self._thread = make_executor()

    async def __aenter__(self) -> Self:
        try:
            await self._run(self._enter)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def start(self) -> None:
        """Start the file, or start it again for another attempt."""
        self.head = b""
        await self.use(_truncate)

    async def write(self, piece: bytes) -> None:
        """Write the next piece of the body."""
        self.head = (self.head + piece)[:_HEAD_SIZE] if len(self.head) < _HEAD_SIZE else self.head
        await self.use(lambda file: file.write(piece))

    async def use(self, work: Callable[[IO[bytes]], T]) -> T:
        """Do something with the file in its thread, and return the result.

        Raises:
            UsageError: The file cannot be written.
        """
        assert self._file is not None
        return await self._run(functools.partial(work, self._file))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # To its end: this must also happen while the task is being cancelled.
        try:
            await self._run(functools.partial(self._closing.__exit__, kind, error, trace), to_completion=True)
        finally:
            if self._thread is not None:
                self._thread.shutdown(wait=False)

    def _enter(self) -> None:
        self._file = self._closing.enter_context(self._open())

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        raise NotImplementedError

    async def _run(self, work: Callable[[], T], *, to_completion: bool = False) -> T:
        """Do something in the file's thread; errors of the file become ours."""
        try:
            future = start_in(self._thread, work)
            if future is None:
                return work()
            return await (run_to_completion(future) if to_completion else future)
        except OSError as error:
            # Not an OSError: the transport would take a full disk for a broken connection, and retry.
            error.filename = None  # Our text names it, with phone numbers masked.
            raise UsageError(f"{self._name} cannot be written: {error.strerror or error}.") from error


class AtomicFileSink(FileSink):
    """Writes a response body to a temporary file, which replaces `path` once the body is complete.

    Args:
        path: Where to save the file. An existing file or symbolic link is replaced. `~` is the user's home.

    Raises:
        UsageError: The file cannot be written there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path: Path = Path(
                os.fsdecode(path)
            ).expanduser()  # Not resolved: a symbolic link is replaced, not its target.
            if b"\0" in os.fsencode(self.path):
                raise ValueError("embedded null byte")  # noqa: TRY301 - caught right below, like the errors of `os`
        except (TypeError, ValueError, RuntimeError) as error:  # A RuntimeError: there is no home.
            raise UsageError(
                f"`path` is {shown(path)}, which is not a valid file path: {redact(str(error))}."
            ) from None
        super().__init__(repr(redact(str(self.path))))

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        return atomic_write(self.path, is_private=False)


class SpoolSink(FileSink):
    """Writes a response body to memory, and a large one to an unnamed temporary file, which only this process can open.

    At its end, the file is closed unless it was taken.
    """

    def __init__(self) -> None:
        super().__init__("A temporary file (see `TMPDIR`)")

    def take(self) -> IO[bytes]:
        """Return the file, from its start. The caller closes it."""
        assert self._file is not None
        self._closing.pop_all()
        self._file.seek(0)
        return self._file

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        from tempfile import SpooledTemporaryFile  # noqa: PLC0415 - few programs need it

        return SpooledTemporaryFile(_IN_MEMORY)


def _truncate(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


class Inflater:
    """Decompresses a body, and knows whether it is complete.

    aiohttp does not notice that a compressed body was cut short, if the framing of the response is complete or is
    missing.

    Args:
        headers: The headers of the response.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        self.doubt: str = ""
        """Why nobody can tell whether the body is complete; empty if that can be told."""
        if encoding not in ("identity", "", *_ENCODINGS):
            self.doubt = "is compressed in a way that was not requested, so nobody can tell whether it is complete"
        elif "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            self.doubt = "does not say where it ends, so nobody can tell whether it is complete"
        self._stream = zlib.decompressobj(_ANY_HEADER) if encoding in _ENCODINGS else None
        self._is_broken = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the content of the next piece of the body, in pieces of limited size."""
        if self._stream is None:
            yield piece
            return
        while piece and not self._is_broken:
            if self._stream.eof:  # Several gzip files in a row are one (RFC 1952, section 2.2).
                self._stream = zlib.decompressobj(_ANY_HEADER)
            try:
                content = self._stream.decompress(piece, _PIECE_SIZE)
            except zlib.error:
                self._is_broken = True
                return
            if content:
                yield content
            piece = self._stream.unconsumed_tail or self._stream.unused_data

    @property
    def is_complete(self) -> bool:
        """Whether the body ends where its compression says; true for a body without compression."""
        return self._stream is None or (self._stream.eof and not self._is_broken)
