"""Misbehaviour on request."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs
from aiohttp import web

from tingting_async.sandbox.events import Event
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.tokens import TOKEN_NOT_VALID

Kind = Literal[
    "status",  # answers with `status`, `body` and `headers`, and does nothing
    "delay",  # waits `delay` seconds, then serves
    "stall",  # waits for `release()`, then serves
    "stall_after",  # serves, and waits for `release()` before it answers
    "reset",  # resets the connection, and does nothing
    "reset_after",  # serves, and resets the connection instead of answering
    "status_after",  # serves, and answers with `status`, `body` and `headers` instead
    "gateway_timeout",  # serves, and answers 504 with a proxy's page
    "truncate",  # serves, and breaks off in the middle of an answer that said how long it is
    "truncate_chunked",  # serves, and breaks off in the middle of an answer in chunks
    "html",  # serves, and answers 500 with an HTML page
    "empty",  # serves, and answers 200 with nothing
    "wrong_content_type",  # serves, and calls the JSON text/html
    "invalid_utf8",  # serves, and answers 200 with bytes that are no text
    "oversized",  # serves, and answers with a text of `size` bytes
    "garbage",  # serves, and answers with what is not HTTP
    "garbage_headers",  # serves, and answers with a header that is none
    "duplicate_headers",  # serves, and answers with headers twice, which differ
    "redirect",  # answers with `status` (302) and `location`, and does nothing
    "expired_token",  # answers 401, as if the token had ended
    "close",  # serves, answers, and closes the connection without having said so
]

_DROPS = ("reset", "reset_after", "truncate", "truncate_chunked", "garbage", "garbage_headers")
_CHUNK = b"x" * 2**16
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.define(eq=False)
class Fault:
    """Something to go wrong with the requests that match."""

    kind: Kind
    method: str = "*"
    """A pattern, as of a file name."""
    path: str = "*"
    """A pattern, as of a file name."""
    query: str | None = None
    """What the query has to be; None for any."""
    where: Callable[[ReceivedRequest], bool] | None = attrs.field(default=None, repr=False)
    """What has to be true of the request beside, as of its body: `lambda request: b"9800000001" in request.body`."""
    nth: int | None = None
    """Only the n-th match, from 1; None for every."""
    times: int | None = None
    """At most so often; None for ever."""
    status: int | None = None
    """Of a `status` or a `status_after` (500 unless said), or of a `redirect` (302 unless said)."""
    body: Any = None
    """JSON, or bytes as they are."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    delay: float = 0.0
    """Seconds."""
    size: int = 2**27
    """Bytes."""
    location: str = ""
    triggered: Event = attrs.field(factory=Event, init=False, repr=False)
    """Set when it struck: `await fault.triggered.wait()`, or `fault.triggered.block(5)` without asyncio."""
    stalled: Event = attrs.field(factory=Event, init=False, repr=False)
    """Set when a request waits for `release()`: with the deed undone, or, of a `stall_after`, done."""
    count: int = attrs.field(default=0, init=False)
    """How often it struck."""
    _matches: int = attrs.field(default=0, init=False)
    _released: Event = attrs.field(factory=Event, init=False, repr=False)

    @property
    def drops_connection(self) -> bool:
        """Whether it drops the connection, so that there is no whole answer."""
        return self.kind in _DROPS

    def release(self) -> None:
        """Let stalled requests go on, those to come as well; from any thread."""
        self._released.set()

    def trigger(self, request: ReceivedRequest) -> bool:
        """Tell whether it strikes this request, and count."""
        if self.times is not None and self.count >= self.times:
            return False
        if not (fnmatchcase(request.method, self.method) and fnmatchcase(request.path, self.path)):
            return False
        if self.query is not None and request.query != self.query:
            return False
        if self.where is not None and not self.where(request):
            return False
        self._matches += 1
        if self.nth is not None and self._matches != self.nth:
            return False
        self.count += 1
        self.triggered.set()
        return True

    async def apply(self, request: web.Request, serve: Serve) -> web.StreamResponse:
        """Serve a request, wrongly."""
        match self.kind:
            case "status":
                return self._respond()
            case "redirect":
                return web.Response(status=self.status or 302, headers={"Location": self.location})
            case "expired_token":
                return web.json_response(TOKEN_NOT_VALID, status=401)
            case "reset":
                return _reset(request)
            case "delay":
                await asyncio.sleep(self.delay)
                return await serve(request)
            case "stall":
                await self._stall()
                return await serve(request)
            case _:
                return await self._corrupt(request, await serve(request))

    def _respond(self) -> web.Response:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body, separators=(",", ":")).encode()
        body = b"" if self.body is None else raw
        headers = {"Content-Type": "application/json", **self.headers}
        return web.Response(status=self.status or 500, body=body, headers=headers)

    async def _stall(self) -> None:
        self.stalled.set()
        await self._released.wait()

    async def _corrupt(self, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        assert isinstance(answer, web.Response)
        body = answer.body if isinstance(answer.body, bytes) else b""
        match self.kind:
            case "stall_after":
                await self._stall()
                return answer
            case "status_after":
                return self._respond()
            case "gateway_timeout":
                return web.Response(status=504, text=_PAGE.format("504 Gateway Time-out"), content_type="text/html")
            case "html":
                return web.Response(status=500, text=_PAGE.format("Server Error (500)"), content_type="text/html")
            case "empty":
                return web.Response(status=200)
            case "wrong_content_type":
                answer.content_type = "text/html"
                return answer
            case "invalid_utf8":
                return web.Response(status=200, body=b"\xff\xfe" + body[:64] + b"\xc3", content_type="application/json")
            case "oversized":
                # Piece by piece, so that it costs the sandbox nothing, and ends when the client has had enough.
                stream = web.StreamResponse(headers={"Content-Type": "application/json"})
                await stream.prepare(request)
                await stream.write(b'"')
                for sent in range(0, self.size, len(_CHUNK)):
                    await stream.write(_CHUNK[: self.size - sent])
                await stream.write_eof(b'"')
                return stream
            case "garbage":
                return _write(request, b"\x15\x03\x01\x00\x02\x02\x50 no HTTP at all\r\n\r\n")
            case "garbage_headers":
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nno header\xff at all\r\n"
                return _write(request, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            case "duplicate_headers":
                twice = (
                    ("Content-Type", "text/plain"),
                    ("Server", "another"),
                    ("X-Request-Id", "1"),
                    ("X-Request-Id", "2"),
                )
                for name, value in twice:
                    answer.headers.add(name, value)
                return answer
            case "truncate" | "truncate_chunked":
                stream = web.StreamResponse(headers={"Content-Type": "application/json"})
                if self.kind == "truncate":
                    stream.content_length = len(body) + 64
                else:
                    stream.enable_chunked_encoding()
                await stream.prepare(request)
                await stream.write(body[: len(body) // 2] or b"{")
                return _reset(request, stream)
            case "close":
                await answer.prepare(request)
                await answer.write_eof()
                if request.transport is not None:
                    request.transport.close()
                return answer
            case _:
                return _reset(request)


class Faults:
    """The faults of a sandbox; the first that strikes a request is applied."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Let something go wrong from now on; returns it."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Behave again; stalled requests go on."""
        for fault in self._faults:
            fault.release()
        self._faults.clear()

    @contextmanager
    def during(self, faults: Iterable[Fault]) -> Generator[None]:
        """Let these go wrong within the block; at its end stalled requests go on."""
        added = [self.add(fault) for fault in faults]
        try:
            yield
        finally:
            for fault in added:
                fault.release()
            self._faults = [fault for fault in self._faults if not any(fault is each for each in added)]

    def trigger(self, request: ReceivedRequest) -> Fault | None:
        """Return the fault for a request, if any."""
        return next((fault for fault in self._faults if fault.trigger(request)), None)


def _write(request: web.Request, raw: bytes) -> web.StreamResponse:
    """Answer with bytes as they are, and close the connection."""
    if request.transport is not None:
        request.transport.write(raw)
        request.transport.close()
    return web.Response(status=500)


def _reset(request: web.Request, answer: web.StreamResponse | None = None) -> web.StreamResponse:
    """Drop the connection with a TCP reset, as a crashed server or a firewall does."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
    return answer or web.Response(status=500)
