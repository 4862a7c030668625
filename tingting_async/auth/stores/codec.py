"""The text that stores keep: tokens as JSON."""

import json
import logging
from typing import Any, cast

import attrs

from tingting_async.auth.tokens import Tokens

_log = logging.getLogger(__name__)


def encode(tokens: Tokens) -> str:
    """Return the tokens as JSON."""
    return json.dumps(attrs.asdict(tokens))


def decode(text: str | bytes | None, place: str) -> Tokens | None:
    """Return the tokens that `encode` wrote; None if there is no text, or it is something else, which is logged.

    Args:
        text: The text that was stored; None if there is none.
        place: Where it was stored, for the log.
    """
    tokens = None if text is None else _parse(text)
    if text is not None and tokens is None:
        _log.warning("%s does not contain valid tokens: signing in again.", place)
    return tokens


def _parse(text: str | bytes) -> Tokens | None:
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
    account = fields.get("account")  # Older versions do not save it.
    return Tokens(
        cast("str", access), cast("str | None", refresh), refresh_at, account if isinstance(account, str) else None
    )
