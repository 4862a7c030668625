"""What the stores have in common: the text that they keep."""

import json
from typing import Any, cast

import attrs

from tingting_async.auth.tokens import Tokens

POLL = 0.05
"""Seconds between two looks at a lock that somebody else holds."""


def encode(tokens: Tokens) -> str:
    """Return the tokens as JSON."""
    return json.dumps(attrs.asdict(tokens))


def decode(text: str | bytes) -> Tokens | None:
    """Read what `encode` wrote; None if it is something else."""
    try:
        stored: Any = json.loads(text)
    except (ValueError, RecursionError):  # Their texts quote: they are not for showing.
        return None
    if not isinstance(stored, dict):
        return None
    kept = cast("dict[str, Any]", stored)
    access, refresh, refresh_at = kept.get("access"), kept.get("refresh"), kept.get("refresh_at")
    is_good = isinstance(access, str) and access and isinstance(refresh, str | None)
    if not is_good or isinstance(refresh_at, bool) or not isinstance(refresh_at, float | int | None):
        return None
    return Tokens(cast("str", access), cast("str | None", refresh), refresh_at)
