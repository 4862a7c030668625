"""JSON texts: parsed by msgspec, which is imported with the first response, and written by the standard library.

Rows, of which there may be many, are written by msgspec.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, cast

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Encoded(bytes):
    """A value that was written as JSON text before. `dumps` returns it as it is."""


def loads(text: bytes) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: The text is not JSON.
    """
    try:
        return _decoder()(text)
    except RecursionError:
        raise ValueError("the JSON text is nested too deeply") from None


def dumps(value: object) -> bytes:
    """Write a value as JSON text. A value that JSON cannot represent is refused, never converted.

    Raises:
        ValueError: The value contains NaN, infinity, a number of more than 64 bits, unencodable text, or itself.
        TypeError: The value contains a type that JSON does not have, or a key that is not a string.
    """
    if isinstance(value, Encoded):
        return value
    text = _ENCODER.encode(value).encode()
    rest = [value]  # The standard library converts what is refused here. The value is finite: it is written by now.
    while rest:
        part = rest.pop()
        if type(part) is str:
            continue
        if isinstance(part, dict):
            for name in cast("dict[object, object]", part):
                if not isinstance(name, str):
                    raise TypeError("the keys of an object must be strings")
            rest += cast("dict[object, object]", part).values()
        elif isinstance(part, list | tuple):
            rest += cast("list[object]", part)
        elif isinstance(part, int) and not -(2**63) <= part < 2**64:
            raise ValueError("a number has more than 64 bits")
    return text


def dumps_flat(value: object) -> bytes | None:
    """Write a dictionary of texts, integers, booleans and nulls as JSON text, in a tenth of the time of `dumps`.

    Returns:
        The text; None for anything else, or if there is anything that `dumps` would refuse.
    """
    if type(value) is not dict:
        return None
    for name, part in cast("dict[object, object]", value).items():
        if type(name) is not str:
            return None
        if type(part) is str or part is None or type(part) is bool:
            continue
        if type(part) is not int or not -(2**63) <= part < 2**64:
            return None
    try:
        return _encoder()(value)
    except (UnicodeError, ImportError, OSError):  # The last two, if msgspec cannot be loaded.
        return None


def explain(value: object, error: Exception) -> str:
    """Return the text of an error that `dumps` raised for an object. It names the field that cannot be encoded."""
    refused = "an argument"
    for name, part in cast("dict[object, object]", value).items() if isinstance(value, dict) else ():
        try:
            dumps({name: part})
        except (TypeError, ValueError, RecursionError):
            refused = f"`{name}`"
            break
    return f"{refused} cannot be encoded as JSON: {error}."


@functools.cache
def _decoder() -> Callable[[bytes], Any]:
    from msgspec.json import Decoder  # noqa: PLC0415

    return Decoder().decode


@functools.cache
def _encoder() -> Callable[[Any], bytes]:
    from msgspec.json import Encoder  # noqa: PLC0415

    return Encoder().encode
