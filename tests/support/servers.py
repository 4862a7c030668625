"""Servers of raw sockets that respond as a script says."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs


@attrs.define
class Received:
    """A request that was received over a socket, and the means to respond to it."""

    method: str
    target: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    connection: int
    """The number of its connection, from 0."""
    number: int
    """The number of the request on its server, from 0."""
    writer: asyncio.StreamWriter = attrs.field(repr=False)

    async def raw(self, content: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(content)
        await self.writer.drain()

    async def respond(self, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        """Write a whole response; an underscore in a header's name becomes a hyphen."""
        await self.raw(http_response(body, status, **headers))

    def close(self) -> None:
        """Close the connection in order."""
        self.writer.close()

    def reset(self) -> None:
        """Cut the connection: the other side sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Script = Callable[[Received], Awaitable[object]]
"""Responds to a request."""


@attrs.define
class Server:
    """A server that responds as its script says."""

    url: str
    port: int
    listener: asyncio.Server | None = None
    requests: list[Received] = attrs.field(factory=list)
    connections: int = 0
    at_rest: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set whenever the other side has closed a connection."""
    released: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Scripts that hold a response back wait for it; set when the server stops."""
    changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def received(self, count: int) -> None:
        """Wait until the server has received so many requests."""
        while len(self.requests) < count:
            self.changed.clear()
            await self.changed.wait()


@contextlib.asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server on a free port."""
    conversations: set[asyncio.Task[Any]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        connection, server.connections = server.connections, server.connections + 1
        try:
            while not writer.is_closing():
                received = Received(
                    *await _receive(reader), connection=connection, number=len(server.requests), writer=writer
                )
                server.requests.append(received)
                server.changed.set()
                await script(received)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            server.at_rest.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            conversations.discard(task)

    listener = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server = Server(f"http{'s' * (tls is not None)}://127.0.0.1:{port}", port, listener)
    try:
        yield server
    finally:
        server.released.set()
        listener.close()
        for conversation in list(conversations):
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)


async def _receive(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return method, target, headers, body


def http_response(body: bytes = b"{}", status: int = 200, **headers: str) -> bytes:
    """Return the bytes of a response; an underscore in a header's name becomes a hyphen."""
    lines = {"content-length": str(len(body)), "content-type": "application/json"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def replies(content: bytes, *, close: bool = False) -> Script:
    """Return a script that writes the same bytes for every request."""

    async def script(received: Received) -> None:
        await received.raw(content)
        if close:
            received.close()

    return script


async def succeed(received: Received) -> None:
    """Respond with success."""
    await received.respond(b'{"a": 1}')


async def stall(_: Received) -> None:
    """Respond never; the task is cancelled when the server stops."""
    await asyncio.Event().wait()


def closed_port() -> int:
    """Return a port without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
