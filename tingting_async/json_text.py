"""JSON as it travels: read by msgspec, which is imported with the first answer, and written by the standard library.

What is written may hold nothing that JSON does not know: other libraries make something of bytes, sets and objects.
"""

import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msgspec import Raw


def loads(text: "bytes | Raw") -> Any:
    """Read a JSON text.

    Raises:
        ValueError: It is none.
    """
    try:
        return _decoders()[0](text)
    except RecursionError:
        raise ValueError("nested deeper than anything that is meant") from None


def outline(text: "bytes | Raw") -> "Mapping[str, Raw] | None":
    """Return the values of an object as the texts that they are, unread; None if it is no object."""
    try:
        return _decoders()[1](text)
    except (ValueError, RecursionError):
        return None


def dumps(value: object) -> bytes:
    """Write a JSON text.

    Raises:
        ValueError: It holds a number that is none, a text that cannot be encoded, or itself.
        TypeError: It holds something that JSON does not know.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@functools.cache
def _decoders() -> "tuple[Callable[[bytes | Raw], Any], Callable[[bytes | Raw], Mapping[str, Raw]]]":
    from msgspec import Raw  # noqa: PLC0415
    from msgspec.json import Decoder  # noqa: PLC0415

    return Decoder().decode, Decoder(dict[str, Raw]).decode
