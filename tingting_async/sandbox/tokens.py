"""The tokens that the sandbox issues."""

import math
from typing import Any, cast

import attrs
import jwt

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import Account

_KEY = "not a secret, but a key must be long enough"
TOKEN_NOT_VALID: dict[str, Any] = {
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid or expired"}],
}


_DEAD: dict[str, dict[str, Any]] = {
    "token_not_valid": TOKEN_NOT_VALID,
    "not_provided": {"detail": "Authentication credentials were not provided."},
    "expired": {"detail": "Signature has expired."},
}


def unauthorized(options: Options) -> tuple[dict[str, Any], int]:
    """Return the body and the status of the response to a token that is not valid."""
    return _DEAD[options.unauthorized_error], options.unauthorized_status


@attrs.define
class _Issued:
    account: Account
    kind: str
    expires: float


class Tokens:
    """Issues, verifies and revokes JWTs."""

    def __init__(self, clock: Clock, *, access_lifetime: float, refresh_lifetime: float, rotate_refresh: bool) -> None:
        self._clock = clock
        self._lifetimes = {"access": access_lifetime, "refresh": refresh_lifetime}
        self._rotates = rotate_refresh
        self._issued: dict[str, _Issued] = {}
        self._serial = 0

    def issue(self, account: Account, kind: str) -> str:
        """Issue a token of the kind `"access"` or `"refresh"`."""
        self._serial += 1
        now = self._clock.now()
        expires = math.ceil(now + self._lifetimes[kind])  # Whole seconds, as in sample classic_login.json.
        claims: dict[str, Any] = {
            "token_type": kind,
            "exp": expires,
            "iat": int(now),
            "jti": str(self._serial),
            "user_id": account.id,
        }
        token: str = cast("Any", jwt).encode(claims, _KEY, algorithm="HS256")
        self._issued[token] = _Issued(account, kind, expires)
        return token

    def dump(self) -> dict[str, Any]:
        """Return the tokens that are valid, in JSON types."""
        tokens = [[token, each.account.id, each.kind, each.expires] for token, each in self._issued.items()]
        return {"serial": self._serial, "tokens": tokens}

    def load(self, dumped: dict[str, Any], accounts: dict[int, Account]) -> None:
        """Accept the tokens that another instance dumped, and no others."""
        self._serial = dumped["serial"]
        self._issued = {
            token: _Issued(accounts[account], kind, expires) for token, account, kind, expires in dumped["tokens"]
        }

    def account(self, token: str, kind: str) -> Account | None:
        """Return the account of a valid token of this kind, or None."""
        issued = self._issued.get(token)
        is_valid = issued is not None and issued.kind == kind and issued.expires > self._clock.now()
        return issued.account if issued is not None and is_valid else None

    def refresh(self, refresh: str) -> dict[str, str] | None:
        """Return new tokens for a refresh token: access, and with rotation refresh as well; None if it is invalid."""
        account = self.account(refresh, "refresh")
        if account is None:
            return None
        issued = {"access": self.issue(account, "access")}
        if self._rotates:
            del self._issued[refresh]
            issued["refresh"] = self.issue(account, "refresh")
        return issued

    def revoke(self, kind: str) -> None:
        """Revoke all tokens of a kind."""
        self._issued = {token: issued for token, issued in self._issued.items() if issued.kind != kind}
