"""JSON as it travels: read by msgspec, which is imported with the first answer, and written by the standard library.

What is written may hold nothing that JSON does not know: other libraries make something of bytes, sets and objects.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, cast


def loads(text: bytes) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: It is none.
    """
    try:
        return _decoder()(text)
    except RecursionError:
        raise ValueError("nested deeper than anything that is meant") from None


def dumps(value: object) -> bytes:
    """Write a JSON text.

    Raises:
        ValueError: It holds a number that is none or longer than 64 bits, a text that cannot be encoded, or itself.
        TypeError: It holds something that JSON does not know, or a name that is no text.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    rest = [value]  # What the standard library makes something of; not endless, as it is no longer in itself.
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if not all(isinstance(name, str) for name in cast("dict[object, object]", part)):
                raise TypeError("a name in an object has to be a text")
            rest += cast("dict[object, object]", part).values()
        elif isinstance(part, list | tuple):
            rest += cast("list[object]", part)
        elif isinstance(part, int) and not -(2**63) <= part < 2**64:
            raise ValueError("a number is longer than 64 bits")
    return text


@functools.cache
def _decoder() -> Callable[[bytes], Any]:
    from msgspec.json import Decoder  # noqa: PLC0415

    return Decoder().decode
