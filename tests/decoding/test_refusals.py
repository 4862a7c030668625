"""Which failures are refusals of the service itself, and which may come from a gateway. No I/O."""

from typing import Any

import pytest
from support.messages import response
from support.refusals import GATEWAY_BODIES, GATEWAY_HEADERS, OWN_BODIES, OWN_WORDS, TOKEN_WORDS

from tingting_async.decoding.refusals import is_dead_token, is_refusal
from tingting_async.http.messages import Effect

GUARDED = (401, 403, 408, 425, 429)
OTHER = (400, 402, 404, 405, 406, 409, 410, 413, 415, 418, 422, 423, 451)
STRICT = (Effect.CREATE, Effect.SEND, Effect.REVOKE)


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("body", OWN_WORDS + TOKEN_WORDS, ids=str)
def test_own_words(body: Any, effect: Effect) -> None:
    """The words and codes of simplejwt and DRF are a refusal with every 4xx."""
    assert [] == [status for status in GUARDED + OTHER if not is_refusal(effect, response(body, status), status)]


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("body", OWN_BODIES, ids=str)
def test_own_forms(body: Any, effect: Effect) -> None:
    """The service's own JSON forms are a refusal, but not with a status for which only its words count."""
    refused = [status for status in GUARDED + OTHER if is_refusal(effect, response(body, status), status)]
    assert [*OTHER] == refused


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("body", GATEWAY_BODIES, ids=str)
def test_gateways(body: Any, effect: Effect) -> None:
    """A response that a gateway or a firewall writes is not a refusal, regardless of its status."""
    statuses = (*GUARDED, *OTHER, 499)
    assert [] == [status for status in statuses if is_refusal(effect, response(body, status), status)]


@pytest.mark.parametrize("header", GATEWAY_HEADERS, ids=str)
def test_gateway_headers(header: dict[str, str]) -> None:
    """A header that only a gateway's own response has makes it no refusal, whatever its body."""
    assert not is_refusal(Effect.SEND, response({"detail": "No."}, 400, **header), 400)
    assert not is_refusal(Effect.SEND, response(OWN_WORDS[0], 403, **header), 403)


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599, 777])
@pytest.mark.parametrize("body", [*OWN_WORDS[:3], *OWN_BODIES[:4], b"", b"<html>"], ids=str)
def test_5xx(body: Any, status: int, effect: Effect) -> None:
    """Nothing with a 5xx is a refusal of a send, whatever its body and headers."""
    assert not is_refusal(effect, response(body, status, Retry_After="1"), status)
    if isinstance(body, dict):
        assert not is_refusal(effect, response({**body, "status": status, "success": False}, 200), status)


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("status", [500, 501, 503, 504])
def test_5xx_inside_of_4xx(status: int, effect: Effect) -> None:
    """An envelope that reports a 5xx is no refusal, although its HTTP status is a 4xx."""
    for body in ({"message": "No."}, {"success": False, "message": "No."}, {"success": False, "errors": ["no"]}):
        assert not is_refusal(effect, response({**body, "status": status}, 400), 400)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"success": False}, True),
        (200, {"status": 402, "message": "Insufficient credits"}, True),
        (200, {"errors": ["No credit"]}, True),
        (200, {"message": "Campaign Began", "errors": ["No carrier"]}, False),
        (200, {"message": "Campaign Began", "error": "2 numbers were skipped"}, False),
        (200, {"status": "success", "message": "Campaign Began", "error": "2 skipped"}, False),
        (200, {"detail": "Campaign Began", "errors": ["2 numbers were skipped"]}, False),
        (201, {"success": None, "message": "Campaign Began", "errors": ["No carrier"]}, False),
        (202, {"success": False, "message": "queued; credit low"}, False),
        (207, {"status": 400, "message": "run", "errors": ["x"]}, False),
        (100, b"", False),
        (103, b"", False),
        (302, b"", False),
        (303, b"", False),
        (304, b"", False),
    ],
)
def test_other_statuses(status: int, body: Any, expected: bool) -> None:
    """A clear failure under a 2xx is a refusal; one with a message beside the errors, a 1xx or a 3xx is not."""
    given = body.get("status") if isinstance(body, dict) else None
    inner = given if isinstance(given, int) else status
    assert expected == is_refusal(Effect.SEND, response(body, status), inner)


@pytest.mark.parametrize("status", [421, 444, 460, 494, 499])
def test_statuses_of_gateways(status: int) -> None:
    """A status that only gateways write is no refusal, whatever words come with it, except those of the service."""
    assert not is_refusal(Effect.SEND, response({"error": "client has gone"}, status), status)


@pytest.mark.parametrize("status", range(300, 400))
@pytest.mark.parametrize("effect", [Effect.CREATE, Effect.SEND, Effect.REVOKE])
def test_redirects(effect: Effect, status: int) -> None:
    """A redirect is no refusal, whatever it says: a gateway may have written it."""
    for body in (b"", b"<html>", {"detail": "Moved."}, {"success": False, "message": "no", "errors": []}):
        assert not is_refusal(effect, response(body, status, Location="/x/"), status)
        assert not is_refusal(effect, response(body, status), status)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.UPDATE])
def test_repeatable_requests(effect: Effect) -> None:
    """For a request that can be repeated, any 4xx but a time-out is a refusal, and a 503 that is the service's own."""
    refused = [
        status
        for status in (100, 302, 400, 401, 403, 404, 408, 429, 499, 500, 502, 503, 504, 600)
        if is_refusal(effect, response(b"<html>", status), status)
    ]
    assert [400, 401, 403, 404, 429] == refused
    assert is_refusal(effect, response(b"", 503, Retry_After="1"), 503)
    assert is_refusal(effect, response({"detail": "Closed."}, 503), 503)
    assert is_refusal(effect, response(b"", 307), 307)


@pytest.mark.parametrize("body", TOKEN_WORDS, ids=str)
def test_dead_token(body: Any) -> None:
    """A 403 is about the token if its code or words say so."""
    assert is_dead_token(response(body, 403), 403)
    assert is_dead_token(response({**body, "success": False, "status": 403}), 403)


@pytest.mark.parametrize("body", [*OWN_WORDS, *OWN_BODIES, *GATEWAY_BODIES], ids=str)
def test_permission_denied(body: Any) -> None:
    """Any other 403 is not about the token; a 401 always is."""
    assert not is_dead_token(response(body, 403), 403)
    assert is_dead_token(response(body, 401), 401)
    assert not is_dead_token(response(body, 400), 400)


def test_deep_and_long_bodies() -> None:
    """A body that is nested deeply or very long is judged without an error."""
    deep: Any = ["no"]
    for _ in range(300):
        deep = [deep]
    assert is_refusal(Effect.SEND, response({"number": deep}, 400), 400)
    assert not is_refusal(Effect.SEND, response(b"[" * 100_000 + b"]" * 100_000, 400), 400)
    assert not is_refusal(Effect.SEND, response({"detail": "Request was throttled. " * 50_000}, 429), 429)
