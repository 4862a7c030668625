"""The types of body fields, which validate as the serializer fields of Django REST Framework do.

Each function takes the value of a field and returns it converted, or raises a `ValueError` with the service's message.
"""

import math
import re
from collections.abc import Callable
from typing import Any, cast

Field = Callable[[Any], Any]


def text(value: Any) -> str:
    """Convert a string or a number to a string."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("Not a valid string.")  # noqa: TRY004 - all invalid values raise the same error
    return str(value)


def integer(value: Any) -> int:
    """Convert an integer, or a string that holds one."""
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("A valid integer is required.")
    return int(value)


def decimal(value: Any) -> float:
    """Convert a number below 1000, or a string that holds one."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 1000:
        raise ValueError("A valid number is required.")
    return number


def boolean(value: Any) -> bool:
    """Convert a boolean, or a string that holds one."""
    known = {"true": True, "1": True, "false": False, "0": False, "": False}
    if str(value).lower() not in known:
        raise ValueError("Must be a valid boolean.")
    return known[str(value).lower()]


def mapping(value: Any) -> dict[str, Any]:
    """Accept a JSON object."""
    if not isinstance(value, dict):
        raise ValueError("Expected a dictionary of items.")  # noqa: TRY004 - all invalid values raise the same error
    return cast("dict[str, Any]", value)


def many(field: Field) -> Field:
    """Return the type of a list of such fields. A form sends a list of one item as the bare item."""

    def convert(value: Any) -> list[Any]:
        return [field(part) for part in cast("list[Any]", value if isinstance(value, list) else [value])]

    return convert
