"""The auth state of a session, and the flow that gets new tokens.

This module knows no URL: each generation of the API has its own `AuthScheme`. It does no I/O: the flow is a generator
that yields requests and receives responses, so that it can be tested without a socket.
"""

from collections import deque
from collections.abc import Generator, Mapping
from typing import Any, Protocol

import attrs

from tingting_async.auth.tokens import Credentials, MemoryTokenStore, Tokens, TokenStore
from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    DecodeError,
    NotSentError,
    TransportError,
    UsageError,
)
from tingting_async.http.messages import Request, Response
from tingting_async.http.timeouts import Timeout


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
        self.store: TokenStore = MemoryTokenStore() if store is None else store
        self.tokens: Tokens | None = Tokens(api_token) if api_token is not None else None
        self.is_fixed: bool = api_token is not None
        self.refresh_timeout: Timeout | None = None
        """The limits of a refresh; None for the session's."""
        self.is_unsaved: bool = False
        """Whether the store does not have the tokens yet."""
        self._outranks_store = False
        # Enough to recognise the tokens that a store returns if it has lost its last writes.
        self._replaced: deque[tuple[str, str | None]] = deque(maxlen=16)

    def keep(self, tokens: Tokens, *, outranks_store: bool = False) -> None:
        """Use new tokens, which are not saved yet.

        Args:
            tokens: The tokens.
            outranks_store: Whether they are newer than any tokens in the store.
        """
        self.supersede(self.tokens)
        self.tokens, self.is_unsaved, self._outranks_store = tokens, True, outranks_store

    def adopt(self, tokens: Tokens) -> None:
        """Use tokens that the store has."""
        self.supersede(self.tokens)
        self.tokens = tokens
        self.saved()

    def saved(self) -> None:
        """Record that the store has the tokens."""
        self.is_unsaved = self._outranks_store = False

    def supersede(self, tokens: Tokens | None) -> None:
        """Record that the session has newer tokens than these."""
        self._outranks_store = False
        if tokens is not None:
            self._replaced.append((tokens.access, tokens.refresh))

    def newest(self, stored: Tokens | None) -> Tokens | None:
        """Return the session's own tokens or the stored ones, whichever are newer.

        The stored tokens are newer, because another session saved them, unless this session has replaced them: its
        save failed, or the store went back to an older state.
        """
        own = self.tokens
        if own is None or stored is None:
            return own or stored
        if (stored.access, stored.refresh) == (own.access, own.refresh):
            return stored
        return own if self._outranks_store or (stored.access, stored.refresh) in self._replaced else stored

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

        The session's own refresh token is tried, too, if it is not saved yet.

        The generator yields requests. Send it their responses, or throw in their errors.

        Raises:
            AuthenticationError: Neither is available, or the service accepted neither.
        """
        refused: Exception | None = None
        own = self.tokens if self.is_unsaved else None
        # No local variable holds a plain token, because error trackers collect them.
        for candidate in (tokens, own if tokens is None or own is None or own.refresh != tokens.refresh else None):
            if candidate is None or candidate.refresh is None:
                continue
            request = attrs.evolve(self.scheme.refresh(candidate.refresh), timeout=self.refresh_timeout)
            try:
                return self.scheme.read_refresh(request, (yield request), candidate.refresh)
            except (ApiError, TransportError, DecodeError) as error:
                if isinstance(error, AuthenticationError) and self.scheme.is_permanent(error):
                    raise
                # The service did not refuse the refresh token, so it may be accepted later.
                is_open = not _is_refusal(error) if isinstance(error, ApiError) else isinstance(error, NotSentError)
                if self.credentials is None and is_open:
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
            converted = self.sign_in_error(error)
            if converted is error:
                raise
            raise converted from None

    def sign_in_error(self, error: ApiError) -> ApiError:
        """Return the error of a sign-in: an `AuthenticationError` if the service refuses the credentials."""
        if isinstance(error, AuthenticationError) or not _is_refusal(error):
            return error
        return AuthenticationError(str(error), **vars(error))


def _is_refusal(error: ApiError) -> bool:
    """Return whether the service itself refuses what it was given, and not a gateway, a firewall or a wrong address.

    For a wrong password, one document shows a 401, and another a 400 with a field error.
    """
    if error.status == 401 or 200 <= error.status < 300:
        return True
    is_from_api = bool(error.field_errors) or (error.body.lstrip().startswith(b"{") and error.message != "")
    is_wrong_path = error.status == 404 and error.message.strip(" .").lower() == "not found"
    return error.status in (400, 403, 404, 422) and is_from_api and not is_wrong_path
