"""The bodies of requests and responses, apart from how a connection carries them."""

from typing import Any

from tingting_async.errors import DecodeError, UsageError
from tingting_async.http.json import dumps, explain
from tingting_async.http.messages import Request, Response, decode_error


def encode_json(request: Request[Any]) -> bytes:
    """Return the JSON body of a request.

    Raises:
        UsageError: It cannot be encoded.
    """
    try:
        return dumps(request.json)
    except (TypeError, ValueError, RecursionError) as error:  # Their texts name types, never values.
        raise UsageError(f"{request.operation}: {explain(request.json, error)}") from None


def too_large(request: Request[Any], status: int, limit: int) -> DecodeError:
    """Return the error for a response whose body is larger than the limit, in bytes."""
    return decode_error(request, Response(status), f"is larger than {limit // 2**20} MiB; the rest was not read")


def check_form(request: Request[Any]) -> None:
    """Refuse a form with a text that cannot be encoded.

    Raises:
        UsageError: It has one.
    """
    for name, value in request.form:
        try:
            _ = value.encode() if isinstance(value, str) else b""
        except UnicodeEncodeError:
            what = f"the form's field `{name}` contains half a character (a lone surrogate), which cannot be sent"
            raise UsageError(f"{request.operation}: {what}.") from None
