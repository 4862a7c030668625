"""The payload of a response: where it lies, and what it looks like in an error."""

import re
from contextlib import suppress
from typing import Any, cast

from tingting_async.decoding import envelopes
from tingting_async.errors import DecodeError
from tingting_async.http.messages import PayloadPath, Request, Response
from tingting_async.redaction import SECURE

# What was said to a person holds the code, in whichever spelling.
_MESSAGE = re.compile(r'("message"\s*:\s*)"(?:[^"\\]|\\.)*"?')


def excerpt(request: Request[Any], response: Response, *, length: int = 200) -> str:
    """Return the start of a body, on one line, with digits and tokens masked."""
    # Redact before cutting: half a token is not recognised as one.
    words = response.body[: 16 * length].decode(errors="replace").split()
    if len(response.body) > 16 * length and len(words) > 1:
        words.pop()
    text = " ".join(words)
    if request.operation.startswith("otp"):
        text = _MESSAGE.sub(rf'\1"{SECURE}"', text)
    text = request.redact(text, codes=True)
    return text if len(text) <= length else text[: length - 1] + "…"


def decode(request: Request[Any], response: Response, *, whole: bool = False) -> Any:
    """Return the payload of an answer, or with `whole` all that came.

    Raises:
        DecodeError: The body is no JSON, or the payload is not where it belongs.
    """
    if not response.body and not request.payload and request.method == "DELETE":
        return {}  # A deletion may answer with nothing at all.
    if request.allows_empty_body and not response.body.lstrip().startswith((b"<", b"{", b"[", b'"')):
        return {"message": response.body.decode(errors="replace")}
    value: Any = ...
    with suppress(ValueError):  # It holds the whole body, and would be shown as the context of what is raised.
        value = response.json()
    if value is ...:
        shown = excerpt(request, response)
        raise DecodeError(
            f"{request.operation}: {request.method} {request.path} was answered with {response.status} and a body "
            f"that is not JSON: {shown!r}",
            excerpt=shown,
            body=response.body,
            status=response.status,
            operation=request.operation,
        )
    return value if whole else extract(request, response, value, request.payload)


def extract(request: Request[Any], response: Response, value: Any, path: PayloadPath) -> Any:
    """Return what lies at `path`.

    Raises:
        DecodeError: It is not there. A missing key is never read as an empty list.
    """
    for depth, step in enumerate(path):
        try:
            if isinstance(step, str):
                value = cast("dict[str, Any]", {} if type(value) is not dict else value)[step]
            else:
                value = cast("list[Any]", [] if type(value) is not list else value)[step]
        except LookupError:
            where = format_path(path[: depth + 1])
            shown = excerpt(request, response)
            raise DecodeError(
                f"{request.operation}: the answer to {request.method} {request.path} lacks `{where}`: {shown!r}",
                path=where,
                problems=((where, "missing"),),
                excerpt=shown,
                body=response.body,
                status=response.status,
                operation=request.operation,
            ) from None
    return value


def format_path(path: PayloadPath) -> str:
    """Return a path as it is read: `result.campaign-lists[3].id`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def extract_url(response: Response) -> str | None:
    """Return the URL that an answer holds: bare, as JSON, or somewhere in an object."""
    try:
        texts = envelopes.collect_strings(response.json())
    except ValueError:
        texts = [response.body[:4096].decode(errors="replace").strip()]
    return next((text for text in texts if text.startswith(("https://", "http://", "/")) and " " not in text), None)
