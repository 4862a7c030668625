"""Tokens, credentials, and where tokens are kept."""

import math
import time
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import anyio
import attrs

from tingting_async.errors import UsageError
from tingting_async.redaction import hide_repr

LEEWAY = 30.0
"""An access token is renewed this many seconds before it ends, or a tenth of its life before, whichever is less."""


@attrs.frozen
class Tokens:
    """The tokens of a login. Their `repr` shows neither.

    Attributes:
        access: The access token, or a fixed API token.
        refresh: The refresh token; None if there is none.
        refresh_at: When the access token must be refreshed, in Unix seconds by this machine's clock; None if the token
            does not say when it expires.
    """

    access: str = attrs.field(repr=hide_repr)
    refresh: str | None = attrs.field(default=None, repr=hide_repr)
    refresh_at: float | None = None

    @classmethod
    def of(cls, access: str, refresh: str | None, *, now: float | None = None) -> "Tokens":
        """Read when to renew from the access token, if it is a JWT that says so."""
        # Imported for the first token: with what it imports itself it costs a twentieth of aiohttp.
        import jwt  # noqa: PLC0415

        now = time.time() if now is None else now
        try:
            # Only read, not trusted: the signature is for the service to verify.
            unverified = {"verify_signature": False, "verify_exp": False, "verify_iat": False}
            claims: dict[str, Any] = cast("Any", jwt).decode(access, options=unverified)
            expires, issued = float(claims["exp"]), float(claims.get("iat", now))
        except (jwt.PyJWTError, LookupError, TypeError, ValueError, OverflowError):
            return cls(access, refresh)
        # Its lifetime is counted from its arrival: a clock here that is wrong by an hour must not renew for ever.
        lifetime = expires - issued
        if not 0 < lifetime < math.inf:  # As with no `iat` and a clock here that is ahead: let the service say.
            return cls(access, refresh)
        return cls(access, refresh, refresh_at=now + lifetime - min(LEEWAY, lifetime / 10))

    def needs_refresh(self) -> bool:
        """Tell whether the access token is about to end, or has."""
        return self.refresh_at is not None and time.time() >= self.refresh_at


@attrs.frozen
class Credentials:
    """An e-mail address and a password."""

    email: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)

    @classmethod
    def of(cls, email: str | None, password: str | None) -> "Credentials | None":
        """Return both, or None for neither.

        Raises:
            UsageError: One of them is missing.
        """
        if email is None and password is None:
            return None
        if email is None or password is None:
            raise UsageError("`email` and `password` go together.")
        if not isinstance(email, str) or not isinstance(password, str):
            raise UsageError("`email` and `password` have to be texts.")
        return cls(email, password)


class TokenStore(Protocol):
    """Where tokens are kept between requests, and perhaps between processes.

    The session loads before it renews, and saves what it got, all under `lock()`: so two processes that share a store
    do not renew over each other.
    """

    async def load(self) -> Tokens | None:
        """Return what was saved last, or None."""
        ...

    async def save(self, tokens: Tokens | None) -> None:
        """Keep the tokens; None forgets them."""
        ...

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return what is entered around load, renewal and save."""
        ...


class MemoryTokenStore:
    """Keeps tokens for as long as the object lives; may be shared by several sessions of one event loop."""

    def __init__(self) -> None:
        self._tokens: Tokens | None = None
        self._lock = anyio.Lock()

    async def load(self) -> Tokens | None:
        """Return what was saved last, or None."""
        return self._tokens

    async def save(self, tokens: Tokens | None) -> None:
        """Keep the tokens; None forgets them."""
        self._tokens = tokens

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return the lock around load, renewal and save."""
        return self._lock
