"""The checks of a fault's fields: a fault that never triggers lets a test pass that tests nothing.

Each check is a validator of attrs, and raises a `ValueError` that begins with the name of the field.
"""

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, cast

import attrs

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT")
_LONGEST_DELAY = 86_400
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_LONGEST = 80
"""How much of a refused value an error shows."""

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _refused(field: "attrs.Attribute[Any]", value: object, problem: str) -> ValueError:
    try:
        shown = repr(value)
    except ValueError:  # Of an integer that has too many digits.
        shown = "a huge number"
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return ValueError(f"{field.name}={shown} is not valid: {problem}.")


def whole_number(least: int, most: int | None = None, *, meaning: str) -> Validator:
    """Return a validator for whole numbers of a range. `meaning` says what they are."""

    def check(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least or (most or value) < value:
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise _refused(field, value, f"use {meaning}, {limits}")

    return check


def one_of(known: tuple[object, ...]) -> Validator:
    """Return a validator for the values of a list."""

    def check(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if value not in known:
            raise _refused(field, value, f"use one of {', '.join(map(repr, known))}")

    return check


def check_method(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse a pattern that matches no method."""
    if isinstance(value, str):
        if any(fnmatchcase(method, value) for method in _METHODS):
            return
        if any(fnmatchcase(method, value.upper()) for method in _METHODS):
            raise _refused(field, value, f"methods are written in capitals, so use {value.upper()!r}")
    raise _refused(field, value, "it matches no method. Use a pattern such as 'POST', 'P*' or '*'")


def check_path(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse a pattern that matches no path."""
    if not isinstance(value, str) or not value:
        raise _refused(field, value, "use a pattern for the path, such as '*/send/otp/'")
    if value[0] not in "/*?[":
        pattern = "*/send/otp/" if "://" in value or "*" in value else f"*{value}*"
        raise _refused(field, value, f"the path of a request begins with '/', so use a pattern such as {pattern!r}")
    if "?" in value and "=" in value:
        path, _, query = value.partition("?")
        raise _refused(field, value, f"the query is not a part of the path. Use path={path!r}, query={query!r}")


def check_query(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse what is no query string, or begins with its question mark."""
    if value is None:
        return
    if not isinstance(value, str):
        raise _refused(field, value, "use the exact query string, such as 'page=2', or None for any")
    if value.startswith("?"):
        raise _refused(field, value, f"leave out the question mark: {value[1:]!r}")


def check_where(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse what cannot judge a request."""
    if value is not None and (not callable(value) or inspect.iscoroutinefunction(value)):
        problem = "use a function of the request that is not async and returns True or False, or None"
        raise _refused(field, value, problem)


def check_body(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse a body that cannot be sent."""
    if isinstance(value, bytes):
        return
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise _refused(field, value, "use a JSON value, or bytes, which are sent as they are") from None


def check_headers(_fault: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """Refuse headers that cannot be sent."""
    given: object = cast("object", value)
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and _HEADER_NAME.fullmatch(name) and isinstance(line, str) and _LINE.fullmatch(line)
        for name, line in cast("Mapping[object, object]", given).items()
    ):
        problem = "use a dict of names and values, both strings without line breaks, such as {'Retry-After': '5'}"
        raise _refused(field, value, problem)


def check_delay(_fault: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """Refuse what is no delay."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _LONGEST_DELAY:  # NaN is not within any limits.
        hint = " To wait without a limit, use the kind 'stall'" if value == math.inf else ""
        raise _refused(field, value, f"use seconds, from 0 to {_LONGEST_DELAY}.{hint}".rstrip("."))


def check_location(_fault: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse what is no value of `Location`."""
    if not (isinstance(value, str) and _LINE.fullmatch(value)):
        raise _refused(field, value, "use a URL without line breaks, such as '/elsewhere/'")
