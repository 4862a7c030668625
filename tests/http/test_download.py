"""Downloaded files: complete or absent, whatever ends the download."""

import asyncio
import contextlib
import gzip
import os
import random
import stat
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.servers import Received, replies, serving

from tingting_async import ApiError, DecodeError, RetryPolicy, TingTingError, TransportError, UsageError
from tingting_async.http.download import AtomicFileSink, Inflater
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

BEFORE, REPORT = b"before", b"Number,Status\r\n" + b"9800000001,completed\r\n" * 20_000


def connect(url: str, **options: Any) -> TingTing:
    """Return a session that does not retry, unless the options say otherwise."""
    return TingTing(base_url=url, api_token="key", **{"retries": RetryPolicy(attempts=1), **options})


def compressed(content: bytes, encoding: str) -> bytes:
    """Return a body in an encoding."""
    half = len(content) // 2
    return {
        "identity": lambda: content,
        "gzip": lambda: gzip.compress(content, mtime=0),
        "x-gzip": lambda: gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0),
        "deflate": lambda: zlib.compress(content),
    }[encoding]()


def framed(body: bytes, encoding: str, framing: str, *, end: int | None = None, missing: int = 0) -> bytes:
    """Return a response.

    Args:
        body: The body as it is sent.
        encoding: Its `Content-Encoding`.
        framing: How the response says where it ends: by length, in chunks, or by closing the connection.
        end: How much of the body is sent; None for all of it.
        missing: How many bytes the length announces that the body does not have.
    """
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Encoding: {encoding}\r\n".encode()
    if framing == "length":
        return head + f"Content-Length: {len(body) + missing}\r\n\r\n".encode() + body[:end]
    if framing == "close":
        return head + b"Connection: close\r\n\r\n" + body[:end]
    size = 7_000
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part := body[at : at + size]), part) for at in range(0, len(body), size))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + (chunks + b"0\r\n\r\n")[:end]


async def download(content: bytes, path: Path) -> None:
    """Download a report from a server that sends these bytes and closes the connection."""
    async with serving(replies(content, close=True)) as server, connect(server.url) as tingting:
        await tingting.reports.download(1, path)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "x-gzip", "deflate"])
async def test_a_complete_body(encoding: str, framing: str, tmp_path: Path) -> None:
    """A body that shows where it ends is saved, also if the service compresses it unasked."""
    path = tmp_path / "report.csv"
    await download(framed(compressed(REPORT, encoding), encoding, framing), path)
    assert REPORT == path.read_bytes()


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        framed(REPORT, "identity", "length", missing=1),
        framed(REPORT, "identity", "length", end=-1),
        framed(REPORT, "identity", "chunked", end=-5),
        framed(REPORT, "identity", "close"),
        framed(gzip.compress(REPORT, mtime=0), "gzip", "close"),
        framed(gzip.compress(REPORT, mtime=0)[:-1], "gzip", "length"),
        framed(gzip.compress(REPORT, mtime=0)[:-9], "gzip", "chunked"),
        framed(gzip.compress(REPORT, mtime=0) + gzip.compress(REPORT, mtime=0)[:-1], "gzip", "length"),
        framed(gzip.compress(REPORT, mtime=0) + b"garbage", "gzip", "length"),
        framed(gzip.compress(REPORT, mtime=0)[:-8] + b"\0" * 8, "gzip", "length"),
        framed(zlib.compress(REPORT)[:-1], "deflate", "length"),
        framed(b"", "gzip", "length"),
        framed(REPORT, "gzip", "length"),
        framed(REPORT, "br", "length"),
        framed(REPORT, "gzip, gzip", "length"),
    ],
)
async def test_an_incomplete_body(content: bytes, is_there: bool, tmp_path: Path) -> None:
    """A body that is cut short, or may be, leaves an earlier file as it was, and no other file."""
    path = tmp_path / "report.csv"
    if is_there:
        path.write_bytes(BEFORE)
    with pytest.raises(TingTingError):
        await download(content, path)
    assert [BEFORE] * is_there == [each.read_bytes() for each in tmp_path.iterdir()]


async def test_bodies_that_are_cut_anywhere(tmp_path: Path) -> None:
    """Wherever a body of any encoding and framing is cut, the file is complete, or as it was before."""
    chance = random.Random(14)
    for _ in range(60):
        encoding = chance.choice(["identity", "gzip", "x-gzip", "deflate"])
        framing, content = chance.choice(["length", "chunked", "close"]), REPORT[: 15 + chance.randrange(40_000)]
        body = compressed(content, encoding)
        end = chance.choice([None, chance.randrange(len(body))])
        if encoding in ("gzip", "deflate") and chance.random() < 0.5:  # A complete response with half a body.
            response, is_cut = framed(body[:end], encoding, framing), end is not None
        else:
            whole = framed(body, encoding, framing)
            response = framed(body, encoding, framing, end=end)
            is_cut = len(response) < len(whole)
        path = tmp_path / "report.csv"
        path.write_bytes(BEFORE)
        with contextlib.suppress(TingTingError):
            await download(response, path)
        expected = BEFORE if is_cut or framing == "close" else content
        assert (expected, [path]) == (path.read_bytes(), list(tmp_path.iterdir())), (encoding, framing, end)


async def test_a_compressed_body_that_is_cut_short_is_requested_again(tmp_path: Path) -> None:
    """A compressed body that was cut short inside a complete response is a lost response: it is requested again."""
    path, body = tmp_path / "report.csv", gzip.compress(REPORT, mtime=0)

    async def script(received: Received) -> None:
        await received.raw(framed(body if received.number else body[:-20], "gzip", "length"))

    async with serving(script) as server, connect(server.url, retries=RetryPolicy(initial_backoff=0)) as tingting:
        await tingting.reports.download(1, path)
        assert (2, REPORT) == (len(server.requests), path.read_bytes())


async def test_rows_that_are_cut_short() -> None:
    """The rows of a compressed report that is cut short are an error; those of a complete one are returned."""
    body = gzip.compress(REPORT, mtime=0)
    for end, count in ((None, 20_000), (-9, 0)):
        async with serving(replies(framed(body[:end], "gzip", "length"))) as server, connect(server.url) as tingting:
            with pytest.raises(TransportError, match="cut short") if end else contextlib.nullcontext():
                assert count == len(await tingting.reports.rows(1).collect())


async def test_rows_without_an_end() -> None:
    """The rows of a response that ends when the connection does are an error: some may be missing."""
    content = framed(REPORT, "identity", "close")
    async with serving(replies(content, close=True)) as server, connect(server.url) as tingting:
        with pytest.raises(TingTingError, match="does not say where it ends"):
            await tingting.reports.rows(1).collect()


async def test_a_refusal_without_an_end(tmp_path: Path) -> None:
    """A refusal may end when the connection does, and may be compressed: it is reported as what it says."""
    for encode, encoding in ((bytes, b"identity"), (gzip.compress, b"gzip")):
        head = b"HTTP/1.1 404 Not Found\r\nContent-Encoding: " + encoding + b"\r\n\r\n"
        with pytest.raises(TingTingError, match=r"404.*No such campaign"):
            await download(head + encode(b'{"detail": "No such campaign."}'), tmp_path / "report.csv")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [202, 206, 404])
async def test_a_response_without_a_report_has_its_body(status: int, tmp_path: Path) -> None:
    """The error for a response that is no report holds its body, which does not go to the file."""
    said = b'{"detail": "Not yet."}'
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    with pytest.raises((ApiError, DecodeError)) as caught:
        await download(head + said, tmp_path / "report.csv")
    assert said == caught.value.body
    assert [] == list(tmp_path.iterdir())


async def test_a_refusal_that_is_cut_short(tmp_path: Path) -> None:
    """A compressed refusal whose end is missing is not taken for one: the request may be sent again."""
    said = gzip.compress(b'{"detail": "No such campaign."}')[:-6]
    head = f"HTTP/1.1 404 X\r\nContent-Encoding: gzip\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    with pytest.raises(TransportError, match="no complete response was received"):
        await download(head + said, tmp_path / "report.csv")


def test_a_compressed_body_in_small_and_large_pieces() -> None:
    """However a compressed body is divided, its content is the same, and comes in pieces of limited size."""
    content = b"Number\n" * 300_000
    for encoding in ("gzip", "x-gzip", "deflate"):
        body = compressed(content, encoding)
        for size in (1, 7, 1_000, len(body)):
            inflater = Inflater({"Content-Encoding": encoding.upper(), "Content-Length": "1"})
            pieces = [out for at in range(0, len(body), size) for out in inflater.feed(body[at : at + size])]
            assert (content, True, "") == (b"".join(pieces), inflater.is_complete, inflater.doubt)
            assert 2**18 >= max(map(len, pieces))


async def test_a_late_write(tmp_path: Path) -> None:
    """A write that is still going on when its attempt ends does not land in the file of the next attempt."""
    loop, started, released = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def stall(_: object, event: str, function: Any) -> None:
        # What a slow disk does: the first write begins, and does not get on.
        if event == "c_call" and getattr(function, "__name__", "") == "write" and not released.is_set():
            loop.call_soon_threadsafe(started.set)
            released.wait()

    threading.setprofile(stall)
    try:
        async with AtomicFileSink(tmp_path / "report.csv") as sink:
            await sink.start()
            late = asyncio.create_task(sink.write(b"late"))
            await started.wait()
            late.cancel()
            await asyncio.wait([late])
            again = asyncio.create_task(sink.start())
            await asyncio.sleep(0)
            released.set()
            await again
            await sink.write(b"new")
    finally:
        released.set()
        threading.setprofile(None)
    assert b"new" == (tmp_path / "report.csv").read_bytes()


async def test_cancelled_at_every_step(tmp_path: Path) -> None:
    """Wherever a download is cancelled, the file is complete, or as it was before, and no other file is left."""
    path, seen = tmp_path / "report.csv", set[bytes]()
    content = framed(REPORT, "identity", "chunked")
    async with serving(replies(content)) as server, connect(server.url) as tingting:
        for steps in range(120):
            path.write_bytes(BEFORE)
            task = asyncio.create_task(tingting.reports.download(1, path))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None
            assert [path] == list(tmp_path.iterdir())
            seen.add(path.read_bytes())
    assert seen <= {BEFORE, REPORT}


UMASKS = pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])


@contextlib.contextmanager
def umask_of(umask: int) -> Any:
    """Change the umask for a while."""
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@UMASKS
async def test_permissions_of_a_new_file(umask: int, tmp_path: Path) -> None:
    """The umask decides about the permissions of a new file."""
    path = tmp_path / "report.csv"
    with umask_of(umask):
        await download(framed(REPORT, "identity", "length"), path)
    assert 0o666 & ~umask == mode(path)


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o664])
@UMASKS
async def test_permissions_of_an_existing_file(umask: int, permissions: int, tmp_path: Path) -> None:
    """A file that is replaced keeps its permissions, whatever the umask."""
    path = tmp_path / "report.csv"
    path.write_bytes(BEFORE)
    path.chmod(permissions)
    with umask_of(umask):
        await download(framed(REPORT, "identity", "length"), path)
    assert (REPORT, permissions) == (path.read_bytes(), mode(path))


def make_fifo(path: Path) -> None:
    """Make a named pipe."""
    os.mkfifo(path)


def make_link_to_a_device(path: Path) -> None:
    """Make a symbolic link to a device."""
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [make_fifo, make_link_to_a_device])
async def test_a_path_that_is_no_regular_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A named pipe or a device is refused before anything is sent: to replace it would destroy it."""
    path = tmp_path / "report.csv"
    make(path)
    async with serving(replies(framed(REPORT, "identity", "length"))) as server, connect(server.url) as tingting:
        with pytest.raises(UsageError, match="cannot be written: it is not a regular file"):
            await tingting.reports.download(1, path)
        assert 0 == tingting.requests_sent
    assert (False, [path]) == (path.is_file(), list(tmp_path.iterdir()))


@pytest.mark.parametrize("name", ["r" * 255, "र" * 85])
async def test_a_name_as_long_as_names_can_be(name: str, tmp_path: Path) -> None:
    """A file can have the longest name that the file system allows."""
    await download(framed(REPORT, "identity", "length"), tmp_path / name)
    assert [name] == [path.name for path in tmp_path.iterdir()]


async def test_a_thread_that_cannot_be_started(tmp_path: Path) -> None:
    """If no thread can be started, the file is written all the same, once, even if a thread can be started later."""
    path = tmp_path / "report"
    path.write_bytes(BEFORE)
    before = threading.stack_size(2**46)  # No machine has memory for such a thread.
    try:
        async with AtomicFileSink(path) as sink:
            await sink.write(REPORT[:1000])
            threading.stack_size(before)
            await sink.write(REPORT[1000:])
    finally:
        threading.stack_size(before)
    assert REPORT == path.read_bytes()
    assert [path] == [*tmp_path.iterdir()]
