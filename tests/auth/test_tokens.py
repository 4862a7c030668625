"""Tokens, their stores, and the flow that renews them, without a socket."""

import time
from typing import Any

import jwt
import pytest

from tingting_async import errors
from tingting_async.auth.flow import Auth, AuthFlow
from tingting_async.auth.tokens import LEEWAY, Credentials, MemoryTokenStore, Tokens
from tingting_async.decoding import api_errors
from tingting_async.decoding.payload import decode, extract
from tingting_async.http.messages import Effect, Request, Response

NOW = 1_750_000_000.0


def token(**claims: Any) -> str:
    """Return a JWT."""
    return jwt.encode(claims, "k" * 32)


class Dialect:
    """A sign-in of no generation in particular."""

    def login(self, credentials: Credentials) -> Request[Any]:
        return Request("POST", "/login", Effect.READ, "login", dict, json={"password": credentials.password})

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        return Tokens(decode(request, response)["access"], "refresh-of-login")

    def refresh(self, token: str) -> Request[Any]:
        return Request("POST", "/refresh", Effect.READ, "refresh", dict, json={"refresh": token})

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        return Tokens(decode(request, response)["access"], token)

    def is_permanent(self, error: errors.AuthenticationError) -> bool:
        return "not activated" in error.message


CREDENTIALS = Credentials("sita@example.com", "hunter2")
OLD = Tokens("old", "refresh-1")
NEW = Response(200, body=b'{"access": "new"}')


def flow(tokens: Tokens | None, credentials: Credentials | None = CREDENTIALS) -> AuthFlow:
    """Return a renewal of a session with these tokens and credentials."""
    return Auth(Dialect(), credentials=credentials).auth_flow(tokens)


def finish(renewal: AuthFlow, response: Response) -> Tokens:
    """Send the last response, and return the tokens."""
    with pytest.raises(StopIteration) as end:
        renewal.send(response)
    tokens = end.value.value
    assert isinstance(tokens, Tokens)
    return tokens


def refused(status: int, message: str = "no") -> errors.ApiError:
    """Return the error of a refused sign-in."""
    request = Request("POST", "/login", Effect.READ, "login", dict)
    error = api_errors.error_from_response(request, Response(status, body=b'{"message": "%s"}' % message.encode()))
    assert error is not None
    return error


LOST = errors.TransportError("lost", operation="refresh")


@pytest.mark.parametrize(
    ("claims", "refresh_at"),
    [
        ({"iat": NOW, "exp": NOW + 86400}, NOW + 86400 - LEEWAY),
        ({"iat": NOW, "exp": NOW + 100}, NOW + 90),
        ({"iat": NOW + 3600, "exp": NOW + 3700}, NOW + 90),  # The clock here is an hour behind,
        ({"iat": NOW - 3600, "exp": NOW - 3500}, NOW + 90),  # and an hour ahead.
        ({"exp": NOW + 100}, NOW + 90),
        ({"exp": NOW - 100}, None),
        ({"iat": NOW, "exp": NOW}, None),
        ({"iat": NOW, "exp": NOW - 5}, None),
        ({"iat": NOW}, None),
        ({}, None),
        ({"exp": None}, None),
        ({"exp": "soon"}, None),
        ({"exp": [1]}, None),
        ({"exp": 10**400}, None),
        ({"exp": float("inf")}, None),
        ({"iat": NOW, "exp": NOW + 100, "sub": 1, "jti": 2, "aud": "x", "nbf": NOW + 9999}, NOW + 90),
    ],
)
def test_when_to_renew(claims: dict[str, Any], refresh_at: float | None) -> None:
    """A token is renewed shortly before its lifetime, counted from its arrival, is over; else it says nothing."""
    tokens = Tokens.of(token(**claims), "r", now=NOW)
    assert refresh_at == tokens.refresh_at
    assert tokens.refresh == "r"


@pytest.mark.parametrize("access", ["", "39106a38ac483eb4625308fe98411588", "a.b.c", "é.é.é", "..", "a" * 10_000])
def test_no_jwt(access: str) -> None:
    """A token that is no JWT is used until it is refused."""
    assert Tokens.of(access, None) == Tokens(access)
    assert not Tokens.of(access, None).needs_refresh()


def test_due() -> None:
    """Tokens are due from their moment on, by this machine's clock."""
    assert Tokens("a", refresh_at=time.time() - 1).needs_refresh()
    assert not Tokens("a", refresh_at=time.time() + 60).needs_refresh()
    assert not Tokens.of(token(iat=0, exp=100), None).needs_refresh()
    assert Auth(Dialect(), credentials=CREDENTIALS).needs_refresh()


def test_nothing_shows() -> None:
    """Neither tokens nor credentials show in a repr."""
    shown = repr([Tokens("hunter2", "hunter2"), CREDENTIALS])
    assert not [secret for secret in ("hunter2", "sita") if secret in shown]


def test_sign_in() -> None:
    """Without tokens the flow signs in by the credentials."""
    renewal = flow(None)
    request = next(renewal)
    assert (request.path, request.json) == ("/login", {"password": "hunter2"})
    assert finish(renewal, NEW) == Tokens("new", "refresh-of-login")


def test_sign_in_without_refresh_token() -> None:
    """Tokens without a refresh token are renewed by the credentials."""
    assert next(flow(Tokens("old"))).path == "/login"


def test_refresh() -> None:
    """With a refresh token the flow refreshes, and does not show the password around."""
    renewal = flow(OLD)
    request = next(renewal)
    assert (request.path, request.json) == ("/refresh", {"refresh": "refresh-1"})
    assert finish(renewal, NEW) == Tokens("new", "refresh-1")


@pytest.mark.parametrize("error", [refused(401), refused(400), refused(503), LOST, errors.NotSentError("off")])
def test_failed_refresh(error: errors.TingTingError) -> None:
    """A refresh that is refused or lost is followed by a sign-in."""
    renewal = flow(OLD)
    next(renewal)
    assert renewal.throw(error).path == "/login"
    assert finish(renewal, NEW) == Tokens("new", "refresh-of-login")


@pytest.mark.parametrize("body", [b"{}x", b"[]", b"<html>"])
def test_unreadable_refresh(body: bytes) -> None:
    """A refresh whose answer cannot be read is followed by a sign-in."""

    class Strict(Dialect):
        def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
            return Tokens(extract(request, response, decode(request, response), ("access",)), token)

    renewal = Auth(Strict(), credentials=CREDENTIALS).auth_flow(OLD)
    next(renewal)
    assert renewal.send(Response(200, body=body)).path == "/login"


def test_final_refusal() -> None:
    """An account that is not activated ends the flow at once: no sign-in would help."""
    renewal = flow(OLD)
    next(renewal)
    error = refused(401, "Account is not activated.")
    with pytest.raises(errors.AuthenticationError) as caught:
        renewal.throw(error)
    assert caught.value is error


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refused_sign_in(status: int) -> None:
    """A refused sign-in is an AuthenticationError whatever its status, with all that was said."""
    renewal = flow(None)
    next(renewal)
    with pytest.raises(errors.AuthenticationError, match="no") as caught:
        renewal.throw(refused(status))
    assert (caught.value.status, caught.value.message, caught.value.operation) == (status, "no", "login")


@pytest.mark.parametrize("error", [refused(429), refused(500), refused(409), LOST, errors.DecodeError("html")])
def test_failed_sign_in(error: errors.TingTingError) -> None:
    """A sign-in that failed for another reason fails as that."""
    renewal = flow(None)
    next(renewal)
    with pytest.raises(type(error)) as caught:
        renewal.throw(error)
    assert caught.value is error


def test_no_way_to_sign_in() -> None:
    """Without credentials there is an AuthenticationError that says what to give."""
    with pytest.raises(errors.AuthenticationError, match="Give `email` and `password`") as caught:
        next(flow(None, None))
    assert (caught.value.status, caught.value.__cause__) == (0, None)
    with pytest.raises(errors.AuthenticationError):
        next(flow(Tokens("old"), None))


@pytest.mark.parametrize(("error", "status"), [(refused(401), 401), (LOST, 0)])
def test_failed_refresh_without_credentials(error: errors.TingTingError, status: int) -> None:
    """Where a failed refresh was the only way, the error says so and has the failure as its cause."""
    renewal = flow(OLD, None)
    next(renewal)
    with pytest.raises(errors.AuthenticationError, match="not refreshed") as caught:
        renewal.throw(error)
    assert (caught.value.status, caught.value.__cause__) == (status, error)


def test_fixed_token() -> None:
    """A fixed API token is sent, is never due, never renewed, and excludes the other ways to sign in."""
    auth = Auth(Dialect(), api_token="key")
    assert not auth.needs_refresh()
    assert auth.headers({"Accept": "x"}) == {"Accept": "x", "Authorization": "Bearer key"}
    assert not auth.can_refresh(errors.AuthenticationError("no"))
    assert auth.secrets() == ("key",)
    for options in ({"credentials": CREDENTIALS}, {"store": MemoryTokenStore()}):
        with pytest.raises(errors.UsageError, match="either"):
            Auth(Dialect(), api_token="key", **options)  # type: ignore[arg-type]


def test_worth_a_renewal() -> None:
    """A refused request is worth a renewal, unless the account itself was refused."""
    auth = Auth(Dialect(), credentials=CREDENTIALS)
    assert auth.can_refresh(errors.AuthenticationError("no", message="expired"))
    assert not auth.can_refresh(errors.AuthenticationError("no", message="not activated"))


def test_secrets() -> None:
    """What no text may show is the password and both tokens."""
    auth = Auth(Dialect(), credentials=CREDENTIALS)
    auth.tokens = OLD
    assert auth.secrets() == ("hunter2", "old", "refresh-1")
    assert auth.access == "old"


@pytest.mark.anyio
async def test_memory_store() -> None:
    """The store in memory keeps what was saved last, forgets, and is entered by one at a time."""
    store = MemoryTokenStore()
    assert await store.load() is None
    async with store.lock():
        await store.save(OLD)
    assert await store.load() == OLD
    await store.save(None)
    assert await store.load() is None


def test_every_refusal_of_a_sign_in() -> None:
    """No refusal of a sign-in leaves the error tree."""
    for status in range(400, 600):
        renewal = flow(None)
        next(renewal)
        with pytest.raises(errors.ApiError):
            renewal.throw(refused(status))
