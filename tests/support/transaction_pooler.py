"""A connection pooler for PostgreSQL that gives each transaction any free session, as PgBouncer can."""

import asyncio
import contextlib
import itertools
import os
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_READY = b"Z" + struct.pack("!i", 5) + b"I"


@contextlib.asynccontextmanager
async def transaction_pooler(dsn: str, *, takes_turns: bool = False, is_late: bool = False) -> AsyncIterator[int]:
    """Run a pooler with three sessions of the server, and yield its port.

    Args:
        dsn: The connection string of the server.
        takes_turns: Whether the sessions take turns. If not, it prefers the one that was used last.
        is_late: Whether a session whose client has gone in the middle of a transaction is free only after two more
            clients have come.
    """
    import psycopg

    connections = [psycopg.connect(dsn, autocommit=True) for _ in range(3)]
    sockets = [socket.socket(fileno=os.dup(connection.fileno())) for connection in connections]
    streams = [await asyncio.open_connection(sock=each) for each in sockets]
    free: asyncio.Queue[Stream] = asyncio.Queue() if takes_turns else asyncio.LifoQueue()
    for stream in streams:
        free.put_nowait(stream)
    tasks: set[asyncio.Task[Any]] = set()
    clients = itertools.count(1)
    left: list[Stream] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:  # A request for encryption is declined.
                length, code = struct.unpack("!ii", await reader.readexactly(8))
                await reader.readexactly(length - 8)
                if code >> 16 == 3:
                    break
                writer.write(b"N")
            greeting = b"R" + struct.pack("!ii", 8, 0)
            for name, value in (("client_encoding", "UTF8"), ("server_version", "15.0"), ("DateStyle", "ISO, MDY")):
                pair = f"{name}\0{value}\0".encode()
                greeting += b"S" + struct.pack("!i", 4 + len(pair)) + pair
            if next(clients) % 2 == 0:
                while left:
                    free.put_nowait(left.pop())
            writer.write(greeting + b"K" + struct.pack("!iii", 12, 1, 1) + _READY)
            while (message := await read(reader))[:1] != b"X":
                session = await free.get()
                is_left = False
                try:
                    is_left = await relay(message, session, reader, writer)
                finally:
                    left.append(session) if is_left and is_late else free.put_nowait(session)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    listener = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, here in streams:
            here.transport.abort()
        for connection in connections:
            connection.close()


async def relay(message: bytes, session: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Relay messages until a transaction has ended, which begins with a message.

    Returns:
        Whether the client has gone in the middle of it.
    """
    there, here = session
    while True:
        here.write(message)
        while message[:1] not in b"QS":
            message = await read(reader)
            here.write(message)
        while message[:1] != b"Z":
            message = await read(there)
            writer.write(message)
        if message[5:] == b"I":
            return False
        try:
            message = await read(reader)
        except asyncio.IncompleteReadError:
            message = b"X"
        if message[:1] == b"X":  # The client has gone in the middle of its transaction.
            here.write(b"Q" + struct.pack("!i", 13) + b"ROLLBACK\0")
            while message[:1] != b"Z":
                message = await read(there)
            return True


async def read(reader: asyncio.StreamReader) -> bytes:
    """Return a message of the protocol."""
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
