"""Hides secrets in the requests that the sandbox shows. Phone numbers and texts are shown: that is its purpose."""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

MASK = "[secret]"
_SECRET = re.compile(
    # Anywhere in a name:
    r"passw|pwd|token|secret|cookie|auth|otp(?!_(?:length|options))|credential|signature|session|jwt|bearer|api_?key"
    # Only as a word of a name, since other words contain them, such as "shopping" or "design":
    r"|(?<![a-z])(pin|key|sig|pass|pw)(?![a-z])"
    # Only as a whole name:
    r"|^(access|refresh|code)$"
)
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def masked(value: Any, name: str = "") -> Any:
    """Return a JSON value with the values of secret fields hidden.

    Args:
        value: The value.
        name: The name of the field that has it.
    """
    if isinstance(value, list):
        return [masked(part, name) for part in cast("list[Any]", value)]
    if value is not None and _is_secret(name):
        return MASK
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: masked(part, key) for key, part in fields.items()}
    return f"[{len(value)} byte{'s' * (len(value) != 1)}]" if isinstance(value, bytes) else value


def _is_secret(name: str) -> bool:
    """Return whether a field with this name may hold a secret, such as `X-Api-Key` or `userPin`."""
    return _SECRET.search(_CAPITAL.sub("_", name).lower().replace("-", "_")) is not None


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with secrets hidden. The scheme of an authorization stays."""
    shown = {name: str(masked(value, name)) for name, value in headers.items()}
    for name, value in headers.items():
        if name.lower() in ("authorization", "proxy-authorization"):
            scheme, space, _ = value.partition(" ")
            shown[name] = f"{scheme} {MASK}" if space else MASK
    return shown


def masked_query(query: str) -> str:
    """Return a query string with secrets hidden. Without any, it stays as it was sent."""
    pairs = parse_qsl(query, keep_blank_values=True)
    hidden = [(name, masked(value, name)) for name, value in pairs]
    return query if hidden == pairs else urlencode(hidden, safe="[]", errors="replace")
