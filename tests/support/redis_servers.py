"""Redis servers for tests, and a proxy that loses connections."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import attrs
import pytest

PASSWORD = "pass-of-redis"


@attrs.define
class RedisServer:
    """A Redis server on a port of its own, which can be stopped and started again."""

    folder: str
    port: int = 0
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, on the same port as before."""
        for _ in range(5):  # Another process may take the port in between.
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", self.port))
                port = probe.getsockname()[1]
            command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder]
            command += ["--save", "", "--appendonly", "yes"]
            # The server does not know ECHO: for an unknown command, Redis quotes its arguments.
            command += ["--requirepass", PASSWORD, "--rename-command", "ECHO", ""]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self.process.stdout is not None
            if any("eady to accept connections" in line for line in self.process.stdout):
                self.port = port
                return
            self.stop()
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        """Stop the server."""
        if self.process is not None:
            with self.process:
                self.process.terminate()
            self.process = None

    def run(self, *command: Any) -> Any:
        """Run a command."""
        from redis import Redis

        with Redis.from_url(self.url) as client:
            return client.execute_command(*command)


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis server on a free port."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (on Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.asynccontextmanager
async def cutting_proxy(port: int, cuts: Callable[[int], str]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a proxy in front of a Redis server; yield its port, and the commands that it has received.

    Args:
        port: The port of the server.
        cuts: Returns for the number of a command, from 0, whether the connection is cut: "before" the server has the
            command, "after" its response, or "" for neither.
    """
    commands: list[bytes] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there, here = await asyncio.open_connection("127.0.0.1", port)
        try:
            while command := await reader.read(2**16):
                is_handshake = any(word in command for word in (b"AUTH", b"HELLO", b"CLIENT", b"SELECT"))
                cut = ""
                if not is_handshake:
                    cut = cuts(len(commands))
                    commands.append(command)
                if cut == "before":
                    break
                here.write(command)
                response = await there.read(2**16)
                if cut == "after":
                    break
                writer.write(response)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, here):
                end.transport.abort()
            tasks.discard(task)

    listener = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1], commands
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
