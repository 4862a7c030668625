"""The cooldown after a refused sign-in."""

import asyncio
import copy

from tingting_async.auth.tokens import Tokens
from tingting_async.errors import AuthenticationError

LOGIN_COOLDOWN = 30.0
"""Seconds for which a refused sign-in is not retried: a job with many requests could get the account locked."""


class Cooldown:
    """Raises a refusal again, instead of another attempt with the same tokens."""

    def __init__(self) -> None:
        self._refusal: AuthenticationError | None = None
        self._refresh_token: str | None = None
        self._since = 0.0

    def start(self, refusal: AuthenticationError, tokens: Tokens | None) -> None:
        """Start after a refusal of the service.

        Args:
            refusal: The error.
            tokens: The tokens that were to be refreshed.
        """
        self._refusal, self._refresh_token = copy.copy(refusal), _refresh_token(tokens)
        self._since = asyncio.get_running_loop().time()

    def end(self) -> None:
        """Allow an attempt at once."""
        self._refusal = None

    def check(self, tokens: Tokens | None) -> None:
        """Refuse another attempt during the cooldown, unless there are other tokens by now.

        Raises:
            AuthenticationError: The refusal, with a text that says when the next attempt is allowed.
        """
        passed = asyncio.get_running_loop().time() - self._since
        if self._refusal is None or passed >= LOGIN_COOLDOWN or _refresh_token(tokens) != self._refresh_token:
            return
        error = copy.copy(self._refusal)
        hint = (
            f"This was refused {passed:.0f} s ago. The session signs in again {LOGIN_COOLDOWN - passed:.0f} s from now "
            "at the earliest. If the cause is repaired, call accounts.login() or accounts.refresh()."
        )
        error.args = (f"{error} {hint}",)
        raise error


def _refresh_token(tokens: Tokens | None) -> str | None:
    return None if tokens is None else tokens.refresh
