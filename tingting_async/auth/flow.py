"""The auth state of a session, and the flow that gets new tokens.

This module knows no URL: each generation of the API has its own `AuthScheme`. It does no I/O: the flow is a generator
that yields requests and receives responses, so that it can be tested without a socket.
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
    """The requests with which a generation of the API signs in."""

    def login(self, credentials: Credentials) -> Request[Any]:
        """Return the request that signs in with the credentials."""
        ...

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Return the tokens of its response."""
        ...

    def refresh(self, token: str) -> Request[Any]:
        """Return the request for a new access token, by the refresh token."""
        ...

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Return the tokens of its response; `token` is the refresh token that was used."""
        ...

    def is_permanent(self, error: AuthenticationError) -> bool:
        """Return whether a 401 is about the account and not the token, so that new tokens would not help."""
        return "not activated" in error.message.lower()


AuthFlow = Generator[Request[Any], Response, Tokens]


class Auth:
    """The auth state of a session: its tokens, and how to get new ones.

    Args:
        scheme: How the generation of the API signs in.
        credentials: Sign in with these.
        api_token: A fixed token, instead of signing in.
        store: Keeps the tokens; in memory by default.

    Raises:
        UsageError: `api_token` is not valid, or is given together with the others.
    """

    def __init__(
        self,
        scheme: AuthScheme,
        *,
        credentials: Credentials | None = None,
        api_token: str | None = None,
        store: TokenStore | None = None,
    ) -> None:
        if api_token is not None and (credentials is not None or store is not None):
            raise UsageError("Give either `api_token`, or `email` and `password` (with or without `token_store`).")
        if api_token is not None and not isinstance(api_token, str):
            raise UsageError(f"`api_token` must be a string, not {type(api_token).__name__}.")
        if api_token is not None and not (api_token.isascii() and api_token.isprintable() and api_token.strip()):
            raise UsageError("`api_token` is empty, or contains characters that a token cannot contain.")
        self.scheme = scheme
        self.credentials = credentials
        self.store: TokenStore = store or MemoryTokenStore()
        self.tokens: Tokens | None = Tokens(api_token) if api_token is not None else None
        self.is_fixed: bool = api_token is not None

    @property
    def access(self) -> str | None:
        """The current access token, or None."""
        return None if self.tokens is None else self.tokens.access

    def needs_refresh(self) -> bool:
        """Return whether the next request needs new tokens first."""
        return self.tokens is None or self.tokens.needs_refresh()

    def headers(self, others: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a request, with the access token among them."""
        assert self.tokens is not None
        return {**others, "Authorization": f"Bearer {self.tokens.access}"}

    def secrets(self) -> tuple[str, ...]:
        """Return the values that no text may show, even if the service quotes them."""
        assert self.tokens is not None
        password = "" if self.credentials is None else self.credentials.password
        return tuple(filter(None, (password, self.tokens.access, self.tokens.refresh)))

    def can_refresh(self, error: AuthenticationError) -> bool:
        """Return whether a refused request should be sent again with new tokens."""
        return not self.is_fixed and not self.scheme.is_permanent(error)

    def auth_flow(self, tokens: Tokens | None) -> AuthFlow:
        """Return new tokens: by the refresh token of `tokens`, else by the credentials.

        The generator yields requests. Send it their responses, or throw in their errors.

        Raises:
            AuthenticationError: Neither is available, or the service accepted neither.
        """
        refused: Exception | None = None
        if tokens is not None and tokens.refresh is not None:
            request = self.scheme.refresh(tokens.refresh)
            try:
                return self.scheme.read_refresh(request, (yield request), tokens.refresh)
            except (ApiError, TransportError, DecodeError) as error:
                if isinstance(error, AuthenticationError) and self.scheme.is_permanent(error):
                    raise
                # The service did not refuse the refresh token, so it may be accepted later.
                if self.credentials is None and isinstance(error, NotSentError | RateLimitedError | ServerError):
                    raise
                refused = error
        if self.credentials is None:
            raise AuthenticationError(
                "Could not sign in: "
                + ("the tokens were not refreshed, and " if refused else "")
                + "there are no credentials. Give `email` and `password`, or `api_token`.",
                status=getattr(refused, "status", 0),
            ) from refused
        request = self.scheme.login(self.credentials)
        try:
            return self.scheme.read_login(request, (yield request))
        except ApiError as error:
            # For a wrong password, one document shows a 401, and another a 400 with a field error.
            is_refusal = error.status in (400, 401, 403, 404, 422) or 200 <= error.status < 300
            if is_refusal and not isinstance(error, AuthenticationError):
                raise AuthenticationError(str(error), **vars(error)) from None
            raise
