"""The auth scheme of the v1 API: the tokens are cookies (v1 documents, Signing in)."""

import re
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tingting_async.auth.flow import AuthScheme
from tingting_async.auth.tokens import Credentials, Tokens
from tingting_async.http.messages import Request, Response, decode_error
from tingting_async.v1.models.common import Confirmation


class V1AuthScheme(AuthScheme):
    """How the v1 API signs in and refreshes tokens."""

    def login(self, credentials: Credentials) -> Request[Confirmation]:
        """Return the request that signs in (`POST auths/login/`)."""
        return Request.read(  # Signing in twice gives two pairs of tokens, of which one is not used.
            "/api/v1/auths/login/",
            Confirmation,
            "accounts.login",
            method="POST",
            json={"email": credentials.email, "password": credentials.password},
            authenticate=False,
            secrets=(credentials.password,),
        )

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        """Return the tokens of a sign-in: both cookies."""
        return _tokens(request, response, None)

    def refresh(self, token: str) -> Request[Confirmation]:
        """Return the request that refreshes the access token with the refresh cookie (`POST auths/login/refresh/`)."""
        return Request.read(
            "/api/v1/auths/login/refresh/",
            Confirmation,
            "accounts.refresh",
            method="POST",
            headers={"Cookie": SimpleCookie({"refresh": token})["refresh"].OutputString()},  # Quoted if necessary.
            authenticate=False,
            secrets=(token,),
        )

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        """Return the new access token, and the new refresh token if the service sends one."""
        return _tokens(request, response, token)


_COOKIE = r'\s*[^\s=;,"]+\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)'


def read_cookies(response: Response) -> dict[str, str]:
    """Return the cookies that a response sets, regardless of their domain, path and flags."""
    # aiohttp's jar drops cookies of IP addresses, and secure cookies over plain http on this machine.
    found: dict[str, str] = {}
    for header in response.headers.getall("Set-Cookie", []):
        # Only name and value: for attributes that it does not know, `SimpleCookie` makes cookies or drops them all.
        if (match := re.match(_COOKIE, header)) is not None:
            with suppress(CookieError):
                found |= {name: morsel.value for name, morsel in SimpleCookie(match[0]).items()}
    # An empty cookie deletes the earlier one; a cookie with line breaks cannot be sent.
    return {name: value for name, value in found.items() if value and value.isprintable()}


def _tokens(request: Request[Any], response: Response, refresh: str | None) -> Tokens:
    """Return the tokens in a response's cookies, with `refresh` if no cookie has a new refresh token."""
    cookies = read_cookies(response)
    if "access" not in cookies:
        raise decode_error(request, response, "sets no cookie `access`", ("Set-Cookie", "access"))
    return Tokens.of(cookies["access"], cookies.get("refresh", refresh))
