"""What all tests share."""

import asyncio
import contextlib
import inspect
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import settings

# A busy machine must not fail a test, and the same commit is tested in the same way every time.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio: the client stands on aiohttp, which knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    """Fail an async test that leaves a task or a socket behind."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("_leftovers")


@pytest.fixture
async def _leftovers() -> AsyncIterator[None]:
    loop: Any = asyncio.get_running_loop()

    def found() -> set[object]:
        # The loop's selector knows every socket that is still watched, of clients and servers alike.
        tasks = (task for task in asyncio.all_tasks() if "TestRunner" not in repr(task))  # anyio's own come and go.
        return {*tasks, *(key.fileobj for key in loop._selector.get_map().values())}

    before = found()
    yield
    for _ in range(2000):  # What is closing may take the loop some turns.
        if not found() - before:
            break
        await asyncio.sleep(0.001)
    assert set() == found() - before, "The test left tasks or sockets behind."


@attrs.define
class Received:
    """A request as it came over the socket, and the means to answer it."""

    method: str
    target: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    connection: int
    """Which connection it came on, from 0."""
    number: int
    """Which request of the server it is, from 0."""
    writer: asyncio.StreamWriter = attrs.field(repr=False)

    async def raw(self, content: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(content)
        await self.writer.drain()

    async def answer(self, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        """Write a whole answer; an underscore in a header's name stands for a hyphen."""
        lines = {"content-length": str(len(body)), "content-type": "application/json"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.raw(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)

    def close(self) -> None:
        """Close the connection in order."""
        self.writer.close()

    def reset(self) -> None:
        """Cut the connection: the other side sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Script = Callable[[Received], Awaitable[object]]


@attrs.define
class Server:
    """A server of raw sockets that answers as its script says."""

    url: str
    port: int
    requests: list[Received] = attrs.field(factory=list)
    connections: int = 0
    at_rest: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set whenever a connection was closed by the other side."""
    released: asyncio.Event = attrs.field(factory=asyncio.Event)
    """For scripts that hold an answer back; set when the test ends."""


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


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Return what starts servers that answer as a script says; with `tls`, over TLS."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script, *, tls: ssl.SSLContext | None = None) -> Server:
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
            server = Server(f"http{'s' * (tls is not None)}://127.0.0.1:{port}", port)

            async def stop() -> None:
                server.released.set()
                listener.close()
                for conversation in list(conversations):
                    conversation.cancel()
                await asyncio.gather(*conversations, return_exceptions=True)

            stack.push_async_callback(stop)
            return server

        yield start


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Return a port on which connecting neither succeeds nor fails: its backlog is full, and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # More than the smallest backlog that a system grants.
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
