"""The account that is signed in."""

from tingting_async.classic.models import Login, User
from tingting_async.http.messages import Request
from tingting_async.resources.base import IN_V1, BaseAccounts, TimeoutLike


class Accounts(BaseAccounts):
    """The account (classic documents, Accounts)."""

    _elsewhere = dict.fromkeys(("api_token", "generate_api_token"), IN_V1)

    async def user_details(self, *, timeout: TimeoutLike = None) -> User:
        """Return the user who is signed in (`GET /api/accounts/user_details/`)."""
        return await self._core.execute(
            Request.read(
                "/api/accounts/user_details/",
                User,
                "accounts.user_details",
                payload=("data", "user_details"),
                timeout=timeout,
            )
        )

    async def login(self, *, timeout: TimeoutLike = None) -> Login:
        """Sign in now, and use the new tokens from now on (`POST /api/accounts/login/`).

        There is no need to call this: the session signs in when it is first used.

        Raises:
            UsageError: The session has no e-mail address and password.
            AuthenticationError: The service does not accept them.
        """
        return await self._login(Login, timeout)
