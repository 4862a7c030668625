"""Fault injection."""

import asyncio
import itertools
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, get_args

import attrs
from aiohttp import web
from attrs.validators import optional
from multidict import CIMultiDict

from tingting_async.sandbox import fault_checks as checks
from tingting_async.sandbox.changes import Changes
from tingting_async.sandbox.events import Event
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.tokens import unauthorized

Kind = Literal[
    # "Executes" means that the request has its effect.
    "status",  # responds with `status`, `body` and `headers`; does not execute the request
    "delay",  # waits `delay` seconds, then executes and responds
    "stall",  # waits for `release()`, then executes and responds
    "stall_after",  # executes, waits for `release()`, then responds
    "reset",  # resets the connection; does not execute the request
    "reset_after",  # executes, then resets the connection
    "status_after",  # executes, then responds with `status`, `body` and `headers`
    "gateway_timeout",  # executes, then responds 504 with the HTML page of a proxy
    "truncate",  # executes, then cuts off a response that has a Content-Length
    "truncate_chunked",  # executes, then cuts off a chunked response
    "html",  # executes, then responds 500 with an HTML page
    "empty",  # executes, then responds 200 with an empty body
    "wrong_content_type",  # executes, then declares the JSON as text/html
    "invalid_utf8",  # executes, then responds 200 with invalid UTF-8
    "oversized",  # executes, then responds with a JSON string of `size` bytes
    "garbage",  # executes, then sends bytes that are not HTTP
    "garbage_headers",  # executes, then sends a malformed header line
    "duplicate_headers",  # executes, then sends some headers twice with different values
    "redirect",  # responds with `status` (302) and `location`; does not execute the request
    "expired_token",  # responds 401 (`unauthorized_status`) as for an expired token; does not execute the request
    "close",  # executes, responds, and closes the connection without announcing it
]

_DROPS = ("reset", "reset_after", "truncate", "truncate_chunked", "garbage", "garbage_headers")
_CHUNK = b"x" * 2**16
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


_is_count: checks.Validator = optional(checks.whole_number(1, meaning="a whole number"))


def _end_after(fault: "Fault", field: "attrs.Attribute[Any]", times: int | None) -> int | None:
    """Check `times` when it is set later: `fault.times = fault.count` ends a fault, also if it has not triggered."""
    optional(checks.whole_number(0, meaning="a whole number"))(fault, field, times)
    return times


_is_status: checks.Validator = optional(checks.whole_number(200, 599, meaning="an HTTP status"))


@attrs.define(eq=False)
class Fault:
    """A fault that is injected into the requests that match.

    Raises:
        ValueError: A field is not valid, so that the fault would never trigger, or could not be served.
    """

    kind: Kind = attrs.field(validator=checks.one_of(get_args(Kind)))
    method: str = attrs.field(default="*", validator=checks.check_method)
    """A glob pattern for the method, in capitals."""
    path: str = attrs.field(default="*", validator=checks.check_path)
    """A glob pattern for the path, which begins with a slash."""
    query: str | None = attrs.field(default=None, validator=checks.check_query)
    """The exact query string, without the question mark; None for any."""
    where: Callable[[ReceivedRequest], bool] | None = attrs.field(
        default=None, repr=False, validator=checks.check_where
    )
    """A further condition on the request, such as `lambda request: b"9800000001" in request.body`."""
    nth: int | None = attrs.field(default=None, validator=_is_count)
    """Trigger on the n-th matching request only, counting from 1; None for every one."""
    times: int | None = attrs.field(default=None, validator=_is_count, on_setattr=_end_after)
    """How often to trigger at most; None for no limit."""
    status: int | None = attrs.field(default=None, validator=_is_status)
    """The HTTP status of `status` and `status_after` (default 500) and of `redirect` (default 302)."""
    body: Any = attrs.field(default=None, validator=checks.check_body)
    """The body of `status` and `status_after`: a JSON value, or bytes that are sent as they are."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=checks.check_headers)
    delay: float = attrs.field(default=0.0, validator=checks.check_delay)
    """The delay in seconds."""
    size: int = attrs.field(default=2**27, validator=checks.whole_number(0, meaning="a number of bytes"))
    """The size of an `oversized` body in bytes."""
    location: str = attrs.field(default="", validator=checks.check_location)
    """The `Location` of a `redirect`."""
    triggered: Event = attrs.field(factory=Event, init=False, repr=False)
    """Set once the fault has triggered: `await fault.triggered.wait()`, or `.block(5)` without asyncio."""
    stalled: Event = attrs.field(factory=Event, init=False, repr=False)
    """Set once a request waits for `release()`: before it executes, or with `stall_after` after it."""
    count: int = attrs.field(default=0, init=False)
    """How often the fault has triggered."""
    id: int = attrs.field(default=0, init=False)
    """The number that `Faults.add` gives it, counted from 1 in each sandbox; 0 before."""
    _matches: int = attrs.field(default=0, init=False)
    _released: Event = attrs.field(factory=Event, init=False, repr=False)

    @property
    def drops_connection(self) -> bool:
        """Whether the fault drops the connection, so that the response is never complete."""
        return self.kind in _DROPS

    @property
    def is_waiting(self) -> bool:
        """Whether the fault can trigger again."""
        if self.times is not None and self.count >= self.times:
            return False
        return self.nth is None or self._matches < self.nth

    def release(self) -> None:
        """Let stalled requests continue, later ones too. This may be called from any thread."""
        self._released.set()

    def trigger(self, request: ReceivedRequest) -> bool:
        """Return whether the fault triggers on a request, and count the request if it matches."""
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

    async def apply(self, request: web.Request, serve: Serve, options: Options) -> web.StreamResponse:
        """Serve a request with the fault."""
        match self.kind:
            case "status":
                return self._respond()
            case "redirect":
                return web.Response(status=self.status or 302, headers={"Location": self.location})
            case "expired_token":
                body, status = unauthorized(options)
                return web.json_response(body, status=status)
            case "reset":
                return reset(request)
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
        headers = CIMultiDict({"Content-Type": "application/json"})
        headers.update(self.headers)
        return web.Response(status=self.status or 500, body=body, headers=headers)

    async def _stall(self) -> None:
        self.stalled.set()
        await self._released.wait()

    async def _corrupt(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        assert isinstance(response, web.Response)
        body = response.body if isinstance(response.body, bytes) else b""
        match self.kind:
            case "stall_after":
                await self._stall()
                return response
            case "status_after":
                return self._respond()
            case "gateway_timeout":
                return web.Response(status=504, text=_PAGE.format("504 Gateway Time-out"), content_type="text/html")
            case "html":
                return web.Response(status=500, text=_PAGE.format("Server Error (500)"), content_type="text/html")
            case "empty":
                return web.Response(status=200)
            case "wrong_content_type":
                response.content_type = "text/html"
                return response
            case "invalid_utf8":
                return web.Response(status=200, body=b"\xff\xfe" + body[:64] + b"\xc3", content_type="application/json")
            case "oversized":
                # In chunks, so that the sandbox needs no memory for it and stops once the client disconnects.
                stream = web.StreamResponse(headers={"Content-Type": "application/json"})
                await stream.prepare(request)
                await stream.write(b'"')
                for sent in range(0, self.size, len(_CHUNK)):
                    await stream.write(_CHUNK[: self.size - sent])
                await stream.write_eof(b'"')
                return stream
            case "garbage":
                return _write(request, b"\x15\x03\x01\x00\x02\x02\x50 not HTTP\r\n\r\n")
            case "garbage_headers":
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nnot a header\xff\r\n"
                return _write(request, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            case "duplicate_headers":
                twice = (
                    ("Content-Type", "text/plain"),
                    ("Server", "another"),
                    ("X-Request-Id", "1"),
                    ("X-Request-Id", "2"),
                )
                for name, value in twice:
                    response.headers.add(name, value)
                return response
            case "truncate" | "truncate_chunked":
                stream = web.StreamResponse(headers={"Content-Type": "application/json"})
                if self.kind == "truncate":
                    stream.content_length = len(body) + 64
                else:
                    stream.enable_chunked_encoding()
                await stream.prepare(request)
                await stream.write(body[: len(body) // 2] or b"{")
                return reset(request, stream)
            case "close":
                await response.prepare(request)
                await response.write_eof()
                if request.transport is not None:
                    request.transport.close()
                return response
            case "reset_after":
                return reset(request)
            case _:
                raise AssertionError(self.kind)


class Struck(NamedTuple):
    """A fault that struck.

    Attributes:
        at: The time in Unix seconds by the sandbox's clock.
        kind: The fault's kind.
        method: The method of the request.
        path: The path of the request.
    """

    at: float
    kind: str
    method: str
    path: str


class Faults:
    """The faults of a sandbox. At most one fault applies to a request: the first that triggers on it.

    Args:
        changes: Counts the changes of the faults.
    """

    def __init__(self, changes: Changes | None = None) -> None:
        self.struck: deque[Struck] = deque(maxlen=200)
        """The last 200 times that a fault struck, in order."""
        self._changes = changes or Changes()
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Add a fault and return it."""
        fault.id = next(self._ids)
        self._faults.append(fault)
        self._changes.note()
        return fault

    def remove(self, fault: Fault) -> None:
        """Remove a fault, if it is there, and release the requests that it stalls."""
        fault.release()
        self._faults = [each for each in self._faults if each is not fault]
        self._changes.note()

    def clear(self) -> None:
        """Remove all faults and release stalled requests."""
        for fault in list(self._faults):
            self.remove(fault)

    @contextmanager
    def during(self, faults: Fault | Iterable[Fault]) -> Generator[None]:
        """Inject a fault, or several, within the block. At its end they are removed, and stalled requests continue."""
        added = [self.add(fault) for fault in ([faults] if isinstance(faults, Fault) else faults)]
        try:
            yield
        finally:
            for fault in added:
                self.remove(fault)

    def trigger(self, request: ReceivedRequest) -> Fault | None:
        """Return the first fault that triggers on a request, or None."""
        fault = next((fault for fault in self._faults if fault.trigger(request)), None)
        if fault is not None:
            request.fault = fault.kind
            self.struck.append(Struck(request.at, fault.kind, request.method, request.path))
            self._changes.note()
        return fault


def _write(request: web.Request, raw: bytes) -> web.StreamResponse:
    """Send raw bytes and close the connection."""
    if request.transport is not None:
        request.transport.write(raw)
        request.transport.close()
    return web.Response(status=500)


def reset(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Close the connection with a TCP reset, as a crashed server or a firewall does."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
    return response or web.Response(status=500)
