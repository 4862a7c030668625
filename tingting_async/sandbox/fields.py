"""What a field of a body has to be, as Django REST Framework's serializer fields judge it.

Each takes what came and returns it as it is meant, or raises a `ValueError` with the words of the refusal.
"""

import math
import re
from collections.abc import Callable
from typing import Any, cast

Field = Callable[[Any], Any]


def text(value: Any) -> str:
    """Take a text, or a number for one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("Not a valid string.")  # noqa: TRY004 - a refusal like the others
    return str(value)


def integer(value: Any) -> int:
    """Take a whole number, or a text of one."""
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("A valid integer is required.")
    return int(value)


def decimal(value: Any) -> float:
    """Take a number, or a text of one."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 1000:
        raise ValueError("A valid number is required.")
    return number


def boolean(value: Any) -> bool:
    """Take a truth value, or a text of one."""
    known = {"true": True, "1": True, "false": False, "0": False, "": False}
    if str(value).lower() not in known:
        raise ValueError("Must be a valid boolean.")
    return known[str(value).lower()]


def mapping(value: Any) -> dict[str, Any]:
    """Take an object."""
    if not isinstance(value, dict):
        raise ValueError("Expected a dictionary of items.")  # noqa: TRY004 - a refusal like the others
    return cast("dict[str, Any]", value)


def many(field: Field) -> Field:
    """Take a list of such fields; a form sends a list of one as itself."""

    def take(value: Any) -> list[Any]:
        return [field(part) for part in cast("list[Any]", value if isinstance(value, list) else [value])]

    return take
