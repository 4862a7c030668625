"""Bodies and queries of the control interface, checked strictly: a misspelt field would test something else."""

import json
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_type_hints

import msgspec
from multidict import MultiMapping

ROOT = "/control/v1/"
"""The path of the control interface."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What every response says: caches must not keep it, and pages of other sites must not show it."""
_PATH = re.compile(r" - at `(?:key` in `)?\$\.(\w+)")
_NAMED = re.compile(r"field `(\w+)`")
_LONGEST = 80
"""How much of an invalid value an error shows."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request says. Each field has its type, its limits and a description for errors."""


Given = TypeVar("Given", bound=Input)


class ControlError(Exception):
    """A request that is refused: why, the field that is wrong, and the status of the response."""

    def __init__(self, message: str, field: str | None = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.status = status


def read_body(raw: bytes, kind: type[Given]) -> Given:
    """Return a JSON body as a struct. An empty body is an empty object."""
    try:
        body = msgspec.json.decode(raw.strip() or b"{}")
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError, like msgspec's error.
        raise ControlError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise ControlError('The body is not valid: use a JSON object, such as {"name": "value"}.')
    body = cast("dict[str, Any]", body)
    return _read(kind, body, lambda: msgspec.convert(body, kind))


def read_query(query: MultiMapping[str], kind: type[Given]) -> Given:
    """Return a query as a struct."""
    for name in query:
        if len(query.getall(name)) > 1:
            raise ControlError(f"{name} is given more than once: give it once.", name)
    values = dict(query)
    return _read(kind, values, lambda: msgspec.convert(values, kind, strict=False))


def _read(kind: type[Given], values: dict[str, Any], read: Callable[[], Given]) -> Given:
    names = [field.name for field in msgspec.structs.fields(kind)]
    if unknown := [name for name in values if name not in names]:
        near = get_close_matches(unknown[0], names, 1)
        known = f"use {', '.join(names)}" if names else "this request takes no fields"
        hint = f"did you mean {near[0]}?" if near else f"{known}."
        raise ControlError(f"There is no field {unknown[0][:_LONGEST]}: {hint}", unknown[0])
    try:
        return read()
    except msgspec.ValidationError as error:
        if (missing := _NAMED.search(str(error))) is not None:
            name = missing[1]
            raise ControlError(f"{name} is missing: use {_description(kind, name)}.", name) from None
        path = _PATH.search(str(error))
        if path is None:
            raise ControlError(f"The input is not valid: {error}.") from None
        name = path[1]
        shown = json.dumps(values[name], ensure_ascii=False)[:_LONGEST]
        raise ControlError(f"{name}={shown} is not valid: use {_description(kind, name)}.", name) from None


def _description(kind: type[Input], name: str) -> str:
    return str(get_type_hints(kind, include_extras=True)[name].__metadata__[-1].description)
