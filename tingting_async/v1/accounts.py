"""Who is signed in, and the API token."""

from typing import Any

from tingting_async.auth.tokens import Tokens
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import ApiError, UsageError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.auth import V1AuthScheme, login
from tingting_async.v1.models.accounts import ApiToken, User
from tingting_async.v1.models.common import Confirmation


class Accounts(Resource):
    """The account (v1 documents, Signing in)."""

    async def user_details(self, *, timeout: TimeoutLike = None) -> User:
        """Return who is signed in (`GET auths/user-profile/`)."""
        request = Request(
            "GET", "/api/v1/auths/user-profile/", Effect.READ, "accounts.user_details", User, timeout=timeout
        )
        return await self._core.execute(request)

    async def login(self, *, timeout: TimeoutLike = None) -> Confirmation:
        """Sign in now, and use the new tokens from now on (`POST auths/login/`).

        Not needed: the session signs in on first use.

        Raises:
            UsageError: The session has no e-mail address with a password.
            AuthenticationError: They are not accepted.
        """
        credentials = self._core.auth.credentials
        if credentials is None:
            raise UsageError("accounts.login: the session has no e-mail address with a password to sign in with.")
        request = login(credentials, timeout)
        response = await self._core.fetch(request)
        await self._core.set_tokens(V1AuthScheme().read_login(request, response))
        confirmation: Confirmation = self._core.decode(request, response, Decoder.decode)
        return confirmation

    async def refresh(self) -> None:
        """Renew the access token now (`POST auths/login/refresh/`).

        Not needed: the session renews it before it ends, and when it is refused.

        Raises:
            UsageError: The session uses a fixed API token.
            AuthenticationError: Neither the refresh token nor the credentials are accepted.
        """
        await self._core.refresh()

    async def api_token(self, *, timeout: TimeoutLike = None) -> ApiToken | None:
        """Return the account's API token, or None if it has none yet (`GET auths/get-api-keys/`)."""
        request: Request[Any] = Request(
            "GET", "/api/v1/auths/get-api-keys/", Effect.READ, "accounts.api_token", Response, timeout=timeout
        )
        try:
            response = await self._core.execute(request)
        except ApiError as error:
            # The status of "No API token found" is not documented (sample v1_get_api_keys_none.json).
            if "no api token" in error.message.lower():
                return None
            raise
        return self._core.decode(request, response, _read_api_token)

    async def generate_api_token(self, *, timeout: TimeoutLike = None) -> ApiToken:
        """Make a new API token, which ends the previous one everywhere (`POST auths/generate-api-keys/`).

        Never repeated. A session that used the previous one uses the new one from now on.

        Raises:
            OutcomeUnknownError: The previous token may have ended: read the present one with `api_token()`.
        """
        made = await self._core.execute(
            Request(
                "POST",
                "/api/v1/auths/generate-api-keys/",
                Effect.REVOKE,
                "accounts.generate_api_token",
                ApiToken,
                timeout=timeout,
                recovery_hint="sign in with e-mail and password, and read the present one with accounts.api_token()",
            )
        )
        if self._core.auth.is_fixed:
            await self._core.set_tokens(Tokens(made.token))
        return made


def _read_api_token(decoder: Decoder, request: Request[Any], response: Response) -> ApiToken | None:
    payload = decoder.payload(request, response)
    if isinstance(payload, dict) and "token" not in payload and "message" in payload:
        return None
    return decoder.decode_value(request, response, payload, ApiToken, ())
