"""What counts as a refusal: only what the service itself says before it acts. Pure functions of a response.

A gateway or a firewall may write an error after the service has acted, so its author decides what the error proves. The
service is a Django REST framework application with simplejwt; its forms and words are told apart from those of nginx,
Cloudflare, Akamai, Azure, Kong, Envoy, Amazon's API gateway and load balancer, and their like. In doubt, a response is
no refusal: a refusal that is taken for an unknown outcome costs a check, and the opposite may call somebody twice.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast

from tingting_async.decoding.envelopes import collect_strings, is_mixed
from tingting_async.http.messages import Effect, Response

_BY_WORDS_ALONE = frozenset({401, 403, 408, 421, 425, 429, 444, 460, *range(494, 500)})
"""Statuses with which gateways write JSON like the service's, so that only simplejwt's or DRF's words count.

Those from 444 on are a gateway's own: 460 and 499 say that the client has gone while the service was working.
"""


def is_refusal(effect: Effect, response: Response, status: int) -> bool:
    """Return whether the service itself refused a request, so that it certainly did nothing.

    A request that can be repeated without harm believes more: a 503 that says when to try again or is JSON, and any 4xx
    that is not a time-out.

    Args:
        effect: The effect of the request.
        response: A response that reports a failure.
        status: The status of the failure, from `error_status`.
    """
    if status >= 500:
        is_polite = "Retry-After" in response.headers or response.body.lstrip().startswith(b"{")
        return effect.is_idempotent and status == 503 and is_polite
    if 200 <= response.status < 300:  # A gateway does not report a failure with the status of a success.
        body = response.json()
        return not is_mixed(body) if effect.is_idempotent else response.status == 200 and _is_clear(body)
    if effect.is_idempotent:  # 301, 307 and 308: "repeat the request there", unlike 303: "see the result there".
        return (status >= 400 and status not in (408, 499)) or status in (301, 307, 308)
    body = _own_error(response)
    return body is not None and (status not in _BY_WORDS_ALONE or _refuses_token(body) or _refuses(body))


def _is_clear(body: Any) -> bool:
    """Return whether an envelope under status 200 refuses the request, instead of reporting half a success."""
    if not isinstance(body, dict):
        return False
    envelope = cast("dict[str, Any]", body)
    success, inner = envelope.get("success"), envelope.get("status")
    if success is not None:
        return success is False or success == "false"
    return (type(inner) is int and 400 <= inner < 500) or envelope.keys() <= {"error", "errors"}


def is_foreign(response: Response) -> bool:
    """Return whether the service certainly did not write a 4xx: by its headers or words, or because it is not JSON.

    This decides only what an error advises. Whether a response proves a refusal is another question, see `is_refusal`.
    """
    if any(pattern.match(each) for name, pattern in _GATEWAY_HEADERS for each in response.headers.getall(name, ())):
        return True
    if not response.body.strip():
        return False
    try:
        body: Any = response.json()
    except ValueError:
        return True
    if not isinstance(body, dict):
        return not isinstance(body, list)
    found: dict[str, Any] = cast("dict[str, Any]", body)
    return any(_is_foreign(found[name]) for name in ("detail", "message", "error") if found.get(name))


def is_dead_token(response: Response, status: int) -> bool:
    """Return whether a failure is about the access token, so that a new one may help.

    A 401 always is. DRF writes 403 if the service names no `WWW-Authenticate` challenge; then the words decide, whoever
    wrote them: a new token does no harm. Whether the request may be sent again is another question, see `is_refusal`.
    """
    if status != 403:
        return status == 401
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and _refuses_token(cast("dict[str, Any]", body))


# The words of djangorestframework 3.18, simplejwt 5.5 and drf-jwt 1.19, and of the service; without the last period.
_TOKEN_CODES = frozenset({"token_not_valid", "password_changed"})
_TOKEN_WORDS = re.compile(
    "given token not valid for any token type|token is invalid or expired"
    "|(authentication )?credentials were not provided|incorrect authentication credentials"
    "|token contained no recognizable user identification|the user's password has been changed"
    "|signature has expired|token '[a-z_]+' claim has expired",
    re.IGNORECASE,
)
# Short enough for a gateway to write the same, but not as `detail`.
_TOKEN_DETAILS = re.compile(
    "invalid token|invalid token payload|invalid payload|invalid signature|error decoding (token|signature)"
    "|token (is|has) (invalid|expired|blacklisted)|token has (wrong type|no id|no type)"
    "|invalid token header. (no credentials provided|token string should not contain (spaces|invalid characters))",
    re.IGNORECASE,
)
_CODES = frozenset({"user_not_found", "user_inactive", "no_active_account", "bad_authorization_header"})
_WORDS = re.compile(
    "you do not have permission to perform this action|account is not activated"
    r"|request was throttled(\. expected available in \d{1,9} seconds?)?"
    "|no active account found (with the given credentials|for the given token)|user inactive or deleted"
    "|authorization header must contain two space-delimited values|csrf failed: [^<]*",
    re.IGNORECASE,
)
_DETAILS = re.compile(
    "user not found|user is inactive|user account is disabled|invalid username/password"
    "|invalid basic header. (no credentials provided|credentials string should not contain spaces"
    "|credentials not correctly base64 encoded)",
    re.IGNORECASE,
)
_MAX_WORDS = 200
"""None of the words above is longer. A longer text is not searched."""


def _refuses_token(body: dict[str, Any]) -> bool:
    if _code(body) in _TOKEN_CODES or (_code(body) in ("not_authenticated", "authentication_failed") and _detail(body)):
        return True
    return any(map(_TOKEN_WORDS.fullmatch, _texts(body))) or _TOKEN_DETAILS.fullmatch(_detail(body)) is not None


def _refuses(body: dict[str, Any]) -> bool:
    if _code(body) in _CODES or (_code(body) in ("permission_denied", "throttled") and _detail(body)):
        return True
    return any(map(_WORDS.fullmatch, _texts(body))) or _DETAILS.fullmatch(_detail(body)) is not None


def _code(body: dict[str, Any]) -> object:
    code: object = body.get("code")
    return code if isinstance(code, str) else None


def _detail(body: dict[str, Any]) -> str:
    return next(_words(body.get("detail")), "")


def _texts(body: dict[str, Any]) -> Iterator[str]:
    """Yield the texts in which a refusal may be explained, in the classic envelope or in DRF's own form."""
    for name in ("detail", "message", "error", "errors"):
        yield from _words(body.get(name))


def _words(value: Any) -> Iterator[str]:
    return (text.strip().removesuffix(".") for text in collect_strings(value) if len(text) <= _MAX_WORDS)


_GATEWAY_HEADERS = (
    ("Server", re.compile("awselb|AkamaiGHost", re.IGNORECASE)),  # They keep the service's own header otherwise.
    ("X-Amzn-ErrorType", re.compile("")),
    ("X-Kong-Response-Latency", re.compile("")),  # With a response of the service, it is X-Kong-Upstream-Latency.
    ("CF-Mitigated", re.compile("")),
    ("WWW-Authenticate", re.compile("AzureApiManagement", re.IGNORECASE)),
    ("Content-Type", re.compile("application/problem", re.IGNORECASE)),
)
"""Headers that only a response has that a gateway wrote itself."""

_GATEWAY_TEXTS = frozenset(
    {
        *(status.phrase for status in HTTPStatus),  # DRF writes "Not found.", not "Not Found".
        *("Payload Too Large", "Content Too Large", "URI Too Long", "Unprocessable Content"),  # The names differ.
        *("Access Denied", "Access denied", "Request blocked", "Invalid request", "Resource not found"),
        *("Missing Authentication Token", "Invalid request body", "Request Too Long", "Limit Exceeded"),  # Amazon
        *("no Route matched with those values", "Request size limit exceeded", "Cannot parse request body"),  # Kong
    }
)
_GATEWAY_TEXT = re.compile(r"\d{3}\b|HTTP content length exceeded|Missing required request parameters")
_GATEWAY_WORDS = re.compile(
    r"\b(upstream|backend fetch|gateway|proxy|time-?outs?|timed out|disconnected|connection (closed|reset|refused)"
    r"|closed connection|response headers|plain http request)\b",
    re.IGNORECASE,
)
"""Words that a gateway writes when it has lost the service or the client, which may be after the service acted."""


def _own_error(response: Response) -> dict[str, Any] | None:
    """Return the body of a 4xx if it has one of the service's own forms, else None.

    The forms are the classic envelope with `success: false`; `detail`, `message` or `error`; errors by field or row.
    """
    if not 400 <= response.status < 500:
        return None
    for name, value in _GATEWAY_HEADERS:
        if any(value.match(given) for given in response.headers.getall(name, ())):
            return None
    try:
        parsed: Any = response.json()
    except ValueError:
        return None
    body: Any = {"errors": cast("Any", parsed)} if isinstance(parsed, list) else parsed
    return cast("dict[str, Any]", body) if isinstance(body, dict) and _has_own_form(cast("Any", body)) else None


def _has_own_form(body: dict[str, Any]) -> bool:
    success, inner, code = body.get("success"), body.get("status"), body.get("code")
    if not (success is None or success is False or success == "false") or (isinstance(inner, int) and inner >= 500):
        return False
    if code is not None and not (isinstance(code, str) and re.fullmatch("[a-z][a-z_]{0,99}", code)):
        return False  # Others number their codes.
    texts = [body[name] for name in ("detail", "message", "error") if body.get(name)]
    if any(_is_foreign(text) for text in texts):
        return False
    if success is not None:
        return "result" not in body  # Cloudflare's envelope has `success: false`, too, and `result: null`.
    if isinstance(inner, int) and not 400 <= inner < 500:
        return False
    # A gateway adds texts of its own to the message: `request_id`, `title`, `path`. DRF adds at most lists, by field.
    fields = [(name, value) for name, value in body.items() if name not in _ENVELOPE]
    return bool(texts or fields) and all(
        _are_field_errors(value) or (not texts and name.islower() and _is_text(value)) for name, value in fields
    )


_ENVELOPE = frozenset({"success", "status", "code", "detail", "message", "messages", "error", "data"})


def _is_foreign(explanation: Any) -> bool:
    """Return whether `detail`, `message` or `error` is of a type or has a text that the service does not write."""
    if not isinstance(explanation, str):
        return not _are_field_errors(explanation)
    return not _is_text(explanation)


def _is_text(value: Any) -> bool:
    """Return whether a value is a text that no gateway is known to write."""
    return (
        isinstance(value, str)
        and bool(text := value.strip())
        and text not in _GATEWAY_TEXTS
        and _GATEWAY_TEXT.match(text) is None
        and _GATEWAY_WORDS.search(text[:_MAX_WORDS]) is None
        and not text.startswith("<")
    )


def _are_field_errors(value: Any) -> bool:
    """Return whether a value has lists of texts, by field or by row, as DRF writes them, and nothing else."""
    found, rest = False, [value]
    while rest:  # No recursion: a response may be nested more deeply than the stack allows.
        part = rest.pop()
        if isinstance(part, dict):
            rest.extend(cast("dict[str, Any]", part).values())
            continue
        if not isinstance(part, list):
            return False
        for item in cast("list[Any]", part):
            if isinstance(item, str):
                found = True
            else:
                rest.append(item)
    return found
