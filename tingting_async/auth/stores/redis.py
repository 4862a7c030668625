"""Tokens in Redis, for the processes of several machines."""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio

from tingting_async.auth.stores.codec import decode, encode
from tingting_async.auth.tokens import LOCK_POLL_INTERVAL, Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import run_to_completion
from tingting_async.quantities import NAME, is_name, is_seconds, shown
from tingting_async.redis import RedisBacked, RedisFailedError
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)
T = TypeVar("T")

# Acquiring succeeds again for the same holder, because the response to the first attempt may have been lost.
_ACQUIRE = """
if redis.call("set", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return 1 end
return redis.call("get", KEYS[1]) == ARGV[1] and 1 or 0
"""
_EXTEND = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("pexpire", KEYS[1], ARGV[2]) or 0'
_RELEASE = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("del", KEYS[1]) or 0'


class RedisTokenStore(RedisBacked):
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

    A command whose connection fails is repeated a few times, because servers close idle connections and restart. A
    server that has become a read-only replica is connected to again, because its name may now lead to the new primary.

    With a URL, the store may be used in several event loops, threads and forked processes. Your own client belongs to
    one event loop.

    Args:
        client: Your own `redis.asyncio.Redis`, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        key: The key. Use a different key for each account and each generation of the API.
        ttl: Seconds after which Redis deletes the tokens unless they were refreshed; None for never.
        lease: Seconds for which the lock outlives its holder. It is also the timeout of each Redis command.

    Raises:
        UsageError: An argument is not valid, or `redis` is not installed.
    """

    @short_traceback
    def __init__(self, client: "Redis | str", *, key: str, ttl: float | None = None, lease: float = 15.0) -> None:
        if not is_name(key):
            raise UsageError(f"`key` must be the name of a key in Redis: {NAME}.")
        for name, seconds in (("ttl", 1.0 if ttl is None else ttl), ("lease", lease)):
            if not is_seconds(seconds) or seconds < 0.1:
                raise UsageError(f"`{name}` is {shown(seconds)}; it must be a number of seconds from 0.1 to 1e9.")
        self._key = key
        self._ttl = ttl
        self._lease = lease
        try:
            super().__init__(client, timeout=lease)
        except ImportError as error:
            raise UsageError(f"{type(self).__name__}: {error}") from None
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._unreleased: list[str] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} key={self._key!r}>"  # Without the URL, which may contain a password.

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
                    self._unreleased.append(holder)  # The lock may still have been granted.
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
        try:
            return await run_to_completion(self._execute(command))
        except RedisFailedError as error:
            text, cause = str(error), error.__cause__
        # Raised outside the handler, so that the traceback has no frames that hold tokens.
        raise TokenStoreError(
            f"The token store at the Redis key {self._key!r} could not be {action}: {text}"
        ) from cause
