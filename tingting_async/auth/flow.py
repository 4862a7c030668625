"""Who is asking: credentials, tokens, where tokens are kept, and the flow that renews them.

No URL of the service is in here: a generation of the API supplies its sign-in as a `Dialect`. No I/O either: the flow
is a generator that yields requests and receives responses, so it is tested without a socket.
"""

from collections.abc import Generator, Mapping
from typing import Any, Protocol

from tingting_async.auth.tokens import Credentials, MemoryTokenStore, Tokens, TokenStore
from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    DecodeError,
    NotSentError,
    RateLimitedError,
    ServerError,
    TransportError,
    UsageError,
)
from tingting_async.http.messages import Request, Response


class AuthScheme(Protocol):
    """How a generation of the API signs in."""

    def login(self, credentials: Credentials) -> Request[Any]:
        """Return the request that signs in."""
        ...

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Read the tokens from its answer."""
        ...

    def refresh(self, token: str) -> Request[Any]:
        """Return the request that renews the access token by the refresh token."""
        ...

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Read the tokens from its answer; `token` is the refresh token that was used."""
        ...

    def is_permanent(self, error: AuthenticationError) -> bool:
        """Tell whether a 401 is about the account and not the token, so that renewing would not help."""
        ...


AuthFlow = Generator[Request[Any], Response, Tokens]


class Auth:
    """The auth state of a session: what to send with a request, and how to renew it."""

    def __init__(
        self,
        dialect: AuthScheme,
        *,
        credentials: Credentials | None = None,
        api_token: str | None = None,
        store: TokenStore | None = None,
    ) -> None:
        if api_token is not None and (credentials is not None or store is not None):
            raise UsageError("Give either `api_token`, or `email` and `password` (with or without `token_store`).")
        if api_token is not None and not isinstance(api_token, str):
            raise UsageError(f"`api_token` has to be a text, not {type(api_token).__name__}.")
        if api_token is not None and not (api_token.isascii() and api_token.isprintable() and api_token.strip()):
            raise UsageError("`api_token` is empty, or holds characters that no token has.")
        self.dialect = dialect
        self.credentials = credentials
        self.store: TokenStore = store or MemoryTokenStore()
        self.tokens = Tokens(api_token) if api_token is not None else None
        self.is_fixed = api_token is not None

    @property
    def access(self) -> str | None:
        """The access token in use, or None."""
        return None if self.tokens is None else self.tokens.access

    def needs_refresh(self) -> bool:
        """Tell whether tokens have to be got before the next request."""
        return self.tokens is None or self.tokens.needs_refresh()

    def headers(self, others: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a request, with what identifies the account."""
        assert self.tokens is not None
        return {**others, "Authorization": f"Bearer {self.tokens.access}"}

    def secrets(self) -> tuple[str, ...]:
        """Return what no text may show, whatever the service quotes."""
        assert self.tokens is not None
        password = "" if self.credentials is None else self.credentials.password
        return tuple(filter(None, (password, self.tokens.access, self.tokens.refresh)))

    def can_renew(self, error: AuthenticationError) -> bool:
        """Tell whether a refused request is worth a renewal and a second try."""
        return not self.is_fixed and not self.dialect.is_permanent(error)

    def auth_flow(self, tokens: Tokens | None) -> AuthFlow:
        """Get new tokens: by the refresh token of `tokens`, else by the credentials.

        Yields requests; receives their responses, or has their errors thrown in.

        Raises:
            AuthenticationError: Neither the one nor the other is there, or was accepted.
        """
        refused: Exception | None = None
        if tokens is not None and tokens.refresh is not None:
            request = self.dialect.refresh(tokens.refresh)
            try:
                return self.dialect.read_refresh(request, (yield request), tokens.refresh)
            except (ApiError, TransportError, DecodeError) as error:
                if isinstance(error, AuthenticationError) and self.dialect.is_permanent(error):
                    raise
                # Nothing was said against the refresh token: later it may well be accepted.
                if self.credentials is None and isinstance(error, NotSentError | RateLimitedError | ServerError):
                    raise
                refused = error
        if self.credentials is None:
            raise AuthenticationError(
                "No way to sign in: "
                + ("the session was not refreshed, and " if refused else "")
                + "there is no e-mail address with a password. Give `email` and `password`, or `api_token`.",
                status=getattr(refused, "status", 0),
            ) from refused
        request = self.dialect.login(self.credentials)
        try:
            return self.dialect.read_login(request, (yield request))
        except ApiError as error:
            # A wrong password is 401 by one document and 400 with a field error by another: it is one thing to us.
            is_refusal = error.status in (400, 401, 403, 404, 422) or 200 <= error.status < 300
            if is_refusal and not isinstance(error, AuthenticationError):
                raise AuthenticationError(str(error), **vars(error)) from None
            raise
