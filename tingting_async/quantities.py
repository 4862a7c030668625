"""Which numbers are valid as seconds and as counts, which texts as names in databases; and how errors show values.

Every argument that is one of them is checked here.
"""

import math
from decimal import Decimal
from typing import cast

from tingting_async.redaction import redact, shorten

LONGEST = 1e9
"""The longest time, in seconds: thirty years. A longer time is a mistake, and clocks cannot add every number."""

SECONDS = "a number of seconds above 0, at most 1e9"
SECONDS_FROM_0 = "a number of seconds from 0 to 1e9"

MOST = 2**63 - 1
"""The highest number of anything else, which databases and JSON can hold."""


def is_number(value: object) -> bool:
    """Return whether a value is a finite number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST <= value <= MOST


def is_seconds(value: object, *, zero: bool = False, endless: bool = False) -> bool:
    """Return whether a value is a number of seconds.

    Args:
        value: The value.
        zero: Whether 0 is valid.
        endless: Whether infinity is valid, as no limit.
    """
    if endless and isinstance(value, float) and value == math.inf:
        return True
    return is_number(value) and (zero or value != 0) and 0 <= cast("float", value) <= LONGEST


def is_count(value: object, *, least: int = 1) -> bool:
    """Return whether a value is a number of things, `least` or more."""
    return type(value) is int and least <= value <= MOST


NAME = "a string that is not empty, without NUL and without half a character (a lone surrogate)"


def is_name(value: object) -> bool:
    """Return whether a value can name something in a database."""
    try:
        return isinstance(value, str) and value != "" and b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def shown(value: object) -> str:
    """Return a refused value for an error: short, and with phone numbers masked."""
    if isinstance(value, int) and abs(value) > MOST:
        return f"a number of about {int(math.log10(abs(value))) + 1} digits"  # `repr` refuses more than 4300 digits.
    try:
        # Masked before it is cut to its final length: half a phone number would not be recognised.
        return shorten(redact(shorten(repr(value), 1000)), 60)
    except Exception:  # noqa: BLE001 - a list of such numbers; an error of the value must not hide ours
        return f"a value of the type {type(value).__name__}"


def counted(count: int | Decimal, noun: str) -> str:
    """Return a number of things as a text: `1 row`, `2 rows`.

    Args:
        count: The number.
        noun: What is counted, in the singular.
    """
    digits = f"{count:f}" if isinstance(count, Decimal) else str(count)
    return f"{digits} {noun}{'' if count == 1 else 's'}"
