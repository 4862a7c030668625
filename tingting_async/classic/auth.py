"""How the classic API signs in (classic documents, Accounts)."""

from typing import Any

from tingting_async.auth.tokens import Credentials, Tokens
from tingting_async.classic.models import Login, TokenPair
from tingting_async.classic.pages import RESPONSES
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import AuthenticationError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.timeouts import Timeout


def login(credentials: Credentials, timeout: Timeout | float | None = None) -> Request[Login]:
    """Return the request that signs in."""
    return Request(
        "POST",
        "/api/accounts/login/",
        Effect.READ,  # Signing in twice gives two pairs of tokens, of which one is not used.
        "accounts.login",
        Login,
        payload=("data",),
        json={"email": credentials.email, "password": credentials.password},
        authenticate=False,
        timeout=timeout,
        secrets=(credentials.password,),
    )


def refresh(token: str) -> Request[TokenPair]:
    """Return the request that renews the access token."""
    return Request(
        "POST",
        "/api/accounts/token/refresh/",
        Effect.READ,  # A repeat with a token that was rotated away is refused, and then the credentials are used.
        "accounts.refresh",
        TokenPair,
        json={"refresh": token},
        authenticate=False,
        secrets=(token,),
    )


class ClassicAuthScheme:
    """The classic API's sign-in, for the auth flow."""

    def login(self, credentials: Credentials) -> Request[Login]:
        """Return the request that signs in."""
        return login(credentials)

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Read both tokens."""
        token = Decoder(RESPONSES).decode(request, response).token
        return Tokens.of(token.access, token.refresh)

    def refresh(self, token: str) -> Request[TokenPair]:
        """Return the request that renews the access token."""
        return refresh(token)

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Read the new access token, and the new refresh token where the service changes it as well."""
        new = Decoder(RESPONSES).decode(request, response)
        return Tokens.of(new.access, new.refresh or token)

    def is_permanent(self, error: AuthenticationError) -> bool:
        """Tell that an account that is not activated will not be, however often it signs in."""
        return "not activated" in error.message.lower()
