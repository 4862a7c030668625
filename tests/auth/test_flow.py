"""Tokens, and the flow that renews them, without a socket."""

import time
from typing import Any

import jwt
import pytest

from tingting_async import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotSentError,
    RateLimitedError,
    ServerError,
    TransportError,
    UsageError,
)
from tingting_async.auth.flow import Auth
from tingting_async.auth.tokens import Credentials, MemoryTokenStore, Tokens
from tingting_async.classic.auth import ClassicAuthScheme
from tingting_async.http.messages import Response

KEY = "k" * 32


def make(**claims: float) -> str:
    """Return a JWT."""
    return jwt.encode(claims, KEY)


@pytest.mark.parametrize(
    ("claims", "refresh_at"),
    [
        ({"exp": 5000.0, "iat": 2000.0}, 1000 + 3000 - 30),
        ({"exp": 2100.0, "iat": 2000.0}, 1000 + 100 - 10),  # A tenth of a short life.
        ({"exp": 9000.0, "iat": 8000.0}, 1000 + 1000 - 30),  # The service's clock is ahead: its lifetime counts.
        ({"exp": 1500.0}, 1500 - 30),
        ({}, None),
    ],
)
def test_when_to_renew(claims: dict[str, float], refresh_at: float | None) -> None:
    """A JWT says when it ends, counted from its arrival, whatever this machine's clock says."""
    assert Tokens.of(make(**claims), None, now=1000).refresh_at == refresh_at


@pytest.mark.parametrize("token", ["7acbdcd5619e", "a.b.c", "", "नमस्ते", make() + "x"])
def test_tokens_that_say_nothing(token: str) -> None:
    """A token that is no readable JWT is used until it is refused."""
    tokens = Tokens.of(token, None)
    assert tokens.refresh_at is None
    assert not tokens.needs_refresh()


def test_due() -> None:
    """A token is due once its time has come."""
    assert Tokens("a", refresh_at=time.time() - 1).needs_refresh()
    assert not Tokens("a", refresh_at=time.time() + 60).needs_refresh()


def login_answer(access: str = "new", refresh: str = "r") -> Response:
    """Return the answer to a login."""
    body = '{"data":{"token":{"access":"%s","refresh":"%s"},"user_data":{"first_name":"","last_name":"","email":""}}}'
    return Response(200, body=(body % (access, refresh)).encode())


def flow(tokens: Tokens | None, *, password: str | None = "p") -> Any:
    """Return the flow of an account."""
    credentials = None if password is None else Credentials("e", password)
    return Auth(ClassicAuthScheme(), credentials=credentials, store=MemoryTokenStore()).auth_flow(tokens)


def finish(generator: Any, answer: Response) -> Tokens:
    """Send the last answer, and return what the flow returns."""
    with pytest.raises(StopIteration) as stop:
        generator.send(answer)
    tokens: Tokens = stop.value.value
    return tokens


def test_first_sign_in() -> None:
    """Without tokens the credentials sign in."""
    generator = flow(None)
    request = next(generator)
    assert (request.operation, request.json) == ("accounts.login", {"email": "e", "password": "p"})
    assert finish(generator, login_answer()) == Tokens("new", "r")


def test_refresh() -> None:
    """With a refresh token that one is used, and kept unless the service changes it."""
    generator = flow(Tokens("old", "r"))
    request = next(generator)
    assert (request.operation, request.json) == ("accounts.refresh", {"refresh": "r"})
    assert finish(generator, Response(200, body=b'{"access":"new"}')) == Tokens("new", "r")
    generator = flow(Tokens("old", "r"))
    next(generator)
    assert finish(generator, Response(200, body=b'{"access":"new","refresh":"s"}')) == Tokens("new", "s")


@pytest.mark.parametrize(
    "error",
    [AuthenticationError("x", status=401), BadRequestError("x", status=400), TransportError("x"), DecodeError("x")],
)
def test_refresh_that_fails(error: Exception) -> None:
    """Where the refresh is refused or lost, the credentials sign in; without any, the error says so."""
    generator = flow(Tokens("old", "r"))
    next(generator)
    assert generator.throw(error).operation == "accounts.login"
    generator = flow(Tokens("old", "r"), password=None)
    next(generator)
    with pytest.raises(AuthenticationError, match="not refreshed") as caught:
        generator.throw(error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [NotSentError("x"), RateLimitedError("x", status=429), ServerError("x", status=503)])
def test_refresh_that_says_nothing_of_the_token(error: Exception) -> None:
    """Where the refresh never arrived, or came too early, and nothing else can sign in, that is raised as it is."""
    generator = flow(Tokens("old", "r"), password=None)
    next(generator)
    with pytest.raises(type(error)) as caught:
        generator.throw(error)
    assert caught.value is error


def test_refresh_that_cannot_be_read() -> None:
    """A refresh answer without an access token is followed by a sign-in."""
    generator = flow(Tokens("old", "r"))
    next(generator)
    assert generator.send(Response(200, body=b"{}")).operation == "accounts.login"


def test_account_not_activated() -> None:
    """An account that is not activated does not try the credentials as well."""
    generator = flow(Tokens("old", "r"))
    next(generator)
    with pytest.raises(AuthenticationError, match="not activated"):
        generator.throw(AuthenticationError("not activated", status=401, message="Account is not activated."))


def test_nothing_to_sign_in_with() -> None:
    """Without tokens and credentials the error says what to give."""
    with pytest.raises(AuthenticationError, match="`email` and `password`"):
        next(flow(None, password=None))


def test_refused_sign_in() -> None:
    """A wrong password is an AuthenticationError, also where the service calls it bad input; a 500 is not."""
    generator = flow(None)
    next(generator)
    refused = BadRequestError("wrong", status=400, message="m", field_errors={"password": ("wrong",)}, body=b"b")
    with pytest.raises(AuthenticationError, match="wrong") as caught:
        generator.throw(refused)
    assert (caught.value.status, caught.value.message, caught.value.body) == (400, "m", b"b")
    assert caught.value.field_errors == {"password": ("wrong",)}
    for error in (ServerError("x", status=500), AuthenticationError("x", status=401)):
        generator = flow(None)
        next(generator)
        with pytest.raises(type(error)) as same:
            generator.throw(error)
        assert same.value is error


def test_either_or() -> None:
    """An API token and credentials exclude each other."""
    with pytest.raises(UsageError, match="either"):
        Auth(ClassicAuthScheme(), credentials=Credentials("e", "p"), api_token="t")


def test_reprs() -> None:
    """Neither tokens nor credentials show themselves."""
    assert "a1" not in repr(Tokens("a1", "r1"))
    assert "r1" not in repr(Tokens("a1", "r1"))
    assert repr(Credentials("e", "p")) == "Credentials()"
