"""Connections to PostgreSQL, for the parts that keep something there.

Nothing in here knows the library: functions raise `ImportError`, `ValueError` and `PostgresError`, and their callers
convert them. `psycopg` is an extra, and imported on first use.
"""

import asyncio
import os
import re
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from inspect import iscoroutinefunction
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds that a connection waits for the response to a statement."""
_DEFAULTS: dict[str, Any] = {
    "fallback_application_name": "tingting_async",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    # A connection whose other side is gone ends within half a minute, instead of within hours.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_FOR_NOW = ("starting up", "shutting down", "recovery", "accepting connections", "too many", "connection slots")
"""What a server says if it refuses a connection, and may accept one in a moment."""
_SESSION = """
SELECT set_config(name, value, false)
FROM (VALUES
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '15000'), ('idle_in_transaction_session_timeout', '10000'), ('idle_session_timeout', '0'),
    ('statement_timeout', %s), ('default_transaction_isolation', 'read committed')
) AS wanted(name, value) JOIN pg_settings USING (name)
"""
"""The same on the server's side, where a session with a dead client holds its locks. An old server lacks some.

The statements rely on locks. At a stricter isolation level, which may be the default of the database, a statement that
has waited for a lock would fail with an error of serialization (40001).
"""


class PostgresError(OSError):
    """A database could not be used. The text is safe to show: it has no password and no values of rows.

    Attributes:
        sqlstate: The server's code of the error; empty if the error is not the server's.
        is_lost: Whether there is no connection any more, so that a statement may have been executed or not.
        is_refused: Whether the server refused the connection, and would refuse it again, as with a wrong password.
    """

    def __init__(self, text: str, *, sqlstate: str = "", is_lost: bool = False) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate
        self.is_lost = is_lost
        is_fatal = text.startswith("connection failed") and "FATAL" in text
        self.is_refused: bool = is_lost and is_fatal and not any(words in text for words in _FOR_NOW)

    @property
    def advice(self) -> str:
        """What to do, if nothing is known about the code of the error."""
        if self.is_refused:
            return "Check the connection string: the user, the password and the name of the database."
        return "Is the server up and reachable?" if self.is_lost else "Look in the server's log."


class PostgresFailedError(Exception):
    """An operation failed. The text says why, and what to do; the cause may be the error of psycopg."""


async def repeat(
    work: Callable[[], Awaitable[T]], *, pauses: Sequence[float], timeout: float, advice: Mapping[str, str]
) -> T:
    """Run something that may be repeated, and repeat it if its connection failed.

    Args:
        work: Opens a connection if there is none.
        pauses: Seconds before each further attempt.
        timeout: Seconds for all attempts together.
        advice: What to do about some errors of the server, by their code.

    Raises:
        PostgresFailedError: The database cannot be used.
    """
    cause: BaseException | None = None
    try:
        async with asyncio.timeout(timeout):
            for pause in pauses:
                try:
                    return await work()
                except PostgresError as error:
                    if not error.is_lost or error.is_refused:
                        raise
                await asyncio.sleep(pause)
            return await work()
    except PostgresError as error:
        text, cause = f"{error}. {advice.get(error.sqlstate, error.advice)}", error.__cause__
    except TimeoutError:
        text = f"no response within {timeout:g} s. Is the server up and reachable?"
    except Exception as error:  # noqa: BLE001 - a pool's functions may raise anything
        text, cause = f"connecting failed with {type(error).__name__}.", error
    # Raised outside the handlers, so that the traceback has no frames that hold what is stored.
    raise PostgresFailedError(text) from cause


class Postgres:
    """A database, and how to connect to it.

    Args:
        dsn_or_pool: A connection string (`postgresql://user@host/name`, or `host=… dbname=…`), or a pool of
            `psycopg_pool`, whose parameters are used. Connections are always new ones, and none of the pool's.
        timeout: Seconds that a connection waits for the response to a statement. The server gives up a little earlier.

    Raises:
        ImportError: `psycopg` is not installed.
        ValueError: The argument is neither a valid connection string nor a pool.
    """

    def __init__(self, dsn_or_pool: Any, *, timeout: float = TIMEOUT) -> None:
        _check_import()
        is_pool = hasattr(dsn_or_pool, "conninfo") and hasattr(dsn_or_pool, "kwargs")
        if not isinstance(dsn_or_pool, str) and not is_pool:
            raise ValueError(
                f"the database is given as {type(dsn_or_pool).__name__}; it must be a connection string, such as "
                "'postgresql://user@host/database', or a pool of psycopg_pool"
            )
        self._source = dsn_or_pool
        self._timeout = timeout
        self._server_timeout = (str(round(timeout * 800)),)  # In milliseconds.
        if not callable(getattr(dsn_or_pool, "conninfo", None)):
            self._parameters()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> str:
        """The host and the name of the database, for messages."""
        try:
            given = self._parameters()
        except Exception:  # noqa: BLE001 - a pool's function may raise anything
            return "a database"
        host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "the local socket"
        name = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "its default"
        return f"database {name!r} on {host}"

    def connect(self) -> "Connection[tuple[Any, ...]]":
        """Open a connection, with autocommit. Each operation on it ends within the timeout.

        Raises:
            PostgresError: The server cannot be reached, or refuses.
        """
        with self.errors():
            connection = _connector(self._timeout)(autocommit=True, **self._parameters())
            try:
                connection.execute(_SESSION, self._server_timeout)
            except BaseException:
                connection.close()
                raise
        return connection

    async def connect_async(self) -> "AsyncConnection[tuple[Any, ...]]":
        """Open a connection for the current event loop, with autocommit.

        Raises:
            PostgresError: The server cannot be reached, or refuses.
        """
        with self.errors():
            connection = await _async_connector()(autocommit=True, **self._parameters())
            try:
                await connection.execute(_SESSION, self._server_timeout)
            except BaseException:
                await connection.close()
                raise
        return connection

    @contextmanager
    def errors(self) -> Generator[None]:
        """Raise the errors of psycopg as `PostgresError`.

        Their tracebacks are cut off: frames of psycopg hold the password, and error trackers collect local variables.
        """
        import psycopg  # noqa: PLC0415 - an extra

        try:
            yield
        except psycopg.Error as error:
            cause = error.with_traceback(None)
        else:
            return
        what = cause.diag.message_primary or str(cause).partition("\n")[0] or type(cause).__name__
        cause.args = (what,)  # Its details quote the values of rows.
        code = cause.sqlstate or ""
        is_broken = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and not code
        is_lost = is_broken or code.startswith(("08", "57P", "25P03"))
        raise PostgresError(what.rstrip("."), sqlstate=code, is_lost=is_lost) from cause

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters of libpq, as they are now: a pool may compute them for each connection."""
        from psycopg import ProgrammingError  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - an extra

        conninfo: Any = getattr(self._source, "conninfo", self._source)
        kwargs: Any = getattr(self._source, "kwargs", None) or {}
        if iscoroutinefunction(conninfo) or iscoroutinefunction(kwargs):
            raise ValueError("the pool computes its parameters in a coroutine; give the connection string instead")
        conninfo, kwargs = (each() if callable(each) else each for each in (conninfo, kwargs))
        # The other arguments are psycopg's own, such as `row_factory`, and meant for the pool's connections.
        own = {"autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory"}
        given = {name: value for name, value in kwargs.items() if name not in own}
        if driver := re.match(r"postgres(?:ql)?(\+\w{1,20})://", conninfo or ""):
            raise ValueError(
                f"the connection string of PostgreSQL names a driver of SQLAlchemy, {driver[1]}, which only SQLAlchemy "
                "reads. Write postgresql://user:password@host:5432/database"
            )
        if "\0" in (conninfo or ""):  # libpq would read the string up to there.
            conninfo = "\n="
        with suppress(ProgrammingError, UnicodeError):  # They quote what they cannot read; that may be the password.
            found = conninfo_to_dict(conninfo or "", **given)
            if not _is_misread(found, is_url="://" in (conninfo or "")):
                return _DEFAULTS | found
        raise ValueError(
            "the connection string of PostgreSQL is not valid. Write postgresql://user:password@host:5432/database, "
            "with %40 for @ and so on"
        )


def _is_misread(parameters: Mapping[str, Any], *, is_url: bool) -> bool:
    """Return whether libpq took a part of the password for something else, because it has an `@` or `/` as it is.

    Messages show the host and the name of the database, and so do libpq's errors.
    """
    texts = {name: str(parameters.get(name) or "") for name in ("host", "hostaddr", "port", "dbname")}
    ports = [port.strip() for port in texts["port"].split(",")]
    hosts = [host.strip() for name in ("host", "hostaddr") for host in texts[name].split(",")]
    # In a `key=value` string, a host that begins with `@` is an abstract socket, and a database name may contain `@`.
    mark = "@" if is_url else "://"
    return (
        any("@" in (host if is_url else host[1:]) for host in hosts)
        or mark in texts["dbname"]
        or any(port and not (port.isascii() and port.isdigit()) for port in ports)
    )


def _check_import() -> None:
    """Check that `psycopg` can be imported.

    Raises:
        ImportError: It cannot. The text says what to install.
    """
    try:
        import_module("psycopg")
    except ImportError as error:
        raise ImportError(
            f"`psycopg` 3 cannot be imported ({error}). Install it: `pip install 'tingting-async[postgres]'`, or "
            "`pip install '.[postgres]'` in a clone of the repository."
        ) from None
    except OSError as error:
        raise ImportError(f"`psycopg` cannot be loaded: {error.strerror or error}.") from None


@cache
def _connector(timeout: float) -> "Callable[..., Connection[tuple[Any, ...]]]":
    """Return a function that opens a connection that does not wait forever."""
    from psycopg import Connection, OperationalError  # noqa: PLC0415 - an extra

    class LimitedConnection(Connection[tuple[Any, ...]]):
        """A connection whose operations have a time limit, because a network may swallow what is sent.

        It is closed when it is deleted. psycopg's own also warns then.
        """

        def __del__(self, *_: Any) -> None: ...

        def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
            """Run an operation of psycopg, which yields what it waits for."""
            deadline, descriptor = monotonic() + timeout, self.pgconn.socket
            try:
                events = next(gen)
                with selectors.DefaultSelector() as selector:
                    selector.register(descriptor, events)
                    while True:
                        ready = selector.select(max(0.0, deadline - monotonic()))
                        if not ready:
                            gen.close()
                            self.close()  # The response may come later, and nobody must take it for another one.
                            raise OperationalError(f"the server did not respond within {timeout:g} s")
                        wanted = gen.send(ready[0][1])
                        if wanted != events:
                            events = wanted
                            selector.modify(descriptor, events)
            except StopIteration as end:
                return end.value

    return LimitedConnection.connect


@cache
def _async_connector() -> "Callable[..., Coroutine[Any, Any, AsyncConnection[tuple[Any, ...]]]]":
    """Return a function that opens a connection that ends when an operation on it is cancelled."""
    from psycopg import AsyncConnection  # noqa: PLC0415 - an extra
    from psycopg.waiting import wait_async  # noqa: PLC0415 - an extra

    class EndedConnection(AsyncConnection[tuple[Any, ...]]):
        """A connection that ends when an operation on it is cancelled.

        psycopg itself asks the server to cancel the statement, and waits for it. With libpq before version 17 it holds
        the lock of the interpreter meanwhile: while a server is silent, the whole process would stand still.
        """

        async def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
            """Run an operation of psycopg, which yields what it waits for."""
            try:
                return await wait_async(gen, self.pgconn.socket, interval=0.1)
            except (asyncio.CancelledError, KeyboardInterrupt):
                self.pgconn.finish()
                raise

    return EndedConnection.connect
