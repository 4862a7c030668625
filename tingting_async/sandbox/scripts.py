"""Collections of faults: all variants of every kind, and reproducible random sequences."""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from random import Random
from typing import Any, cast, get_args

from tingting_async.sandbox.faults import Fault, Kind

_KINDS: tuple[Kind, ...] = get_args(Kind)
_THROTTLED = {"detail": "Request was throttled."}
_UNAVAILABLE = {"detail": "Service temporarily unavailable, try again later."}
_HTML = {"Content-Type": "text/html"}
_RETRY_AFTER = (
    "0",
    "7",
    "-5",
    "999999999999999999999",
    "0.5",
    "soon",
    "",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
)
"""Values of `Retry-After`: seconds, dates, and invalid ones."""


def _page(title: str) -> bytes:
    """Return the HTML page of a proxy."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>nginx</body></html>".encode()


def _with_retry_after(status: int, body: Any) -> list[dict[str, Any]]:
    return [{"status": status, "body": body, "headers": {"Retry-After": value}} for value in _RETRY_AFTER]


_NOT_EXECUTED: tuple[dict[str, Any], ...] = (
    *({"status": status, "body": {"detail": "No."}} for status in (400, 401, 403, 404, 405, 409, 418, 422, 425)),
    {"status": 401, "body": {"detail": "Authentication credentials were not provided."}},
    {"status": 400, "body": {"number": ["Enter a valid phone number."]}},
    {"status": 413, "body": _page("413 Request Entity Too Large"), "headers": _HTML},
    {"status": 429, "body": _THROTTLED},
    *_with_retry_after(429, _THROTTLED),
    {"status": 503, "body": _UNAVAILABLE},
    *_with_retry_after(503, _UNAVAILABLE),
    {"status": 503, "body": _page("503 Maintenance"), "headers": {**_HTML, "Retry-After": "0"}},
    # Failures with the HTTP status of a success.
    {"status": 200, "body": {"status": 400, "success": False, "message": "Invalid input", "errors": [], "data": {}}},
    {"status": 200, "body": {"success": False}},
    {"status": 200, "body": {"error": "Campaign not found."}},
    {"status": 200, "body": {"detail": "Not found."}},
)
"""Responses of a service that has not executed the request."""

_AMBIGUOUS: tuple[dict[str, Any], ...] = (
    *({"status": status} for status in (408, 499, 500, 502, 504)),
    *({"status": status, "body": _page(f"{status} Error"), "headers": _HTML} for status in (500, 502, 503, 504, 520)),
    {"status": 500, "body": {"detail": "Internal server error."}},
    {"status": 503},
    {"status": 304},
    {"status": 599},
)
"""Responses of a proxy or a failing service, which do not show whether the request was executed."""

_REDIRECTS = tuple(
    {"status": status, "location": location}
    for status in (301, 302, 303, 307, 308)
    for location in ("/elsewhere/", "//127.0.0.1:9/elsewhere/", "http://localhost:9/elsewhere/")
)

_VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "status": (*_NOT_EXECUTED, *_AMBIGUOUS),
    "status_after": (
        *_AMBIGUOUS,
        # What a gateway or a firewall writes.
        *({"status": status, "body": _page(f"{status} Blocked"), "headers": _HTML} for status in (401, 403, 404, 429)),
        *({"status": status, "body": {"message": HTTPStatus(status).phrase}} for status in (401, 403, 404, 429, 503)),
        *({"status": status, "body": b"", "headers": {"Retry-After": "0"}} for status in (403, 429, 503)),
        # A redirect to a result page, as after a form.
        {"status": 302, "headers": {"Location": "/done/"}},
        {"status": 303, "headers": {"Location": "/done/"}},
        {"status": 200, "body": {}},
        {"status": 200, "body": []},
        {"status": 200, "body": b"null"},
        {"status": 204},
    ),
    "redirect": _REDIRECTS,
    "delay": ({}, {"delay": 0.01}),
    "oversized": ({"size": 2**20},),
}
"""The variants of kinds that have several."""


def _known(kinds: Collection[Kind] | None) -> list[Kind]:
    """Return the kinds that are wanted, in order. Refuse unknown ones: a misspelt kind would test nothing."""
    if kinds is None:
        return list(_KINDS)
    given: object = kinds
    wanted = () if isinstance(given, str) or not isinstance(given, Iterable) else tuple(cast("Iterable[Any]", given))
    if not wanted or any(kind not in _KINDS for kind in wanted):
        shown = ", ".join(map(repr, _KINDS))
        raise ValueError(f"kinds={kinds!r} is not valid: use a list of kinds. The kinds are {shown}.")
    return [kind for kind in _KINDS if kind in wanted]


def every_fault(*, kinds: Collection[Kind] | None = None, **match: Any) -> list[Fault]:
    """Return one fault for every variant of every kind: each status, each `Retry-After`, each redirect.

    Args:
        kinds: Only these kinds; None for all.
        **match: Which requests to match, and how often, as for `Fault`: `path=…`, `where=…`, `times=…`.

    Raises:
        ValueError: An argument is not valid.
    """
    wanted = _known(kinds)
    return [Fault(kind, **{**options, **match}) for kind in wanted for options in _VARIANTS.get(kind, ({},))]


def fault_script(
    seed: int | str, *, length: int = 3, kinds: Collection[Kind] | None = None, **match: Any
) -> list[Fault]:
    """Return a random sequence of faults for the next requests. The same seed returns the same sequence.

    Each fault triggers once, on one matching request after the other; later requests are served normally. A `delay` of
    0 seconds stands for a request that succeeds in between.

    ::

        with sandbox.faults.during(fault_script(7, path="*/begin/")):
            ...

    Args:
        seed: The seed.
        length: The number of faults.
        kinds: Only these kinds; None for all.
        **match: Which requests to match, as for `Fault`: `method=…`, `path=…`, `query=…`, `where=…`.

    Raises:
        ValueError: An argument is not valid.
    """
    if not isinstance(cast("object", length), int) or isinstance(length, bool) or length < 1:
        raise ValueError(f"length={length!r} is not valid: use a whole number, at least 1.")
    random = Random(f"fault script {seed}")
    wanted = _known(kinds)
    # The kind is drawn first, because there are more variants of `status` than of all other kinds together.
    drawn = [every_fault(kinds=(random.choice(wanted),), **{**match, "times": 1}) for _ in range(length)]
    return [random.choice(variants) for variants in drawn]
