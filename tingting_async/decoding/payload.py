"""The payload of a response: where it is in the body."""

from contextlib import suppress
from typing import Any, cast

from tingting_async.decoding import envelopes
from tingting_async.http.messages import PayloadPath, Request, Response, format_path


class PayloadError(Exception):
    """The body has no payload where it should be. The decoder turns this into a `DecodeError`."""

    def __init__(self, what: str, path: PayloadPath = ()) -> None:
        super().__init__(what)
        self.what = what
        self.path: PayloadPath = path


class InvalidValueError(ValueError):
    """A hook refused a value. The text names the type of the value, never the value, which may be personal."""

    def __init__(self, value: object, wanted: str) -> None:
        kind = cast("type", type(value))
        super().__init__(f"expected {wanted}, got {_KINDS.get(kind, kind.__name__)}")


_KINDS: dict[type, str] = {type(None): "null", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}


def parse(request: Request[Any], response: Response) -> Any:
    """Return the body as a JSON value.

    Raises:
        PayloadError: The body is not JSON.
    """
    if not response.body and not request.payload and request.method == "DELETE":
        return {}  # The response to a deletion may be empty.
    if request.allows_empty_body and not response.body.lstrip().startswith((b"<", b"{", b"[", b'"')):
        return {"message": response.body.decode(errors="replace")}
    with suppress(ValueError):  # The error holds the whole body, and must not become the context of another error.
        return response.json()
    raise PayloadError("is not JSON")


def extract(value: Any, path: PayloadPath) -> Any:
    """Return the part of a JSON value at `path`.

    Raises:
        PayloadError: The part is missing. A missing key is never decoded as an empty list.
    """
    for depth, step in enumerate(path):
        try:
            if isinstance(step, str):
                value = cast("dict[str, Any]", {} if type(value) is not dict else value)[step]
            else:
                value = cast("list[Any]", [] if type(value) is not list else value)[step]
        except LookupError:
            missing = path[: depth + 1]
            raise PayloadError(f"lacks `{format_path(missing)}`", missing) from None
    return value


def extract_url(response: Response) -> str | None:
    """Return the URL in a response: the body itself, a JSON string, or the first URL in a JSON value."""
    try:
        texts = envelopes.collect_strings(response.json())
    except ValueError:
        texts = [response.body[:4096].decode(errors="replace").strip()]
    return next((text for text in texts if text.startswith(("https://", "http://", "/")) and " " not in text), None)
