"""Tokens, credentials, and the stores that keep tokens."""

import asyncio
import hashlib
import math
import os
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

import attrs

from tingting_async.errors import UsageError
from tingting_async.redaction import hide_repr

LEEWAY = 30.0
"""An access token is refreshed this many seconds before it expires, or a tenth of its lifetime, whichever is less."""

LOCK_POLL_INTERVAL = 0.05
"""Seconds between two attempts to acquire the lock of a store."""


def prepare() -> None:
    """Import what reading tokens needs, before a request is sent whose response must not be lost."""
    # Imported for the first token: with its own imports it takes a twentieth of the time of importing aiohttp.
    import jwt  # noqa: F401, PLC0415 # pyright: ignore[reportUnusedImport]


@attrs.frozen
class Tokens:
    """The tokens of a login. Their `repr` shows neither.

    Attributes:
        access: The access token, or a fixed API token.
        refresh: The refresh token; None if there is none.
        refresh_at: When the access token must be refreshed, in Unix seconds by this machine's clock; None if the token
            does not say when it expires.
        account: Whose tokens they are: a digest of the e-mail address; None if the session that saved them had none. A
            store may leave it out. It does not count when tokens are compared.
    """

    access: str = attrs.field(repr=hide_repr)
    refresh: str | None = attrs.field(default=None, repr=hide_repr)
    refresh_at: float | None = None
    account: str | None = attrs.field(default=None, repr=False, eq=False)

    @classmethod
    def of(cls, access: str, refresh: str | None, *, now: float | None = None) -> "Tokens":
        """Return the tokens, with `refresh_at` from the access token if it is a JWT with an expiry time."""
        import jwt  # noqa: PLC0415 - see `prepare`

        now = time.time() if now is None else now
        try:
            # Only read, not trusted: the service verifies the signature.
            unverified = {"verify_signature": False, "verify_exp": False, "verify_iat": False}
            claims: dict[str, Any] = cast("Any", jwt).decode(access, options=unverified)
            expires, issued = float(claims["exp"]), float(claims.get("iat", now))
        except (jwt.PyJWTError, LookupError, TypeError, ValueError, OverflowError):
            return cls(access, refresh)
        # The lifetime counts from now, not from `iat`: with a wrong clock here, every token would look expired.
        lifetime = expires - issued
        if not 0 < lifetime < math.inf:  # E.g. there is no `iat`, and the clock here is ahead: the service decides.
            return cls(access, refresh)
        return cls(access, refresh, refresh_at=now + lifetime - min(LEEWAY, lifetime / 10))

    def needs_refresh(self) -> bool:
        """Return whether the access token has expired or is about to."""
        return self.refresh_at is not None and time.time() >= self.refresh_at


@attrs.frozen
class Credentials:
    """An e-mail address and a password."""

    email: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)

    @classmethod
    def of(cls, email: str | None, password: str | None) -> "Credentials | None":
        """Return the credentials, or None if neither is given.

        Raises:
            UsageError: Only one of them is given, or one is not a string.
        """
        if email is None and password is None:
            return None
        if email is None or password is None:
            raise UsageError("`email` and `password` must be given together.")
        if not isinstance(email, str) or not isinstance(password, str):
            raise UsageError("`email` and `password` must be strings.")
        return cls(email, password)

    @property
    def account(self) -> str:
        """The account that tokens are saved for."""
        return hashlib.sha256(f"tingting {self.email.strip().casefold()}".encode(errors="replace")).hexdigest()[:32]


class TokenStore(Protocol):
    """Keeps tokens between requests, and perhaps between processes.

    A session holds `lock()` while it loads the tokens, refreshes them and saves the new ones. So two processes that
    share a store do not refresh the same tokens at the same time.
    """

    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None."""
        ...

    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them."""
        ...

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return the lock to hold while tokens are loaded, refreshed and saved."""
        ...


class MemoryTokenStore:
    """Keeps tokens in memory. The sessions of a process may share it, in several event loops and threads, too."""

    def __init__(self) -> None:
        self._tokens: Tokens | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()

    async def load(self) -> Tokens | None:
        """Return the tokens that were saved last, or None."""
        return self._tokens

    async def save(self, tokens: Tokens | None) -> None:
        """Save the tokens; None deletes them."""
        self._tokens = tokens

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return the lock to hold while tokens are loaded, refreshed and saved."""
        return self._hold()

    @asynccontextmanager
    async def _hold(self) -> AsyncGenerator[None]:
        if self._pid != os.getpid():  # A lock that was held during a fork is never released in the child.
            self._lock, self._pid = threading.Lock(), os.getpid()
        lock = self._lock
        while not lock.acquire(blocking=False):  # noqa: ASYNC110 - an event belongs to one event loop
            await asyncio.sleep(LOCK_POLL_INTERVAL)
        try:
            yield
        finally:
            lock.release()
