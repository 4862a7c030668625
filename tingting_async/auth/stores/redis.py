"""Tokens in Redis, for the processes of several machines."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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

    Needs `redis` (the package's extra `redis`). The tokens are kept as readable JSON: use `rediss://`, and a
    password, where others could look at the server or listen on the way. Tokens carry the time from which on they are
    to be renewed, so the machines' clocks should agree to some seconds.

    The lock is a second key, `<key>:lock`, and a lease: the holder prolongs it for as long as it takes, and when
    it dies the lock is free `lease` seconds later at the latest. A holder whose lease ran out, because its event loop
    stood still for as long, goes on; then two may renew at the same time, and a warning is logged.

    Args:
        client: A `redis.asyncio.Redis` of your own, which is never closed, or a URL: `redis://`, `rediss://` or `unix://`.
        key: The key; another one for each account, and for each generation of the API.
        ttl: Seconds after which Redis forgets the tokens unless they were renewed; None for never.
        lease: Seconds for which the lock outlives its holder; Redis has as long for an answer, connecting included.

    Raises:
        UsageError: An argument does not make sense, or `redis` is not installed.
    """

    def __init__(self, client: "Redis | str", *, key: str, ttl: float | None = None, lease: float = 15.0) -> None:
        if not isinstance(key, str) or not key:
            raise UsageError("`key` has to be the name of a key in Redis: a text that is not empty.")
        for name, seconds in (("ttl", 1.0 if ttl is None else ttl), ("lease", lease)):
            if not isinstance(seconds, int | float) or not 0.1 <= seconds < math.inf:
                raise UsageError(f"`{name}` is {seconds!r}; it has to be a number of seconds from 0.1 up.")
        self._key = key
        self._ttl = ttl
        self._lease = lease
        self._is_own = isinstance(client, str)
        self._client: Redis = _connect(client) if isinstance(client, str) else client

    def __repr__(self) -> str:
        return f"<{type(self).__name__} key={self._key!r}>"  # Not the URL: it may hold a password.

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the client is your own. Sessions that use the store are to be closed before."""
        if self._is_own:
            await self._client.aclose()

    async def load(self) -> Tokens | None:
        """Return what was saved last, or None.

        Raises:
            TokenStoreError: Redis does not answer, or says no.
        """
        content = await self._ask("read", lambda: self._client.get(self._key))
        tokens = None if content is None else decode(content)
        if tokens is None and content is not None:
            _log.warning("The Redis key %r does not hold tokens that can be read: signing in again.", self._key)
        return tokens

    async def save(self, tokens: Tokens | None) -> None:
        """Keep the tokens; None forgets them. Whoever is cancelled meanwhile has saved them nevertheless.

        Raises:
            TokenStoreError: Redis does not answer, or says no.
        """
        if tokens is None:
            await self._ask("deleted", lambda: self._client.delete(self._key))
            return
        content, milliseconds = encode(tokens), None if self._ttl is None else int(self._ttl * 1000)
        await self._ask("written", lambda: self._client.set(self._key, content, px=milliseconds))

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return what is entered around load, renewal and save.

        Raises:
            TokenStoreError: Redis does not answer, or says no (on entering).
        """
        return self._locked()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        # One for each that enters: it holds the token by which its lock is known.
        lock = self._client.lock(f"{self._key}:lock", timeout=self._lease, thread_local=False)
        is_ours = False

        async def look() -> None:
            nonlocal is_ours
            is_ours = await lock.acquire(blocking=False)

        try:
            while True:
                await self._ask("locked", look)
                if is_ours:
                    break
                await anyio.sleep(LOCK_POLL_INTERVAL)
            prolonging = asyncio.create_task(self._prolong(lock))
            try:
                yield
            finally:
                prolonging.cancel()
                await run_to_completion(asyncio.wait([prolonging]))
        finally:
            if is_ours:  # Also where a cancellation came while Redis was granting it.
                await self._release(lock)

    async def _prolong(self, lock: "Lock") -> None:
        from redis.exceptions import LockNotOwnedError  # noqa: PLC0415 - for this store only

        while True:
            await anyio.sleep(self._lease / 3)
            try:
                await self._ask("prolonged", lock.reacquire)
            except TokenStoreError as error:
                if isinstance(error.__cause__, LockNotOwnedError):
                    return  # Told once, on releasing.
                _log.warning("%s", error)

    async def _release(self, lock: "Lock") -> None:
        from redis.exceptions import LockNotOwnedError  # noqa: PLC0415 - for this store only

        try:
            await self._ask("unlocked", lock.release)
        except TokenStoreError as error:
            # What was done under the lock is done: it does not fail for what the lease will end in any case.
            if isinstance(error.__cause__, LockNotOwnedError):
                _log.warning("The lease on the Redis key %r ran out: another process may have renewed, too.", self._key)
            else:
                _log.warning("%s", error)

    async def _ask(self, done: str, command: Callable[[], Awaitable[T]]) -> T:
        """Carry out a command to its end, even when cancelled."""
        from redis.exceptions import ConnectionError as NoConnectionError  # noqa: PLC0415 - for this store only
        from redis.exceptions import LockError, RedisError  # noqa: PLC0415
        from redis.exceptions import TimeoutError as TooLateError  # noqa: PLC0415

        async def work() -> T:
            async with asyncio.timeout(self._lease):
                return await command()

        text = f"The token store at the Redis key {self._key!r} could not be {done}"
        try:
            return await run_to_completion(work())
        except (NoConnectionError, TooLateError, LockError, OSError) as error:
            told = str(error).rstrip(".") or f"no answer within {self._lease:g} s"
            raise TokenStoreError(f"{text}: {type(error).__name__}: {told}. Is the server up and reachable?") from error
        except RedisError as error:
            refused = f"{text}: the server refused with {type(error).__name__}. Its log, or `redis-cli`, says why."
        # Raised out here: a server quotes the command that it does not know, and no traceback is to show the tokens.
        raise TokenStoreError(refused)


def _connect(url: str) -> "Redis":
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra, and dear to import
    except ImportError:
        raise UsageError("RedisTokenStore needs `redis`: `pip install redis`, or our extra `redis`.") from None
    try:
        client: Redis | None = cast("Any", Redis).from_url(url)
    except ValueError:
        client = None
    if client is None:  # Outside of the handler: its error may quote the password.
        raise UsageError("The URL of Redis is none. Write redis://user:password@host:6379/0, with %40 for @ and so on.")
    return client
