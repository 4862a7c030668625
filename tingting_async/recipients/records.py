"""Models as flat records of plain values, which make the rows of a table."""

import base64
import math
from collections.abc import Iterator, Mapping, Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, cast, get_args, get_origin
from uuid import UUID

import attrs

from tingting_async.errors import UsageError
from tingting_async.tracebacks import short_traceback

_TO_TEXT = (UUID, PurePath, str)
_NO_VALUES = ("NAType", "NaTType")
"""The types with which pandas writes that there is no value."""


@short_traceback
def as_record(model: object) -> dict[str, Any]:
    """Return a model as one flat mapping of plain values, which JSON and the columns of a DataFrame can hold.

    It has every field in full, including those that the model's `repr` masks or hides: phone numbers, codes, tokens.

    - Decimals become floats, and timedeltas become seconds, as floats. Enums become their values.
    - Datetimes and dates become ISO 8601 texts, with the offset that they have.
    - The fields of a model within the model, and the items of a mapping, get names with a dot: `contact.number`,
      `variables.name`. If such a model is None, each of its fields is None. A mapping that is None adds nothing.
    - Tuples and sets become lists, and models in them become records. Bytes become base64 text.

    Args:
        model: A model of the library, any other attrs instance, or a mapping.

    Raises:
        UsageError: It is something else, or has a value of a type without such a form.
    """
    if not _is_nested(model):
        raise UsageError(f"as_record: a {type(model).__name__} is neither a model nor a mapping.")
    return dict(_items("", model))


def _items(prefix: str, value: object) -> Iterator[tuple[str, Any]]:
    """Yield the names and the plain values of a model's fields, or of a mapping's items."""
    if isinstance(value, Mapping):
        given = ((f"{prefix}{key}", part, None) for key, part in cast("Mapping[object, Any]", value).items())
    else:
        given = ((f"{prefix}{name}", getattr(value, name), kind) for name, kind in _fields(cast("Any", type(value))))
    for name, part, kind in given:
        if _is_nested(part):
            yield from _items(f"{name}.", part)
        elif part is not None or kind is None:
            yield name, _plain(name, part)
        elif kind is not Mapping:
            yield from ((f"{name}.{missing}", None) for missing in _names(kind))


def _is_nested(value: Any) -> bool:
    """Return whether a value is a model or a mapping."""
    return isinstance(value, Mapping) or attrs.has(cast("type[Any]", type(value)))


@cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a model, each with the model in it, or `Mapping` if that is what it may hold."""
    return tuple((field.name, _nested(field.type)) for field in attrs.fields(cast("Any", kind)))


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Return the names of a model's fields in a record, if the model is missing."""
    found: list[str] = []
    for name, nested in _fields(kind):
        if nested is None:
            found.append(name)
        elif nested is not Mapping and nested is not kind:
            found += (f"{name}.{inner}" for inner in _names(nested))
    return tuple(found)


def _nested(kind: Any) -> Any:
    """Return the model in a field of this type, `Mapping`, or None; a model in a tuple is not in the field itself."""
    if isinstance(kind, type) and attrs.has(kind):
        return kind
    origin = get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Mapping
    is_union = type(None) in get_args(kind)
    return next((found for part in get_args(kind) if (found := _nested(part)) is not None), None) if is_union else None


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it. Models and mappings come here only within a list."""
    if value is None or type(value) in (str, int, bool):
        return value
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case Enum():
            return _plain(name, value.value)
        case Decimal():
            return None if value.is_nan() else _plain(name, float(value))  # A signaling NaN has no float.
        case datetime() | date() | time():
            return value.isoformat() if type(value).__name__ not in _NO_VALUES else None
        case timedelta():
            return value.total_seconds()
        case int():
            return int(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [_plain(name, part) for part in cast("list[Any]", value)]
        case AbstractSet():
            return sorted((_plain(name, part) for part in cast("AbstractSet[Any]", value)), key=str)
        case _:
            pass
    if isinstance(value, _TO_TEXT):
        return str(value)
    if _is_nested(value):
        return as_record(value)
    if type(value).__name__ in _NO_VALUES:
        return None
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # Of numpy.
        return _plain(name, value.tolist())
    raise UsageError(f"as_record: {name!r} is a {type(value).__name__}, which has no plain form.")
