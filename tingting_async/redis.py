"""Redis, for all parts that keep something there: a client for each event loop, and commands that are repeated.

Nothing in here knows the library: functions raise `ValueError`, `ImportError` and `RedisFailedError`, and their callers
convert them.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

RETRY_PAUSES = (0.0, 0.1, 0.5, 1.0)
"""Seconds before each further attempt of a command whose connection failed.

A server closes idle connections and restarts, and the first command afterwards fails. Every command here may be
repeated.
"""

_SHARE = 1 / 3
"""The part of a command's time that an attempt may take.

If a firewall has forgotten an idle connection, nothing responds on it, and it does not fail either.
"""


class RedisFailedError(Exception):
    """A command failed. The text says why, and what to do; the cause may be the error of the connection."""


class RedisBacked:
    """Base of objects that keep something in Redis: with a client for each event loop, or a user's own client.

    Args:
        client: The user's own `redis.asyncio.Redis`, which is never closed, or a URL.
        timeout: The seconds that a command may take, with its repetitions.

    Raises:
        ImportError: `redis` is not installed.
        ValueError: `client` is neither a client nor a valid URL.
    """

    def __init__(self, client: "Redis | str", *, timeout: float) -> None:
        is_client = inspect.iscoroutinefunction(getattr(client, "execute_command", None))
        if not isinstance(client, str) and (isinstance(client, type) or not is_client):
            raise ValueError(
                "`client` must be a URL such as redis://localhost:6379/0, or a client of `redis.asyncio`, not "
                f"{'the class ' * isinstance(client, type)}{getattr(client, '__name__', type(client).__qualname__)}."
            )
        self._user_client: Redis | None = None if isinstance(client, str) else client
        # Connecting takes place with the first command. A connection serves one event loop.
        self._connect: Callable[[], Redis] = _connector(client) if isinstance(client, str) else lambda: client
        self._clients: dict[asyncio.AbstractEventLoop, Redis] = {}
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless the client is your own. Close the sessions first."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            with suppress(OSError):  # A connection that is broken is closed.
                await client.aclose()

    async def _execute(self, command: Callable[["Redis"], Awaitable[T]]) -> T:
        """Run a command, and repeat it if its connection fails.

        Raises:
            RedisFailedError: Redis does not respond, or refuses.
        """
        from redis import exceptions  # noqa: PLC0415 - an extra, and slow to import

        try:
            async with asyncio.timeout(self._timeout):
                return await self._repeat(command)
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            reason = str(error).rstrip(".") or f"no response within {self._timeout:g} s"
            # Frames of the client hold what is stored, and error trackers collect local variables.
            error.with_traceback(None).__cause__ = error.__context__ = None
            raise RedisFailedError(f"{type(error).__name__}: {reason}. Is the server up and reachable?") from error
        except exceptions.RedisError as error:
            refused = f"the server refused with {type(error).__name__}. Look in its log, or try `redis-cli`."
            if _is_read_only(error):
                refused = "the server is a read-only replica. Connect to the primary."
        except Exception as error:  # noqa: BLE001 - whatever a client raises, such as a RuntimeError in another event loop
            refused = f"the client failed with {type(error).__name__}. It belongs to one event loop: "
            refused += "give the store a URL instead to use it in several."
        # Raised outside the handler: a server quotes an unknown command, and no traceback may show what is stored.
        raise RedisFailedError(refused)

    async def _repeat(self, command: Callable[["Redis"], Awaitable[T]]) -> T:
        from redis import exceptions  # noqa: PLC0415 - an extra, and slow to import

        client = self._client()
        for pause in RETRY_PAUSES:
            try:
                async with asyncio.timeout(self._timeout * _SHARE):
                    return await command(client)
            except TimeoutError:  # The client has closed this connection. The others are probably silent, too.
                with suppress(TimeoutError, OSError):
                    async with asyncio.timeout(self._timeout * _SHARE):
                        await client.connection_pool.disconnect(inuse_connections=False)
            except (exceptions.AuthenticationError, exceptions.AuthorizationError):
                raise
            except (exceptions.ConnectionError, ConnectionError):
                await asyncio.sleep(pause)
            except exceptions.ResponseError as error:
                if not _is_read_only(error):
                    raise
                await client.connection_pool.disconnect(inuse_connections=False)
                await asyncio.sleep(pause)
        return await command(client)

    def _client(self) -> "Redis":
        """Return the client for this event loop. A forked process has an event loop of its own, too."""
        if self._user_client is not None:
            return self._user_client
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            for ended in [each for each in self._clients if each.is_closed()]:
                del self._clients[ended]
            client = self._clients[loop] = self._connect()
        return client


def _is_read_only(error: Exception) -> bool:
    return "READONLY" in str(error) or "read only replica" in str(error)  # redis-py removes the first word.


def _connector(url: str) -> "Callable[[], Redis]":
    """Return a function that makes a client for a URL.

    Raises:
        ImportError: `redis` is not installed. The text says what to install.
        ValueError: The URL is not valid.
    """
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ImportError(
            f"`redis` cannot be imported ({error}). Install it: `pip install 'tingting-async[redis]'`, or "
            "`pip install '.[redis]'` in a clone of the repository."
        ) from None
    except OSError as error:
        raise ImportError(f"`redis` cannot be loaded: {error.strerror or error}.") from None

    def connect() -> Redis:
        client: Redis = cast("Any", Redis).from_url(url)
        return client

    with suppress(ValueError):  # It may quote the password, and must not become the context of another error.
        connect()
        return connect
    raise ValueError(
        "The URL of Redis is not valid. Write redis://user:password@host:6379/0, with %40 for @ and so on."
    )
