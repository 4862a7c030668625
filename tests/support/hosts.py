"""Hosts for workers: processes with a network of their own, if this machine allows it.

A host shares the file system with the tests, and nothing else: its loopback device is empty, but for the ports that are
relayed to servers outside, by way of UNIX sockets.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def isolation() -> list[str]:
    """Return the command that gives a process a network namespace of its own; an empty one if it is not allowed."""
    for command in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    return []


class Host:
    """A host on which workers run. Its ports lead to UNIX sockets, and these to ports outside.

    Args:
        folder: Where its sockets and logs are.
        ports: The ports outside, which have the same number inside.
    """

    def __init__(self, folder: Path, ports: list[int]) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.is_isolated = bool(isolation())
        relays = {str(port): str(folder / str(port)) for port in ports} if self.is_isolated else {}
        self._outside = [
            subprocess.Popen([sys.executable, __file__, "outside", json.dumps({port: path})])
            for port, path in relays.items()
        ]
        self._host = subprocess.Popen(
            [*isolation(), sys.executable, __file__, "inside", json.dumps(relays)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._host.stdout is not None
        assert self._host.stdout.readline() == "ready\n"

    def start(self, command: list[str], environment: Mapping[str, str]) -> int:
        """Start a program, and return its process id. What it prints is added to the file `log`."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        order = {"command": command, "environment": dict(environment), "log": str(self._folder / "log")}
        self._host.stdin.write(f"{json.dumps(order)}\n")
        self._host.stdin.flush()
        return int(self._host.stdout.readline())

    @property
    def log(self) -> str:
        """What the programs printed."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def cut(self) -> None:
        """Cut all connections to the servers outside."""
        for relay in self._outside:
            relay.kill()
            relay.wait()

    def close(self) -> None:
        """Kill every program, and end the host."""
        for process in (self._host, *self._outside):
            process.terminate()
            with process:
                pass


@contextmanager
def hosts(folder: Path, count: int, ports: list[int]) -> Iterator[list[Host]]:
    """Provide some hosts for the duration of the block."""
    running: list[Host] = []
    try:
        for index in range(count):
            running.append(Host(folder / f"host-{index}", ports))  # noqa: PERF401 - those that started must end
        yield running
    finally:
        for host in running:
            host.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the end."""
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def join(one: tuple[Any, Any], other: Any) -> None:
    """Join a connection with one that is opened now."""
    try:
        reader, writer = await other
    except OSError:
        one[1].transport.abort()
        return
    await asyncio.gather(pump(one[0], writer), pump(reader, one[1]), return_exceptions=True)


async def relay_outside(relays: dict[str, str]) -> None:
    """Lead from UNIX sockets to the ports of this machine."""
    for port, path in relays.items():

        async def connect(*streams: Any, port: int = int(port)) -> None:
            await join(streams, asyncio.open_connection("127.0.0.1", port))

        await asyncio.start_unix_server(connect, path)
    await asyncio.Event().wait()


async def serve_inside(relays: dict[str, str]) -> None:
    """Lead from the ports of this host to UNIX sockets, and start the programs that stdin orders."""
    for port, path in relays.items():

        async def connect(*streams: Any, path: str = path) -> None:
            await join(streams, asyncio.open_unix_connection(path))

        await asyncio.start_server(connect, "127.0.0.1", int(port))
    await asyncio.to_thread(start_programs)


def start_programs() -> None:
    """Start the programs that stdin orders, and answer with their process ids."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        with Path(order["log"]).open("a") as log:
            process = subprocess.Popen(
                order["command"], env=order["environment"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        sys.stdout.write(f"{process.pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    role, given = sys.argv[1], json.loads(sys.argv[2])
    os.setpgid(0, 0)
    if role == "inside" and given:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the programs.
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    asyncio.run((relay_outside if role == "outside" else serve_inside)(given))
