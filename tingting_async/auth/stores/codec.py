"""The text that stores keep: tokens as JSON."""

import json
from typing import Any, cast

import attrs

from tingting_async.auth.tokens import Tokens

LOCK_POLL_INTERVAL = 0.05
"""Seconds between two attempts to acquire a lock."""


def encode(tokens: Tokens) -> str:
    """Return the tokens as JSON."""
    return json.dumps(attrs.asdict(tokens))


def decode(text: str | bytes) -> Tokens | None:
    """Return the tokens that `encode` wrote; None if the text is something else."""
    try:
        stored: Any = json.loads(text)
    except (ValueError, RecursionError):  # Their messages quote the text, which must not be shown.
        return None
    if not isinstance(stored, dict):
        return None
    fields = cast("dict[str, Any]", stored)
    access, refresh = fields.get("access"), fields.get("refresh")
    refresh_at = fields.get("refresh_at", fields.get("renew_at"))  # The old name of the field.
    is_valid = isinstance(access, str) and access and isinstance(refresh, str | None)
    if not is_valid or isinstance(refresh_at, bool) or not isinstance(refresh_at, float | int | None):
        return None
    return Tokens(cast("str", access), cast("str | None", refresh), refresh_at)
