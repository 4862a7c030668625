"""The auth state and the flow that gets new tokens, without a socket."""

from typing import Any

import pytest

from tingting_async import errors
from tingting_async.auth.flow import Auth, AuthFlow
from tingting_async.auth.tokens import Credentials, MemoryTokenStore, Tokens
from tingting_async.classic.auth import ClassicAuthScheme
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.messages import Effect, Request, Response


class Scheme:
    """A sign-in of no particular generation of the API."""

    def login(self, credentials: Credentials) -> Request[Any]:
        return Request("POST", "/login", Effect.READ, "login", dict, json={"password": credentials.password})

    def read_login(self, request: Request[Any], response: Response) -> Tokens:
        return Tokens(Decoder().payload(request, response)["access"], "refresh-of-login")

    def refresh(self, token: str) -> Request[Any]:
        return Request("POST", "/refresh", Effect.READ, "refresh", dict, json={"refresh": token})

    def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
        return Tokens(Decoder().payload(request, response)["access"], token)

    def is_permanent(self, error: errors.AuthenticationError) -> bool:
        return "not activated" in error.message


CREDENTIALS = Credentials("sita@example.com", "hunter2")
OLD = Tokens("old", "refresh-1")
NEW = Response(200, body=b'{"access": "new"}')


def flow(tokens: Tokens | None, credentials: Credentials | None = CREDENTIALS, scheme: Any = None) -> AuthFlow:
    """Return the flow of a session with these tokens and credentials."""
    return Auth(scheme or Scheme(), credentials=credentials).auth_flow(tokens)


def finish(running: AuthFlow, response: Response) -> Tokens:
    """Send the last response, and return the tokens."""
    with pytest.raises(StopIteration) as end:
        running.send(response)
    tokens = end.value.value
    assert isinstance(tokens, Tokens)
    return tokens


def refused(status: int, message: str = "no") -> errors.ApiError:
    """Return the error of a refused sign-in."""
    request = Request("POST", "/login", Effect.READ, "login", dict)
    error = Decoder().judge(request, Response(status, body=b'{"message": "%s"}' % message.encode()))
    assert error is not None
    return error


LOST = errors.TransportError("lost", operation="refresh")


def test_sign_in() -> None:
    """Without tokens the flow signs in with the credentials."""
    running = flow(None)
    request = next(running)
    assert (request.path, request.json) == ("/login", {"password": "hunter2"})
    assert finish(running, NEW) == Tokens("new", "refresh-of-login")


def test_classic_sign_in() -> None:
    """With the classic scheme, the flow returns both tokens of the login's response."""
    running = flow(None, Credentials("e", "p"), ClassicAuthScheme())
    request = next(running)
    assert (request.operation, request.json) == ("accounts.login", {"email": "e", "password": "p"})
    body = b'{"data":{"token":{"access":"new","refresh":"r"},"user_data":{"first_name":"","last_name":"","email":""}}}'
    assert finish(running, Response(200, body=body)) == Tokens("new", "r")


def test_sign_in_without_refresh_token() -> None:
    """Without a refresh token the flow signs in with the credentials."""
    assert next(flow(Tokens("old"))).path == "/login"


def test_refresh() -> None:
    """With a refresh token the flow refreshes, and does not send the password."""
    running = flow(OLD)
    request = next(running)
    assert (request.path, request.json) == ("/refresh", {"refresh": "refresh-1"})
    assert finish(running, NEW) == Tokens("new", "refresh-1")


@pytest.mark.parametrize(("body", "refresh"), [(b'{"access":"new"}', "r"), (b'{"access":"new","refresh":"s"}', "s")])
def test_classic_refresh(body: bytes, refresh: str) -> None:
    """With the classic scheme, the refresh token is kept unless the service replaces it."""
    running = flow(Tokens("old", "r"), scheme=ClassicAuthScheme())
    request = next(running)
    assert (request.operation, request.json) == ("accounts.refresh", {"refresh": "r"})
    assert finish(running, Response(200, body=body)) == Tokens("new", refresh)


@pytest.mark.parametrize(
    "error",
    [refused(401), refused(400), refused(503), LOST, errors.NotSentError("off"), errors.DecodeError("x")],
)
def test_failed_refresh(error: errors.TingTingError) -> None:
    """After a refresh that is refused or lost, the flow signs in."""
    running = flow(OLD)
    next(running)
    assert running.throw(error).path == "/login"
    assert finish(running, NEW) == Tokens("new", "refresh-of-login")


@pytest.mark.parametrize("body", [b"{}", b"{}x", b"[]", b"<html>"])
def test_invalid_refresh_response(body: bytes) -> None:
    """After a refresh whose response cannot be decoded, the flow signs in."""

    class Strict(Scheme):
        def read_refresh(self, request: Request[Any], response: Response, token: str) -> Tokens:
            return Tokens(Decoder().payload(request, response, ("access",)), token)

    for scheme, path in ((Strict(), "/login"), (ClassicAuthScheme(), "/api/accounts/login/")):
        running = flow(OLD, scheme=scheme)
        next(running)
        assert running.send(Response(200, body=body)).path == path


def test_account_that_is_not_activated() -> None:
    """An account that is not activated ends the flow at once, because a sign-in would not help."""
    for scheme in (Scheme(), ClassicAuthScheme()):
        running = flow(OLD, scheme=scheme)
        next(running)
        error = refused(401, "Account is not activated.")
        with pytest.raises(errors.AuthenticationError, match="not activated") as caught:
            running.throw(error)
        assert caught.value is error


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refused_sign_in(status: int) -> None:
    """A refused sign-in is an AuthenticationError whatever its status, with the service's message."""
    running = flow(None)
    next(running)
    with pytest.raises(errors.AuthenticationError, match="no") as caught:
        running.throw(refused(status))
    assert (caught.value.status, caught.value.message, caught.value.operation) == (status, "no", "login")


def test_wrong_password_that_is_a_field_error() -> None:
    """A wrong password that the service reports as bad input is an AuthenticationError with all its fields."""
    running = flow(None)
    next(running)
    error = errors.BadRequestError(
        "wrong", status=400, message="m", field_errors={"password": ("wrong",)}, body=b"b", operation="login"
    )
    with pytest.raises(errors.AuthenticationError, match="wrong") as caught:
        running.throw(error)
    assert vars(caught.value) == vars(error)


@pytest.mark.parametrize(
    "error", [refused(429), refused(500), refused(409), LOST, errors.DecodeError("html"), refused(401)]
)
def test_failed_sign_in(error: errors.TingTingError) -> None:
    """A sign-in that fails for another reason raises that error."""
    running = flow(None)
    next(running)
    with pytest.raises(type(error)) as caught:
        running.throw(error)
    assert caught.value is error


def test_every_refusal_of_a_sign_in() -> None:
    """Every refusal of a sign-in is an ApiError."""
    for status in range(400, 600):
        running = flow(None)
        next(running)
        with pytest.raises(errors.ApiError):
            running.throw(refused(status))


def test_no_way_to_sign_in() -> None:
    """Without credentials, the AuthenticationError says what to give."""
    with pytest.raises(errors.AuthenticationError, match="Give `email` and `password`") as caught:
        next(flow(None, None))
    assert (caught.value.status, caught.value.__cause__) == (0, None)
    with pytest.raises(errors.AuthenticationError):
        next(flow(Tokens("old"), None))


@pytest.mark.parametrize(
    ("error", "status"), [(refused(401), 401), (refused(400), 400), (LOST, 0), (errors.DecodeError("x"), 0)]
)
def test_failed_refresh_without_credentials(error: errors.TingTingError, status: int) -> None:
    """If only a refresh was possible and it failed, the error says so and has the failure as its cause."""
    running = flow(OLD, None)
    next(running)
    with pytest.raises(errors.AuthenticationError, match="not refreshed") as caught:
        running.throw(error)
    assert (caught.value.status, caught.value.__cause__) == (status, error)


@pytest.mark.parametrize("error", [errors.NotSentError("x"), refused(429), refused(503)])
def test_inconclusive_refresh_without_credentials(error: errors.TingTingError) -> None:
    """If only a refresh was possible and the service did not judge the token, the error is raised as it is."""
    running = flow(OLD, None)
    next(running)
    with pytest.raises(type(error)) as caught:
        running.throw(error)
    assert caught.value is error


def test_session_without_tokens() -> None:
    """A session without tokens needs them before its first request."""
    assert Auth(Scheme(), credentials=CREDENTIALS).needs_refresh()


def test_fixed_token() -> None:
    """A fixed API token is sent, is never refreshed, and excludes the other ways to sign in."""
    auth = Auth(Scheme(), api_token="key")
    assert not auth.needs_refresh()
    assert auth.headers({"Accept": "x"}) == {"Accept": "x", "Authorization": "Bearer key"}
    assert not auth.can_refresh(errors.AuthenticationError("no"))
    assert auth.secrets() == ("key",)
    for options in ({"credentials": CREDENTIALS}, {"store": MemoryTokenStore()}):
        with pytest.raises(errors.UsageError, match="either"):
            Auth(Scheme(), api_token="key", **options)  # type: ignore[arg-type]


def test_can_refresh() -> None:
    """A refused request is sent again with new tokens, unless the account itself was refused."""
    auth = Auth(Scheme(), credentials=CREDENTIALS)
    assert auth.can_refresh(errors.AuthenticationError("no", message="expired"))
    assert not auth.can_refresh(errors.AuthenticationError("no", message="not activated"))


def test_secrets() -> None:
    """The secrets are the password and both tokens."""
    auth = Auth(Scheme(), credentials=CREDENTIALS)
    auth.tokens = OLD
    assert auth.secrets() == ("hunter2", "old", "refresh-1")
    assert auth.access == "old"
