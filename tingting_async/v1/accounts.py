"""The user who is signed in, and the API token."""

from tingting_async.auth.tokens import Tokens
from tingting_async.errors import ApiError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.resources.base import BaseAccounts, TimeoutLike
from tingting_async.v1.models.accounts import ApiToken, User
from tingting_async.v1.models.common import Confirmation


class Accounts(BaseAccounts):
    """The account (v1 documents, Signing in)."""

    async def user_details(self, *, timeout: TimeoutLike = None) -> User:
        """Return the user who is signed in (`GET auths/user-profile/`)."""
        return await self._core.execute(
            Request.read("/api/v1/auths/user-profile/", User, "accounts.user_details", timeout=timeout)
        )

    async def login(self, *, timeout: TimeoutLike = None) -> Confirmation:
        """Sign in now, and use the new tokens from now on (`POST auths/login/`).

        There is no need to call this: the session signs in on first use.

        Raises:
            UsageError: The session has no `email` and `password`.
            AuthenticationError: The service rejects them.
        """
        return await self._login(Confirmation, timeout)

    async def api_token(self, *, timeout: TimeoutLike = None) -> ApiToken | None:
        """Return the account's API token, or None if it has none (`GET auths/get-api-keys/`)."""
        request = Request.read("/api/v1/auths/get-api-keys/", Response, "accounts.api_token", timeout=timeout)
        try:
            response = await self._core.execute(request)
        except ApiError as error:
            # The status of "No API token found" is not documented (sample v1_get_api_keys_none.json).
            if "no api token" in error.message.lower():
                return None
            raise
        decoder = self._core.decoder
        payload = decoder.payload(request, response)
        if isinstance(payload, dict) and "token" not in payload and "message" in payload:
            return None
        return decoder.decode_value(request, response, payload, ApiToken, ())

    async def generate_api_token(self, *, timeout: TimeoutLike = None) -> ApiToken:
        """Generate a new API token, which revokes the previous one everywhere (`POST auths/generate-api-keys/`).

        The request is never retried. A session that used the previous token uses the new one from now on.

        Raises:
            OutcomeUnknownError: The previous token may be revoked: read the current one with `api_token()`.
        """
        generated = await self._core.execute(
            Request(
                "POST",
                "/api/v1/auths/generate-api-keys/",
                Effect.REVOKE,
                "accounts.generate_api_token",
                ApiToken,
                timeout=timeout,
                recovery_hint="sign in with e-mail and password, and read the current one with accounts.api_token()",
            )
        )
        if self._core.auth.is_fixed:
            self._core.auth.tokens = Tokens(generated.token)
        return generated
