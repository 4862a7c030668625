"""Single JSON values, read strictly: a hook takes what is meant, and refuses what is not. Imports nothing of ours."""

import functools
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast

KATHMANDU = timezone(timedelta(hours=5, minutes=45), "Asia/Kathmandu")
"""The service's time zone, without daylight saving since 1986."""


class InvalidValueError(ValueError):
    """What a hook cannot read: says the type of what came, never the value, which may be personal."""

    def __init__(self, value: object, wanted: str) -> None:
        kind = cast("type", type(value))
        super().__init__(f"expected {wanted}, got {_KINDS.get(kind, kind.__name__)}")


_KINDS: dict[type, str] = {type(None): "null", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}


MAX_TEXT = 100
"""Of a text that is kept with what it stands for; a longer one is refused, and so many of them do not fill memory."""


# Not what Python takes for a number: "1_000", "nan", other scripts' digits.
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?\s*")


def read_int(value: Any, _: Any = None) -> int:
    """Read an integer, or a text or float that is one."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer() and abs(value) <= 2**53:  # Beyond it, digits are lost already.
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise InvalidValueError(value, "an integer")


def read_float(value: Any, _: Any = None) -> float:
    """Read a number, or a text that is one."""
    if type(value) is float or (type(value) is int and abs(value) <= 2**53):
        return float(value)
    if type(value) is str and _NUMBER.fullmatch(value):
        return float(value)
    raise InvalidValueError(value, "a number")


def read_decimal(value: Any, _: Any = None) -> Decimal:
    """Read a decimal from a text or a number, digit by digit."""
    if type(value) in (str, int, float) and (number := find_decimal(value)) is not None:
        return number
    raise InvalidValueError(value, "a decimal")


@functools.lru_cache(maxsize=1024)  # Prices, percentages and factors are few and come often.
def find_decimal(value: object) -> Decimal | None:
    """Return the decimal that a text or a number stands for, None if it is none.

    Raises:
        Unread: The text is too long for one. What is raised is not kept, as what is returned is.
    """
    if type(value) is int:
        return Decimal(value) if -(10**30) < value < 10**30 else None
    if type(value) is float:
        value = str(value)
    elif type(value) is str and len(value) > MAX_TEXT:
        raise InvalidValueError(value, "a decimal")
    return Decimal(value.strip()) if type(value) is str and _NUMBER.fullmatch(value) else None


def read_str(value: Any, _: Any = None) -> str:
    """Read a text."""
    if type(value) is str:
        return value
    raise InvalidValueError(value, "a text")


def read_number_text(value: Any, _: Any = None) -> str:
    """Read a text that also travels as an integer."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise InvalidValueError(value, "a text or an integer")


def read_bool(value: Any, _: Any = None) -> bool:
    """Read true or false, never a text or a number."""
    if type(value) is bool:
        return value
    raise InvalidValueError(value, "true or false")


def read_datetime(value: Any, _: Any = None) -> datetime:
    """Read an ISO 8601 date or datetime; one without an offset is the service's local time."""
    if (when := find_datetime(value)) is not None:
        return when
    raise InvalidValueError(value, "an ISO 8601 datetime")


def find_datetime(value: Any) -> datetime | None:
    """Return what an ISO 8601 date or datetime stands for, None if it is none."""
    try:
        when = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        when = None
    # The quick way reads RFC 3339 by msgspec, which takes "z" for "Z", and rounds the digits beyond microseconds.
    if when is None or value[26:27].isdigit():
        with suppress(ValueError):
            when = _read_rfc3339()(value)
    return when if when is None or when.tzinfo is not None else as_local(when)


def as_local(when: datetime) -> datetime:
    """Return a datetime without an offset as one of the service's local time."""
    return when.replace(tzinfo=KATHMANDU)


@functools.cache
def _read_rfc3339() -> Callable[[Any], datetime]:
    from msgspec import convert  # noqa: PLC0415 - with the first answer, not before

    return functools.partial(convert, type=datetime)


_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")
_SPOKEN = re.compile(r"(?:(\d+)\s*h)?\s*(?:(\d+)\s*m)?\s*(?:(\d+(?:\.\d+)?)\s*s)?")


def read_duration(value: Any, _: Any = None) -> timedelta:
    """Read a duration: a number of seconds, `"10s"`, `"1m 5s"` or `"05:30:00"`."""
    if type(value) is str and (duration := find_duration(value)) is not None:
        return duration
    try:
        duration = timedelta(seconds=read_float(value))
    except (InvalidValueError, OverflowError, ValueError):
        raise InvalidValueError(value, "a duration") from None
    if duration < timedelta(0):
        raise InvalidValueError(value, "a duration")
    return duration


@functools.lru_cache(maxsize=1024)  # The durations of a list's calls are few and come often.
def find_duration(value: object) -> timedelta | None:
    """Return the duration that a text stands for, None if it is none.

    Raises:
        Unread: The text is too long for one. What is raised is not kept, as what is returned is.
    """
    if type(value) is not str:
        return None
    if len(value) > MAX_TEXT:
        raise InvalidValueError(value, "a duration")
    text = value.strip()
    match = _CLOCK.fullmatch(text) or _SPOKEN.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if match.re is _CLOCK and (seconds >= 60 or (match[1] and minutes >= 60)):
        return None
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
