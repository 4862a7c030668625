"""A session's options from environment variables."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from tingting_async.errors import UsageError


def options_from_env(options: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return a session's options, completed by `TINGTING_BASE_URL`, `…_API_TOKEN`, `…_EMAIL` and `…_PASSWORD`.

    Args:
        options: What was given by keyword; it counts more.
        known: The names of all options.

    Raises:
        UsageError: There is no such option, or nothing to sign in with.
    """
    if unknown := options.keys() - set(known):
        raise UsageError(f"from_env: there is no option {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    found = {
        name: value
        for name in ("base_url", "api_token", "email", "password")
        if (value := os.environ.get(f"TINGTING_{name.upper()}"))
    }
    if options.keys() & {"email", "password", "token_store"}:
        found.pop("api_token", None)
    if "api_token" in {*found, *options}:
        found.pop("email", None)
        found.pop("password", None)
    if options.get("email") not in (None, found.get("email", options.get("email"))):
        found.pop("password", None)  # It is another account's.
    given = {**found, **options}
    if ("email" in given) != ("password" in given) or not given.keys() & {"api_token", "email", "token_store"}:
        raise UsageError(
            "from_env: there is nothing to sign in with. Set TINGTING_API_TOKEN, or both TINGTING_EMAIL and "
            "TINGTING_PASSWORD, or give them by keyword."
        )
    return given
