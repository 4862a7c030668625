"""How the classic API signs in (classic documents, Accounts)."""

from typing import Any

from tingting_async.auth.flow import AuthScheme
from tingting_async.auth.tokens import Credentials, Tokens
from tingting_async.classic.models import Login, TokenPair
from tingting_async.classic.pages import RESPONSES
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.messages import Request, Response


class ClassicAuthScheme(AuthScheme):
    """The requests and responses of the classic API that sign in."""

    # Both requests are reads, so that they are retried. A retried login returns a second pair of tokens; one pair
    # remains unused. A retried refresh is rejected if the first attempt replaced the refresh token; the session then
    # signs in with its credentials.

    def login(self, credentials: Credentials) -> Request[Login]:
        """Return the request that signs in."""
        return Request.read(
            "/api/accounts/login/",
            Login,
            "accounts.login",
            method="POST",
            payload=("data",),
            json={"email": credentials.email, "password": credentials.password},
            authenticate=False,
            secrets=(credentials.password,),
        )

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Return both tokens of a login."""
        token = Decoder(RESPONSES).decode(request, response).token
        return Tokens.of(token.access, token.refresh)

    def refresh(self, token: str) -> Request[TokenPair]:
        """Return the request that refreshes the access token."""
        return Request.read(
            "/api/accounts/token/refresh/",
            TokenPair,
            "accounts.refresh",
            method="POST",
            json={"refresh": token},
            authenticate=False,
            secrets=(token,),
        )

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Return the new access token with the new refresh token, or with the old one if the service kept it."""
        new = Decoder(RESPONSES).decode(request, response)
        return Tokens.of(new.access, new.refresh or token)
