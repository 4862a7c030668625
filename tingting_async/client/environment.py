"""The options of a session that environment variables set."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from tingting_async.errors import MisuseError, UsageError
from tingting_async.suggestions import suggest_name


def options_from_env(options: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Add `TINGTING_BASE_URL`, `…_API_TOKEN`, `…_EMAIL` and `…_PASSWORD` to the options of a session.

    With the API token of the environment, a `token_store` is left out: a fixed token needs none.

    Args:
        options: The options given by keyword, which take precedence.
        known: The names of all options.

    Returns:
        All options together.

    Raises:
        MisuseError: An option is unknown; the message suggests the nearest one. It is a `TypeError`.
        UsageError: The credentials are missing.
    """
    for name in options:
        if name not in known:
            raise MisuseError(f"from_env() got an unexpected keyword argument {name!r}. {suggest_name(name, known)}")
    found = {
        name: value
        for name in ("base_url", "api_token", "email", "password")
        if (value := os.environ.get(f"TINGTING_{name.upper()}"))
    }
    if options.keys() & {"email", "password"}:
        found.pop("api_token", None)
    if "api_token" in {*found, *options}:
        found.pop("email", None)
        found.pop("password", None)
    if options.get("email") not in (None, found.get("email", options.get("email"))):
        found.pop("password", None)  # The password belongs to another account.
    given = {**found, **options}
    if "api_token" in found and "api_token" not in options:
        given.pop("token_store", None)
    for name, other in (("email", "password"), ("password", "email")):
        if name in given and other not in given:
            raise UsageError(
                f"from_env: half of the credentials are missing: there is `{name}`, but no `{other}`. Set "
                f"TINGTING_{other.upper()}, or pass `{other}` by keyword."
            )
    if not given.keys() & {"api_token", "email", "token_store"}:
        raise UsageError(
            "from_env: the credentials are missing. Set TINGTING_API_TOKEN, or both TINGTING_EMAIL and "
            "TINGTING_PASSWORD, or pass them by keyword."
        )
    return given
