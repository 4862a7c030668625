"""Tokens in Redis, for the processes of several machines."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import anyio

from tingting_async.auth.stores.codec import LOCK_POLL_INTERVAL, decode, encode
from tingting_async.auth.tokens import Tokens
from tingting_async.errors import TokenStoreError, UsageError
from tingting_async.persistence import run_to_completion

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.lock import Lock

_log = logging.getLogger(__name__)
T = TypeVar("T")


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

    Args:
        client: A `redis.asyncio.Redis` of your own, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        key: The key. Use a different key for each account and each generation of the API.
        ttl: Seconds after which Redis deletes the tokens unless they were refreshed; None for never.
        lease: Seconds for which the lock outlives its holder. It is also the timeout of each Redis command.

    Raises:
        UsageError: An argument is not valid, or `redis` is not installed.
    """

    def __init__(self, client: "Redis | str", *, key: str, ttl: float | None = None, lease: float = 15.0) -> None:
        if not isinstance(key, str) or not key:
            raise UsageError("`key` must be the name of a key in Redis: a string that is not empty.")
        for name, seconds in (("ttl", 1.0 if ttl is None else ttl), ("lease", lease)):
            if not isinstance(seconds, int | float) or not 0.1 <= seconds < math.inf:
                raise UsageError(f"`{name}` is {seconds!r}; it must be a number of seconds, at least 0.1.")
        self._key = key
        self._ttl = ttl
        self._lease = lease
        self._is_own = isinstance(client, str)
        self._client: Redis = _connect(client) if isinstance(client, str) else client

    def __repr__(self) -> str:
        return f"<{type(self).__name__} key={self._key!r}>"  # Without the URL, which may contain a password.

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the client is your own. Close the sessions that use the store first."""
        if self._is_own:
            await self._client.aclose()

    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        content = await self._run("read", lambda: self._client.get(self._key))
        return decode(content, f"The Redis key {self._key!r}")

    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them. The save completes even if the caller is cancelled.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        if tokens is None:
            await self._run("deleted", lambda: self._client.delete(self._key))
            return
        content, milliseconds = encode(tokens), None if self._ttl is None else int(self._ttl * 1000)
        await self._run("written", lambda: self._client.set(self._key, content, px=milliseconds))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the lock while tokens are loaded, refreshed and saved.

        Raises:
            TokenStoreError: Redis does not respond, or refuses.
        """
        # A new object each time: it has the random token that identifies its holder.
        lock = self._client.lock(f"{self._key}:lock", timeout=self._lease, thread_local=False)
        is_ours = False

        async def try_acquire() -> None:
            nonlocal is_ours
            is_ours = await lock.acquire(blocking=False)

        try:
            while True:
                await self._run("locked", try_acquire)
                if is_ours:
                    break
                await anyio.sleep(LOCK_POLL_INTERVAL)
            extending = asyncio.create_task(self._extend(lock))
            try:
                yield
            finally:
                extending.cancel()
                await run_to_completion(asyncio.wait([extending]))
        finally:
            if is_ours:  # Also if the caller was cancelled while Redis granted the lock.
                await self._release(lock)

    async def _extend(self, lock: "Lock") -> None:
        from redis.exceptions import LockNotOwnedError  # noqa: PLC0415 - only this store needs it

        while True:
            await anyio.sleep(self._lease / 3)
            try:
                await self._run("extended", lock.reacquire)
            except TokenStoreError as error:
                if isinstance(error.__cause__, LockNotOwnedError):
                    return  # `_release` logs it.
                _log.warning("%s", error)

    async def _release(self, lock: "Lock") -> None:
        from redis.exceptions import LockNotOwnedError  # noqa: PLC0415 - only this store needs it

        try:
            await self._run("unlocked", lock.release)
        except TokenStoreError as error:
            # The work under the lock is done. It does not fail because of a lock that the lease will end anyway.
            if isinstance(error.__cause__, LockNotOwnedError):
                _log.warning(
                    "The lease on the Redis key %r expired: another process may have refreshed the tokens, too.",
                    self._key,
                )
            else:
                _log.warning("%s", error)

    async def _run(self, action: str, command: Callable[[], Awaitable[T]]) -> T:
        """Run a command to its end, even if the caller is cancelled."""
        from redis import exceptions  # noqa: PLC0415 - only this store needs it

        async def work() -> T:
            async with asyncio.timeout(self._lease):
                return await command()

        text = f"The token store at the Redis key {self._key!r} could not be {action}"
        try:
            return await run_to_completion(work())
        except (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.LockError, OSError) as error:
            reason = str(error).rstrip(".") or f"no response within {self._lease:g} s"
            raise TokenStoreError(
                f"{text}: {type(error).__name__}: {reason}. Is the server up and reachable?"
            ) from error
        except exceptions.RedisError as error:
            refused = f"{text}: the server refused with {type(error).__name__}. Look in its log, or try `redis-cli`."
        # Raised outside the handler: a server quotes an unknown command, and no traceback may show the tokens.
        raise TokenStoreError(refused)


def _connect(url: str) -> "Redis":
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise UsageError("RedisTokenStore needs `redis`. Install it, or this package with the extra `redis`.") from None
    with suppress(ValueError):  # It may quote the password, and must not become the context of another error.
        client: Redis = cast("Any", Redis).from_url(url)
        return client
    raise UsageError(
        "The URL of Redis is not valid. Write redis://user:password@host:6379/0, with %40 for @ and so on."
    )
