"""Tokens in Redis, for the processes of several machines."""

import asyncio
import logging
import math
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import anyio

from tingting_async.auth.stores.codec import decode, encode
from tingting_async.auth.tokens import LOCK_POLL_INTERVAL, Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import run_to_completion
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_PAUSES = (0.0, 0.1, 0.5)
"""Seconds before each further attempt of a command whose connection failed.

A server closes idle connections and restarts, and the first command afterwards fails. Every command here may be
repeated.
"""

# Acquiring succeeds again for the same holder, because the response to the first attempt may have been lost.
_ACQUIRE = """
if redis.call("set", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return 1 end
return redis.call("get", KEYS[1]) == ARGV[1] and 1 or 0
"""
_EXTEND = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("pexpire", KEYS[1], ARGV[2]) or 0'
_RELEASE = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("del", KEYS[1]) or 0'


class RedisTokenStore:
    """Keeps the tokens of one account under a key in Redis, which processes on several machines may share.

    ::

        async with RedisTokenStore("redis://localhost:6379/0", key="tingting:main") as store:
            async with TingTing(email="…", password="…", token_store=store) as tingting: ...

    This needs `redis` (the extra `redis`). The tokens are stored as plain JSON: use `rediss://` and a password if
    others can reach the server or the network. The tokens include the time at which they must be refreshed, so the
    machines' clocks should agree within a few seconds.

    The lock is a second key, `<key>:lock`, with a lease. The holder extends the lease as long as it needs. If the
    holder dies, the lock is free at most `lease` seconds later. If the holder's event loop is blocked for longer than
    the lease, the holder still continues, so that two processes may refresh at the same time. A warning is logged then.

    A command whose connection fails is repeated a few times, as servers close idle connections and restart. A server
    that has become a read-only replica is connected to anew, because its name may now lead to the new primary.

    With a URL, the store may be used in several event loops, threads and forked processes. A client of your own belongs
    to one event loop.

    Args:
        client: A `redis.asyncio.Redis` of your own, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        key: The key. Use a different key for each account and each generation of the API.
        ttl: Seconds after which Redis deletes the tokens unless they were refreshed; None for never.
        lease: Seconds for which the lock outlives its holder. It is also the timeout of each Redis command.

    Raises:
        UsageError: An argument is not valid, or `redis` is not installed.
    """

    @short_traceback
    def __init__(self, client: "Redis | str", *, key: str, ttl: float | None = None, lease: float = 15.0) -> None:
        if not isinstance(key, str) or not key:
            raise UsageError("`key` must be the name of a key in Redis: a string that is not empty.")
        for name, seconds in (("ttl", 1.0 if ttl is None else ttl), ("lease", lease)):
            if not isinstance(seconds, int | float) or not 0.1 <= seconds < math.inf:
                raise UsageError(f"`{name}` is {seconds!r}; it must be a number of seconds, at least 0.1.")
        self._key = key
        self._ttl = ttl
        self._lease = lease
        self._user_client: Redis | None = None if isinstance(client, str) else client
        # Connecting takes place with the first command. A connection serves one event loop.
        self._connect: Callable[[], Redis] = _connector(client) if isinstance(client, str) else lambda: client
        self._clients: dict[asyncio.AbstractEventLoop, Redis] = {}
        self._unreleased: list[str] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} key={self._key!r}>"  # Without the URL, which may contain a password.

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

    @short_traceback
    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        content = await self._run("read", lambda client: client.get(self._key))
        return decode(content, f"The Redis key {self._key!r}")

    @short_traceback
    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them. The save completes even if the caller is cancelled.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        if tokens is None:
            await self._run("deleted", lambda client: client.delete(self._key))
            return
        milliseconds = None if self._ttl is None else int(self._ttl * 1000)
        await self._run("written", lambda client: client.set(self._key, encode(tokens), px=milliseconds))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the lock while tokens are loaded, refreshed and saved.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        # A lock that this store could not release can be acquired at once by the same holder.
        holder = self._unreleased.pop() if self._unreleased else uuid.uuid4().hex
        is_ours = False

        async def try_acquire(client: "Redis") -> None:
            nonlocal is_ours
            is_ours = bool(await self._eval(client, _ACQUIRE, holder))

        try:
            while True:
                try:
                    await self._run("locked", try_acquire)
                except TokenStoreError:
                    self._unreleased.append(holder)  # The lock may have been granted nevertheless.
                    raise
                if is_ours:
                    break
                await anyio.sleep(LOCK_POLL_INTERVAL)
            extending = asyncio.create_task(self._extend(holder))
            try:
                yield
            finally:
                extending.cancel()
                await run_to_completion(asyncio.wait([extending]))
        finally:
            if is_ours:  # Also if the caller was cancelled while Redis granted the lock.
                await self._release(holder)

    async def _extend(self, holder: str) -> None:
        is_ours = True
        while is_ours:  # If it is not, `_release` logs it.
            await anyio.sleep(self._lease / 3)
            try:
                is_ours = bool(await self._run("extended", lambda client: self._eval(client, _EXTEND, holder)))
            except TokenStoreError as error:
                _log.warning("%s", error)

    async def _release(self, holder: str) -> None:
        attempts = 0

        async def release(client: "Redis") -> bool:
            nonlocal attempts
            attempts += 1
            # A further attempt finds nothing if only the response to the first one was lost.
            return bool(await self._eval(client, _RELEASE, holder)) or attempts > 1

        try:
            if not await self._run("unlocked", release):
                _log.warning(
                    "The lease on the Redis key %r expired: another process may have refreshed the tokens, too.",
                    self._key,
                )
        except TokenStoreError as error:
            # The work under the lock is done. It does not fail because of a lock that the lease will end anyway.
            self._unreleased.append(holder)
            _log.warning("%s", error)

    async def _eval(self, client: "Redis", script: str, holder: str) -> Any:
        arguments = (f"{self._key}:lock", holder, int(self._lease * 1000))
        return await cast("Any", client).eval(script, 1, *arguments)

    async def _run(self, action: str, command: Callable[["Redis"], Awaitable[T]]) -> T:
        """Run a command to its end, even if the caller is cancelled."""
        from redis import exceptions  # noqa: PLC0415 - only this store needs it

        async def work() -> T:
            async with asyncio.timeout(self._lease):
                client = self._client()
                for pause in RETRY_PAUSES:
                    try:
                        return await command(client)
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

        text = f"The token store at the Redis key {self._key!r} could not be {action}"
        try:
            return await run_to_completion(work())
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            reason = str(error).rstrip(".") or f"no response within {self._lease:g} s"
            # Frames of the client hold the tokens, and error trackers collect local variables.
            error.with_traceback(None).__cause__ = error.__context__ = None
            raise TokenStoreError(
                f"{text}: {type(error).__name__}: {reason}. Is the server up and reachable?"
            ) from error
        except exceptions.RedisError as error:
            refused = f"{text}: the server refused with {type(error).__name__}. Look in its log, or try `redis-cli`."
            if _is_read_only(error):
                refused = f"{text}: the server is a read-only replica. Connect to the primary."
        except Exception as error:  # noqa: BLE001 - whatever a client raises, such as a RuntimeError in another event loop
            refused = f"{text}: the client failed with {type(error).__name__}. It belongs to one event loop: "
            refused += "give the store a URL instead to use it in several."
        # Raised outside the handler: a server quotes an unknown command, and no traceback may show the tokens.
        raise TokenStoreError(refused)

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
    """Return what makes a client for a URL."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise UsageError("RedisTokenStore needs `redis`. Install it, or this package with the extra `redis`.") from None

    def connect() -> Redis:
        client: Redis = cast("Any", Redis).from_url(url)
        return client

    with suppress(ValueError):  # It may quote the password, and must not become the context of another error.
        connect()
        return connect
    raise UsageError(
        "The URL of Redis is not valid. Write redis://user:password@host:6379/0, with %40 for @ and so on."
    )
