"""The values of rows: from what Python and spreadsheets hold to what a person would expect to read."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

Cell: TypeAlias = str | int | float | list[Any] | dict[str, Any] | None
"""A cell of a row, as JSON can hold it. None is a cell that the row does not have; an empty one is an empty text."""

MISSING: Final = object()
"""Stands for a value that a row does not have, in rows that have names for their values."""
ERRORS: Final = re.compile(
    r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|GETTING_DATA|BLOCKED!|CONNECT!|BUSY!|UNKNOWN!"
    r"|EXTERNAL!|PYTHON!|ERROR!)|Err:\d{3}",
    re.IGNORECASE,
)
"""How spreadsheet programs write a cell whose formula failed."""
UNCALCULATED: Final = "=?"
"""Stands for a formula whose result the file does not have."""
_LARGEST: Final = 10**1000
_FORMULA = re.compile(r"=\s*(?:[\w$@\"'{(]|[+-]\s*[\w(]).*", re.DOTALL)
_QUOTED = re.compile(r'="((?:[^"]|"")*)"')
_BLANK = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*")
_ESCAPABLE = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def is_blank(cell: object) -> bool:
    """Return whether a cell has nothing that can be seen."""
    if isinstance(cell, str):
        if cell and " " < cell[0] < "\x7f":  # Nearly all cells begin like this.
            return False
        return _BLANK.fullmatch(cell) is not None
    return cell is None or cell is MISSING or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124 - NaN


def is_formula(text: str) -> bool:
    """Return whether a text is a formula, which a spreadsheet program would calculate."""
    return text.startswith("=") and (text == UNCALCULATED or _FORMULA.fullmatch(text) is not None)


def unquote(text: str) -> str:
    """Return a text without what protects it from spreadsheet programs: `="0123"`, or the apostrophe of `'-5`."""
    found = _QUOTED.fullmatch(text) if text.startswith('="') else None
    return found[1].replace('""', '"') if found else unescape(text)


def escape(text: str) -> str:
    """Return a text with an apostrophe before it, if a spreadsheet program would take it for a formula."""
    return f"'{text}" if _ESCAPABLE.match(text) else text


def unescape(text: str) -> str:
    """Return a text as it was before `escape`."""
    return text[1:] if text.startswith("'") and _ESCAPABLE.match(text) else text


def cell_of_sheet(value: Any) -> str:
    """Return the text of a spreadsheet's cell. See "Values" in docs/recipients.md."""
    if type(value) is str:
        return value
    if type(value) is float:
        # The spreadsheet itself has 15 digits: it shows 0.1 + 0.2 as 0.3.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{Decimal(f'{value:.15g}'):f}"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(cell_of_python(value))


def cell_of_python(value: Any) -> Cell:
    """Return a value as JSON can hold it: text, if JSON has no type for it. See "Values" in docs/recipients.md.

    Raises:
        ValueError: It has no text that a person would expect. The message says what it is.
    """
    kind = cast("type[object]", type(value))
    if kind is str or kind is bool:
        return cast("Cell", value)
    if kind is int:
        return _of_int(value)
    if value is None or kind.__name__ in ("NAType", "NaTType"):
        return ""
    if kind is float:
        return _of_float(value)
    if isinstance(value, list | tuple | dict):
        return _of_collection(value)
    convert = next((convert for types, convert in _CONVERTERS if isinstance(value, types)), None)
    return convert(value) if convert else _of_scalar(value)


def _of_int(value: int) -> int:
    if not -_LARGEST < value < _LARGEST:  # Python itself writes no integer of more than 4,300 digits.
        raise ValueError("a number that is too large")
    return value


def _of_float(value: float) -> Cell:
    if value != value:  # noqa: PLR0124 - how DataFrames write that there is no value
        return ""
    if value in (float("inf"), float("-inf")):
        raise ValueError("an infinite number")
    return int(value) if value.is_integer() else value


def _of_collection(value: Any) -> Cell:
    try:
        return cast("Cell", json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"a {type(value).__name__} that JSON cannot hold") from None


def _of_decimal(value: Decimal) -> str:
    if value.is_nan():
        return ""
    if value.is_infinite() or abs(value.adjusted()) > 1000:
        raise ValueError("a number that is too large")
    return f"{value:f}"


def _of_datetime(value: datetime) -> str:
    day = f"{value.year:04}-{value.month:02}-{value.day:02}"
    if value.time() == time():
        return day
    zone = value.strftime("%z")
    return f"{day} {_of_time(value.time())}{zone and f'{zone[:3]}:{zone[3:5]}'}"


def _of_time(value: time) -> str:
    seconds = f":{value.second:02}" if value.second or value.microsecond else ""
    fraction = f".{value.microsecond:06}".rstrip("0") if value.microsecond else ""
    return f"{value.hour:02}:{value.minute:02}{seconds}{fraction}"


def _of_timedelta(value: timedelta) -> str:
    total = abs(value)
    seconds = total.days * 86_400 + total.seconds
    rest = f":{seconds % 60:02}" if seconds % 60 else ""
    return f"{'-' if value < timedelta() else ''}{seconds // 3600}:{seconds // 60 % 60:02}{rest}"


def _of_scalar(value: Any) -> str:
    """Return the text of a scalar of NumPy or of a library like it."""
    if type(value).__name__ in ("datetime64", "timedelta64"):
        value = value.astype(f"{type(value).__name__}[us]")
    item = value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value
    if item is value or type(item) is type(value):
        name = type(value).__name__
        raise ValueError(f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}")
    return str(cell_of_python(item))


def _of_str(value: str) -> str:
    return str.__str__(value)


_CONVERTERS: Sequence[tuple[type | tuple[type, ...], Callable[[Any], Cell]]] = (
    (Enum, lambda value: cell_of_python(value.value)),
    (str, _of_str),
    (int, lambda value: _of_int(int(value))),
    (Decimal, _of_decimal),
    (datetime, _of_datetime),
    (date, date.isoformat),
    (time, _of_time),
    (timedelta, _of_timedelta),
    (UUID, str),
)
