"""Whether a response is a success, and the error for one that is not. No I/O, no endpoint, no generation of the API."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

from tingting_async.decoding import envelopes
from tingting_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)
from tingting_async.http.causes import PROXY_SIGN_IN
from tingting_async.http.messages import Request, Response, excerpt

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: BadRequestError,
    429: RateLimitedError,
}

_ADVICE: dict[type[ApiError], str] = {
    BadRequestError: "Correct the request: unchanged, it will be refused again.",
    AuthenticationError: "Check the credentials.",
    PermissionDeniedError: "This account is not allowed to do that.",
    NotFoundError: "Check the id, and that it belongs to this account.",
    ConflictError: "Check the present state before you try again.",
}


def error_status(response: Response) -> int | None:
    """Return the status of the failure that a response reports, or None for a success.

    An envelope can report a failure under HTTP 200, too: `{"status": 400, "success": false, …}`.
    """
    status = response.status
    if 200 <= status < 300:
        try:
            body = response.json() if envelopes.may_be_failure(response.body) else None
        except ValueError:
            return None  # The decoder decides: an audio file is a success, an HTML page is not.
        if type(body) is not dict or not envelopes.is_failure(cast("dict[str, Any]", body)):
            return None
        inner: object = cast("dict[str, Any]", body).get("status")
        if isinstance(inner, int) and 400 <= inner <= 599:
            status = inner
    return status


def error_from_response(request: Request[Any], response: Response, status: int) -> ApiError:
    """Return the error for a response that reports a failure.

    Args:
        request: The request, with the secrets that the text must not show.
        response: The response.
        status: The status of the failure, from `error_status`.
    """
    from tingting_async.decoding import refusals  # noqa: PLC0415 - it compiles many words

    kind = ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
    if 200 <= status < 300:
        kind = BadRequestError
    if refusals.is_dead_token(response, status):
        kind = AuthenticationError
    message, field_errors = _explain(request, response)
    fields = (f"{name}: {'; '.join(texts)}." for name, texts in field_errors.items())
    shown = request.redact(" ".join([message, *fields])).strip().rstrip(".")
    error = kind(
        f"{request.operation}: {request.method} {request.path} failed with {status} ({_reason(status)})"
        f"{': ' + shown if shown else ', without an explanation'}. {_advice(kind, request, response, status, shown)}",
        status=status,
        message=message,
        field_errors=field_errors,
        body=response.body,
        operation=request.operation,
        method=request.method,
        path=request.path,
        request_id=response.headers.get("X-Request-ID"),
        is_refusal=refusals.is_refusal(request.effect, response, status),
    )
    if isinstance(error, RateLimitedError | ServerError):
        error.retry_after = retry_after(response)
    return error


def _advice(kind: type[ApiError], request: Request[Any], response: Response, status: int, shown: str) -> str:
    """Return what to do about a failure, which the service explains as `shown`."""
    from tingting_async.decoding import refusals  # noqa: PLC0415 - it compiles many words

    seconds = retry_after(response)
    when = "later" if seconds is None else f"in {math.ceil(seconds)} s"
    if kind is RateLimitedError:
        return f"Send fewer requests, or try again {when}."
    if kind is ServerError:
        return f"The service failed; try again {when}."
    if status in (408, 425):
        return f"Try again {when}."
    if 300 <= status < 400:
        return "Redirects are followed only for reads on the same origin: check `base_url`."
    if status == 407:
        return PROXY_SIGN_IN
    if status == 402 or re.search(_CREDITS, shown):
        return "Buy credits, and try again."
    if 400 <= response.status < 500 and refusals.is_foreign(response):
        return _FOREIGN
    if kind is NotFoundError and not any(part.isdigit() for part in request.path.split("/")):
        return "Check `base_url` and the arguments."  # The path contains no id that could be wrong.
    return _ADVICE.get(kind, "This operation should not have that response.")


_FOREIGN = (
    "The response does not look like the service's: a proxy or a firewall may have written it. Check `base_url` "
    "and the network."
)
_CREDITS = (
    r"(?i)\b(enough|insufficient|no|low|run out of|out of)\b[^.]{0,40}\bcredits?\b(?![ _]limit)"
    r"|\bcredits?\b(?![ _]limit)[^.]{0,40}\b(insufficient|not enough|exhausted|used up)\b"
)
"""How a service may say that the account has not enough credits. A field `credit_limit` is another matter."""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "not a standard status"


def retry_after(response: Response, *, now: datetime | None = None) -> float | None:
    """Return the seconds to wait that a response asks for, from `Retry-After`; None without a valid one."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(_SECONDS, value):
        seconds = float(value)
    elif (when := _date(value)) is not None:
        # The service's clock, not this machine's, decides how far away its date is.
        now = now or _date(response.headers.get("Date", "")) or datetime.now(UTC)
        seconds = (when - now).total_seconds()
    else:
        return None
    return max(0.0, min(seconds, 1e9))  # About thirty years.


_SECONDS = r"[+-]?[0-9]{1,1000}(\.[0-9]{0,1000})?"  # The RFC allows whole seconds; some services write 1.5.


def _date(value: str) -> datetime | None:
    """Return the time of an HTTP date; None if it is not valid."""
    try:
        when = parsedate_to_datetime(value[:100])
    except (ValueError, OverflowError):
        return None
    # "-0000" means that the zone is unknown; HTTP dates are in GMT.
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def _explain(request: Request[Any], response: Response) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the explanation of a failure, in any form: a message, and the errors by field."""
    try:
        body = response.json()
    except ValueError:
        title = re.search(rb"<title>([^<]*)</title>", response.body[:4096], re.IGNORECASE)
        shown = response if title is None else Response(response.status, body=title[1])
        return (excerpt(request, shown), {})
    return envelopes.extract_errors(body)


def deleted_response() -> Response:
    """Return the response to a deletion whose retry found nothing left to delete."""
    return Response(200, body=b'{"success": true, "message": "Already gone."}')
