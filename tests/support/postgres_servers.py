"""PostgreSQL servers for tests, and a proxy that cuts or stops their connections."""

import asyncio
import contextlib
import glob
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

PASSWORD = "pass-of-postgres"
USER = "postgres"

# `fsync` stays on, as in production. Everything else is small, as a test has a few rows.
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 16MB
max_wal_size = 64MB
min_wal_size = 32MB
wal_keep_size = 16MB
autovacuum_naptime = 1h
log_line_prefix = '%m [%p] '
"""


def binaries() -> str | None:
    """Return the directory of PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return str(Path(found).resolve().parent)
    if shutil.which("pg_config") is not None:
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if (Path(told) / "initdb").exists():
            return told
    # Debian keeps each version in a directory of its own, outside of PATH.
    versions = glob.glob("/usr/lib/postgresql/*/bin/initdb")  # noqa: PTH207 - a fixed place
    return str(Path(max(versions, key=lambda path: float(path.split("/")[4]))).parent) if versions else None


def _account() -> dict[str, Any]:
    """Return the arguments of `subprocess` that run a server as an unprivileged user; it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise AssertionError("there is neither a user `postgres` nor a user `nobody` to run the server")


@attrs.define
class PostgresServer:
    """A PostgreSQL server on a port of its own, which can be stopped and started again."""

    folder: Path
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _numbers: "itertools.count[int]" = attrs.field(factory=itertools.count)

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "log").read_text()

    def dsn(self, database: str = "postgres", **options: Any) -> str:
        """Return the connection string of a database; `options` replace its parameters or add to them."""
        from psycopg.conninfo import make_conninfo

        given = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD, "dbname": database}
        return make_conninfo("", **given | options)

    def initialise(self) -> None:
        """Write the files of a new server."""
        self.folder.chmod(0o700)
        account = _account()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command = [f"{binaries()}/initdb", "-D", str(self.data), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8"]
        command += ["--locale", "C", "--no-sync", "--pwfile", str(secret)]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, **account)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)

    @property
    def data(self) -> Path:
        """The directory of its data."""
        return self.folder / "data"

    def start(self) -> None:
        """Start the server, on the same port as before, and wait until it accepts connections."""
        for _ in range(5):  # Another process may take the port in between.
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", self.port))
                port = probe.getsockname()[1]
            with (self.folder / "log").open("ab") as log:
                command = [f"{binaries()}/postgres", "-D", str(self.data), "-p", str(port)]
                self.process = subprocess.Popen(
                    command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_account()
                )
            self.port, before = port, self.port
            while self.process.poll() is None:
                with contextlib.suppress(Exception):
                    self.run("SELECT 1")
                    return
                time.sleep(0.01)
            self.port = before
        raise AssertionError(f"postgres did not start:\n{self.log}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: its sessions are told, and end."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """Stop the server at once, as if it had crashed: the next start replays its log."""
        self.stop(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop the server, and start it again."""
        self.stop()
        self.start()

    def run(self, statement: str, *arguments: Any, database: str = "postgres") -> list[Any]:
        """Run a statement, in a connection of its own, and return the rows."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True, connect_timeout=10) as connection:
            found = connection.execute(statement.encode(), arguments or None)
            return found.fetchall() if found.description else []

    def end_sessions(self, database: str) -> None:
        """End all sessions of a database, as an administrator does."""
        self.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", database)

    def make_database(self) -> str:
        """Make an empty database, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and end its sessions."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextlib.contextmanager
    def standby(self) -> Iterator["PostgresServer"]:
        """Run a read replica of this server."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            other = PostgresServer(Path(folder))
            other.folder.chmod(0o700)
            account = _account()
            if account:
                os.chown(folder, account["user"], account["group"])
            command = [f"{binaries()}/pg_basebackup", "-D", str(other.data), "-R", "-c", "fast", "--no-sync"]
            subprocess.run([*command, "-d", self.dsn()], cwd=folder, check=True, capture_output=True, **account)
            try:
                other.start()
                yield other
            finally:
                other.kill()


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server on a free port."""
    if binaries() is None:
        text = "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
        if os.environ.get("REQUIRE_SERVERS"):
            pytest.fail(text)
        pytest.skip(text)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder))
        server.initialise()
        try:
            server.start()
            yield server
        finally:
            server.kill()


@attrs.define
class Link:
    """A proxy in front of a server, whose connections can be cut or stopped.

    Attributes:
        port: Where to connect.
        accepted: How many connections were made.
    """

    port: int = 0
    accepted: int = 0
    _target: int = 0
    _flows: asyncio.Event = attrs.field(factory=asyncio.Event)
    _refuses: bool = False
    _swallows: int = 0
    _writers: "set[asyncio.StreamWriter]" = attrs.field(factory=set)

    def stop(self) -> None:
        """Let nothing through any more, in either direction, as a network does that lost its link."""
        self._flows.clear()

    def resume(self) -> None:
        """Let everything through again, and accept connections."""
        self._flows.set()
        self._refuses = False

    def cut(self, *, refuse: bool = False) -> None:
        """Cut all connections; with `refuse`, cut new ones, too."""
        self._refuses = refuse
        for writer in list(self._writers):
            writer.transport.abort()

    def swallow(self, count: int) -> None:
        """Lose so many responses: the server gets what is sent, and then the connection is cut."""
        self._swallows = count

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the server."""
        self.accepted += 1
        ends, pumps = {writer}, list[asyncio.Task[None]]()

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(2**16):
                    await self._flows.wait()
                    if sink is writer and self._swallows:
                        self._swallows -= 1
                        return
                    sink.write(data)
                    await sink.drain()

        try:
            await self._flows.wait()
            if self._refuses:
                return
            there, here = await asyncio.open_connection("127.0.0.1", self._target)
            ends.add(here)
            self._writers |= ends
            pumps += [asyncio.create_task(pump(reader, here)), asyncio.create_task(pump(there, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            self._writers -= ends
            for end in ends:
                end.transport.abort()
            await asyncio.gather(*pumps, return_exceptions=True)


@contextlib.asynccontextmanager
async def linked(port: int) -> AsyncIterator[Link]:
    """Run a proxy in front of a server on this machine."""
    link = Link(target=port)
    link.resume()
    tasks: set[asyncio.Task[Any]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await link.converse(reader, writer)
        tasks.discard(task)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    link.port = listener.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
