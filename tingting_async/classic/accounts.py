"""Who is signed in."""

from tingting_async.auth.tokens import Tokens
from tingting_async.classic.auth import login
from tingting_async.classic.models import Login, User
from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.resources.base import Resource, TimeoutLike


class Accounts(Resource):
    """The account (classic documents, Accounts)."""

    async def user_details(self, *, timeout: TimeoutLike = None) -> User:
        """Return who is signed in (`GET /api/accounts/user_details/`)."""
        return await self._core.execute(
            Request(
                "GET",
                "/api/accounts/user_details/",
                Effect.READ,
                "accounts.user_details",
                User,
                payload=("data", "user_details"),
                timeout=timeout,
            )
        )

    async def login(self, *, timeout: TimeoutLike = None) -> Login:
        """Sign in now, and use the new tokens from now on (`POST /api/accounts/login/`).

        Not needed: the session signs in on first use.

        Raises:
            UsageError: The session has no e-mail address with a password.
            AuthenticationError: They are not accepted.
        """
        credentials = self._core.auth.credentials
        if credentials is None:
            raise UsageError("accounts.login: the session has no e-mail address with a password to sign in with.")
        answer = await self._core.execute(login(credentials, timeout=timeout))
        await self._core.set_tokens(Tokens.of(answer.token.access, answer.token.refresh))
        return answer

    async def refresh(self) -> None:
        """Renew the access token now (`POST /api/accounts/token/refresh/`).

        Not needed: the session renews it before it ends, and when it is refused.

        Raises:
            UsageError: The session uses a fixed API token.
            AuthenticationError: Neither the refresh token nor the credentials are accepted.
        """
        await self._core.refresh()
