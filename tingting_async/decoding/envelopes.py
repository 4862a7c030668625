"""What the service's envelopes say of a failure, in whichever of their shapes they came. Knows JSON values only."""

from collections.abc import Mapping
from typing import Any, cast

from tingting_async.http.json import loads

_MESSAGE_KEYS = ("message", "detail", "error", "messages")
_ENVELOPE_KEYS = {*_MESSAGE_KEYS, "status", "success", "errors", "data", "code"}


def is_failure(body: Mapping[str, Any]) -> bool:
    """Tell whether an object is a failure's envelope, whatever status it came under."""
    success, inner = body.get("success"), body.get("status")
    if success is None and type(inner) is not int and "error" not in body and "errors" not in body:
        return False  # Nearly all that comes.
    if success is True:
        return False
    if success is False or success == "false" or (type(inner) is int and 400 <= inner <= 599):
        return True
    # A result may have errors of its own, row by row; then there is more in it than an envelope.
    return bool(body.get("error") or body.get("errors")) and not body.get("data") and body.keys() <= _ENVELOPE_KEYS


_FAILED = ("error", "fail", "failed", "failure")


def is_ambiguous(body: Any) -> bool:
    """Tell whether an answer that was taken for a success holds something that speaks against it.

    Not enough for a refusal, and too much to say that people are being called.
    """
    if not isinstance(body, dict):
        return False
    answer = cast("dict[str, Any]", body)
    success, inner = answer.get("success"), answer.get("status")
    if success not in (None, True) and str(success).lower() != "true":
        return True
    code = int(inner) if isinstance(inner, str) and inner.isascii() and inner.isdigit() else inner
    if type(code) is int and code >= 400:
        return True
    # "failed" is what became of a contact as well: only an object that is nothing but an envelope means itself.
    if isinstance(inner, str) and inner.lower() in _FAILED and answer.keys() <= _ENVELOPE_KEYS:
        return True
    return bool(answer.get("error"))


def is_mixed(body: bytes) -> bool:
    """Tell whether an answer that came with a good status holds a message beside its errors, and no plain no."""
    try:
        value = loads(body)
    except ValueError:
        return False
    answer = cast("dict[str, Any]", value if isinstance(value, dict) else {})
    if answer.get("success") is not None or type(answer.get("status")) is int:
        return False
    return bool(answer.get("message") and answer.get("errors"))


def extract_errors(body: Any) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return what a failure says, as a message and by field."""
    if not isinstance(body, dict):
        return ("; ".join(collect_strings(body)), {})
    answer = cast("dict[str, Any]", body)
    messages = [text for key in _MESSAGE_KEYS for text in collect_strings(answer.get(key))]
    fields: dict[str, tuple[str, ...]] = {}
    errors = answer.get("errors")
    for said in errors if isinstance(errors, list) else [errors]:  # pyright: ignore[reportUnknownVariableType]
        if isinstance(said, dict):
            _collect(cast("dict[str, Any]", said), fields)
        else:
            messages += collect_strings(said)
    # DRF's bare form: the fields are the keys of the answer itself.
    _collect({key: value for key, value in answer.items() if key not in _ENVELOPE_KEYS}, fields)
    return ("; ".join(dict.fromkeys(messages)), fields)


def _collect(by_field: Mapping[str, Any], fields: dict[str, tuple[str, ...]]) -> None:
    for name, said in by_field.items():
        if not isinstance(said, bool) and (
            found := tuple(collect_strings(said))
        ):  # `has_logged_in: false` explains nothing.
            fields[str(name)] = fields.get(str(name), ()) + found


def collect_strings(value: Any) -> list[str]:
    """Return every text in a JSON value, in order."""
    found: list[str] = []
    rest = [value]
    while rest:  # Not by recursion: what came may be nested deeper than the stack.
        part = rest.pop()
        if isinstance(part, dict):
            rest.extend(reversed(cast("dict[str, Any]", part).values()))
        elif isinstance(part, list):
            rest.extend(reversed(cast("list[Any]", part)))
        elif part is not None and part != "":
            found.append(str(part))
    return found
