"""How the v1 API signs in: the tokens are cookies (v1 documents, Signing in)."""

import re
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tingting_async.auth.tokens import Credentials, Tokens
from tingting_async.errors import AuthenticationError
from tingting_async.http.messages import Effect, Request, Response, decode_error
from tingting_async.http.timeouts import Timeout
from tingting_async.v1.models.common import Confirmation


def login(credentials: Credentials, timeout: Timeout | float | None = None) -> Request[Confirmation]:
    """Return the request that signs in."""
    return Request(
        "POST",
        "/api/v1/auths/login/",
        Effect.READ,  # Signing in twice gives two pairs of tokens, of which one is not used.
        "accounts.login",
        Confirmation,
        json={"email": credentials.email, "password": credentials.password},
        authenticate=False,
        timeout=timeout,
        secrets=(credentials.password,),
    )


class V1AuthScheme:
    """The v1 API's sign-in, for the auth flow."""

    def login(self, credentials: Credentials) -> Request[Confirmation]:
        """Return the request that signs in."""
        return login(credentials)

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Read both cookies."""
        cookies = read_cookies(response)
        return Tokens.of(_required(cookies, request, response), cookies.get("refresh"))

    def refresh(self, token: str) -> Request[Confirmation]:
        """Return the request that renews the access token; its credential is the cookie."""
        return Request(
            "POST",
            "/api/v1/auths/login/refresh/",
            Effect.READ,
            "accounts.refresh",
            Confirmation,
            headers={
                "Cookie": SimpleCookie({"refresh": token})["refresh"].OutputString()
            },  # Quoted where it has to be.
            authenticate=False,
            secrets=(token,),
        )

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Read the new access token, and the new refresh token where the service changes it as well."""
        cookies = read_cookies(response)
        return Tokens.of(_required(cookies, request, response), cookies.get("refresh", token))

    def is_permanent(self, error: AuthenticationError) -> bool:
        """Tell that an account that is not activated will not be, however often it signs in."""
        return "not activated" in error.message.lower()


_COOKIE = re.compile(r'\s*[^\s=;,"]+\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


def read_cookies(response: Response) -> dict[str, str]:
    """Return the cookies that an answer sets, whatever domain, path and flags they are for."""
    # aiohttp's jar drops those of IP addresses, and secure ones over plain http on this machine.
    found: dict[str, str] = {}
    for header in response.headers.getall("Set-Cookie", []):
        # Only the pair: `SimpleCookie` takes attributes that it does not know for cookies, or drops all for them.
        if (match := _COOKIE.match(header)) is not None:
            with suppress(CookieError):
                found |= {name: morsel.value for name, morsel in SimpleCookie(match[0]).items()}
    # An empty one takes the cookie back; one with line breaks could not be sent.
    return {name: value for name, value in found.items() if value and value.isprintable()}


def _required(cookies: dict[str, str], request: Request[Any], response: Response) -> str:
    try:
        return cookies["access"]
    except KeyError:
        raise decode_error(request, response, "sets no cookie `access`", ("Set-Cookie", "access")) from None
