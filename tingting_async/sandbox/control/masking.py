"""Hides secrets in the requests that the sandbox shows. Phone numbers and texts are shown: that is its purpose."""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

MASK = "[secret]"
_SECRET = re.compile(r"(?i).*(password|token|secret|cookie).*|access|refresh|otp|api_?key")


def masked(value: Any, name: str = "") -> Any:
    """Return a JSON value with the values of secret fields hidden.

    Args:
        value: The value.
        name: The name of the field that has it.
    """
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: masked(part, key) for key, part in fields.items()}
    if isinstance(value, list):
        return [masked(part, name) for part in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    return MASK if value is not None and _SECRET.fullmatch(name) else value


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
    return query if hidden == pairs else urlencode(hidden, safe="[]")
