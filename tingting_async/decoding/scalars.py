"""Strict hooks for single JSON values: each accepts what its type means, and refuses the rest."""

import functools
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tingting_async.decoding.payload import InvalidValueError

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")
"""The service's time zone, without daylight saving since 1986."""


MAX_TEXT = 100
"""The length of the longest string that is decoded as a value, so that what is kept of such values stays small."""


# Stricter than Python, which accepts "1_000", "nan" and the digits of other scripts.
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?\s*")


def read_int(value: Any, _: Any = None) -> int:
    """Decode an integer, or a string or float that represents one."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer() and abs(value) <= 2**53:  # A larger float has lost digits.
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise InvalidValueError(value, "an integer")


def read_float(value: Any, _: Any = None) -> float:
    """Decode a number, or a string that represents one."""
    if type(value) is float or (type(value) is int and abs(value) <= 2**53):
        return float(value)
    if type(value) is str and _NUMBER.fullmatch(value):
        return float(value)
    raise InvalidValueError(value, "a number")


def read_decimal(value: Any, _: Any = None) -> Decimal:
    """Decode a decimal from a string or a number, without losing digits."""
    if type(value) is int and -(10**30) < value < 10**30:
        return Decimal(value)
    text = str(value) if type(value) in (str, float) else ""
    if len(text) <= MAX_TEXT and _NUMBER.fullmatch(text):
        return Decimal(text.strip())
    raise InvalidValueError(value, "a decimal")


def read_str(value: Any, _: Any = None) -> str:
    """Decode a string."""
    if type(value) is str:
        return value
    raise InvalidValueError(value, "a string")


def read_number_text(value: Any, _: Any = None) -> str:
    """Decode a string, or an integer as a string."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise InvalidValueError(value, "a string or an integer")


def read_bool(value: Any, _: Any = None) -> bool:
    """Decode a boolean; strings and numbers are refused."""
    if type(value) is bool:
        return value
    raise InvalidValueError(value, "true or false")


def read_datetime(value: Any, _: Any = None) -> datetime:
    """Decode an ISO 8601 date or datetime; without an offset, it is in the service's time zone."""
    if (when := find_datetime(value)) is not None:
        return when
    raise InvalidValueError(value, "an ISO 8601 datetime")


def find_datetime(value: Any) -> datetime | None:
    """Return the datetime that an ISO 8601 date or datetime represents, or None."""
    try:
        when = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        when = None
    # msgspec, which the fast path uses, accepts "z" for "Z", and rounds digits beyond microseconds. So do as msgspec.
    if when is None or value[26:27].isdigit():
        with suppress(ValueError):
            when = _read_rfc3339()(value)
    return when if when is None or when.tzinfo is not None else as_local(when)


def as_local(when: datetime) -> datetime:
    """Return a datetime without an offset as one in the service's time zone."""
    return when.replace(tzinfo=KATHMANDU)


@functools.cache
def _read_rfc3339() -> Callable[[Any], datetime]:
    from msgspec import convert  # noqa: PLC0415 - with the first response

    return functools.partial(convert, type=datetime)


_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)"
_SPOKEN = r"(?:(\d+)\s*h)?\s*(?:(\d+)\s*m)?\s*(?:(\d+(?:\.\d+)?)\s*s)?"


def read_duration(value: Any, _: Any = None) -> timedelta:
    """Decode a duration: a number of seconds, `"10s"`, `"1m 5s"` or `"05:30:00"`."""
    if type(value) is str and len(value) > MAX_TEXT:
        raise InvalidValueError(value, "a duration")
    if type(value) is str and (duration := _find_duration(value)) is not None:
        return duration
    try:
        duration = timedelta(seconds=read_float(value))
    except (InvalidValueError, OverflowError, ValueError):
        raise InvalidValueError(value, "a duration") from None
    if duration < timedelta(0):
        raise InvalidValueError(value, "a duration")
    return duration


def _find_duration(text: str) -> timedelta | None:
    text = text.strip()
    match = re.fullmatch(_CLOCK, text) or re.fullmatch(_SPOKEN, text)
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if ":" in text and (seconds >= 60 or (match[1] and minutes >= 60)):
        return None
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
