"""The envelopes around payloads: how a page is written, and what counts as a failure under HTTP 200."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

from tingting_async.http.messages import PayloadPath

_MESSAGE_KEYS = ("message", "detail", "error", "messages")
_ENVELOPE_KEYS = {*_MESSAGE_KEYS, "status", "success", "errors", "data", "code"}


class PageEnvelope:
    """How one generation of the API writes a page, as its documents print it.

    A page that has these fields and no others can be decoded in one step.
    """

    def __init__(self, rows: str, outer: Mapping[str, Any], inner: Mapping[str, Any] | None = None) -> None:
        self.rows: str = rows
        """The field that holds the rows, or the object around them."""
        self.outer: Mapping[str, Any] = outer
        """The other fields of a page and their types, in the documented order. A service writes them in that order."""
        self.inner: Mapping[str, Any] = inner or {}
        """The fields beside the rows and their types, if the rows are in an object of their own."""

    def path(self, payload: PayloadPath) -> PayloadPath:
        """Return the path of a list's rows in a page."""
        return (self.rows, *payload[1:]) if payload else ()

    def is_page(self, body: Any, payload: PayloadPath) -> bool:
        """Return whether a response is a page, although the documents print no pagination for the list."""
        if not isinstance(body, dict) or not payload or payload[0] in body:
            return False
        return {self.rows, next(iter(self.outer))} <= cast("dict[str, Any]", body).keys()


FAILURE_FIELDS = ("success", "status", "error", "errors")
"""The fields by which `is_failure` recognises a failure. An object without them is a success."""


def may_be_failure(body: bytes) -> bool:
    """Return whether a body is an object with a field by which `is_failure` recognises a failure.

    The other fields are skipped, not parsed: it takes a tenth of the time of decoding a page.
    """
    try:
        return _failure_finder()(body)
    except (ValueError, RecursionError):
        return False  # Not JSON, not an object, or nested too deeply.


@functools.cache
def _failure_finder() -> Callable[[bytes], bool]:
    from msgspec import UNSET, defstruct  # noqa: PLC0415 - with the first response
    from msgspec.json import Decoder  # noqa: PLC0415

    fields = defstruct("FailureFields", [(name, Any, UNSET) for name in FAILURE_FIELDS])
    decode, nothing = Decoder(fields).decode, fields()
    return lambda body: decode(body) != nothing


def is_failure(body: Mapping[str, Any]) -> bool:
    """Return whether an object is the envelope of a failure, regardless of its HTTP status."""
    success, inner = body.get("success"), body.get("status")
    if success is None and type(inner) is not int and "error" not in body and "errors" not in body:
        return False  # Nearly every response ends here.
    if success is True:
        return False
    if success is False or success == "false" or (type(inner) is int and 400 <= inner <= 599):
        return True
    # A result may list errors of its rows. Then it has more fields than an envelope.
    return bool(body.get("error") or body.get("errors")) and not body.get("data") and body.keys() <= _ENVELOPE_KEYS


_FAILED = ("error", "fail", "failed", "failure")


def is_ambiguous(body: Any) -> bool:
    """Return whether a response that counts as a success contains a sign of failure.

    Such a response is not clearly a failure, but it does not prove that people are being called either.
    """
    if not isinstance(body, dict):
        return False
    envelope = cast("dict[str, Any]", body)
    success, inner = envelope.get("success"), envelope.get("status")
    if success not in (None, True) and str(success).lower() != "true":
        return True
    code = int(inner) if isinstance(inner, str) and inner.isascii() and inner.isdigit() else inner
    if type(code) is int and code >= 400:
        return True
    # "failed" is also the status of a contact. Only in an object that is nothing but an envelope does it mean failure.
    if isinstance(inner, str) and inner.lower() in _FAILED and envelope.keys() <= _ENVELOPE_KEYS:
        return True
    return bool(envelope.get("error"))


def is_mixed(envelope: Mapping[str, Any]) -> bool:
    """Return whether the envelope of a failure contains a message and errors, but no clear refusal."""
    if envelope.get("success") is not None or type(envelope.get("status")) is int:
        return False
    return bool(envelope.get("message") and envelope.get("errors"))


def extract_errors(body: Any) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the explanation of a failure: a message, and the errors by field."""
    if not isinstance(body, dict):
        return ("; ".join(collect_strings(body)), {})
    envelope = cast("dict[str, Any]", body)
    messages = [text for key in _MESSAGE_KEYS for text in collect_strings(envelope.get(key))]
    fields: dict[str, list[str]] = {}
    errors = envelope.get("errors")
    for error in errors if isinstance(errors, list) else [errors]:  # pyright: ignore[reportUnknownVariableType]
        if isinstance(error, dict):
            _collect(cast("dict[str, Any]", error), fields)
        else:
            messages += collect_strings(error)
    # Django REST framework also writes the errors by field without an envelope.
    _collect({key: value for key, value in envelope.items() if key not in _ENVELOPE_KEYS}, fields)
    return ("; ".join(dict.fromkeys(messages)), {name: tuple(texts) for name, texts in fields.items()})


def _collect(by_field: Mapping[str, Any], fields: dict[str, list[str]]) -> None:
    for name, value in by_field.items():
        # A boolean such as `has_logged_in: false` explains nothing.
        if not isinstance(value, bool) and (found := collect_strings(value)):
            fields.setdefault(name, []).extend(found)


def collect_strings(value: Any) -> list[str]:
    """Return every scalar in a JSON value as a string, in order; null and empty strings are left out."""
    found: list[str] = []
    rest = [value]
    while rest:  # No recursion: a response may be nested more deeply than the stack allows.
        part = rest.pop()
        if isinstance(part, dict):
            rest.extend(reversed(cast("dict[str, Any]", part).values()))
        elif isinstance(part, list):
            rest.extend(reversed(cast("list[Any]", part)))
        elif part is not None and part != "":
            found.append(str(part))
    return found
