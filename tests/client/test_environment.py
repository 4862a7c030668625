"""Sessions whose options come from environment variables."""

from typing import Any

import pytest
from support.servers import Received, Server

from tingting_async import AuthenticationError, MemoryTokenStore, TingTing, Tokens, UsageError

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return what sets environment variables; none of ours is set."""
    for name in ("BASE_URL", "API_TOKEN", "EMAIL", "PASSWORD"):
        monkeypatch.delenv(f"TINGTING_{name}", raising=False)
    return monkeypatch


@pytest.fixture
async def server(serve: Any) -> Server:
    """Return a server that accepts no credentials."""

    async def refuse(received: Received) -> None:
        await received.respond(b"{}", 401)

    server: Server = await serve(refuse)
    return server


async def sent_by(server: Server, **options: Any) -> Received:
    """Make a session from the environment, and return the first request that it sends."""
    async with TingTing.from_env(**options) as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.accounts.user_details()
    return server.requests[0]


def test_no_credentials() -> None:
    """Without credentials, the error names the variables to set."""
    with pytest.raises(UsageError, match="TINGTING_API_TOKEN"):
        TingTing.from_env()


@pytest.mark.parametrize(("given", "missing"), [("EMAIL", "PASSWORD"), ("PASSWORD", "EMAIL")])
def test_half_of_the_credentials(environment: pytest.MonkeyPatch, given: str, missing: str) -> None:
    """With one of e-mail address and password, the error names the variable that is missing."""
    environment.setenv(f"TINGTING_{given}", "x")
    with pytest.raises(UsageError, match=f"but no `{missing.lower()}`. Set TINGTING_{missing}, or"):
        TingTing.from_env()


def test_base_url(environment: pytest.MonkeyPatch) -> None:
    """`TINGTING_BASE_URL` is normalised like the argument, which takes precedence over it."""
    environment.setenv("TINGTING_BASE_URL", "https://a/api/v1/")
    assert "https://a" == TingTing.from_env(api_token="t").base_url
    assert "https://b" == TingTing.from_env(api_token="t", base_url="https://b").base_url


async def test_password(environment: pytest.MonkeyPatch, server: Server) -> None:
    """With an e-mail address and a password, the session signs in."""
    environment.setenv("TINGTING_BASE_URL", server.url)
    environment.setenv("TINGTING_EMAIL", "e@example.com")
    environment.setenv("TINGTING_PASSWORD", "p")
    sent = await sent_by(server, window=2)
    assert "/api/accounts/login/" == sent.target
    assert b"e@example.com" in sent.body


async def test_token_before_password(environment: pytest.MonkeyPatch, server: Server) -> None:
    """An API token takes precedence over a password."""
    environment.setenv("TINGTING_BASE_URL", server.url)
    environment.setenv("TINGTING_EMAIL", "e")
    environment.setenv("TINGTING_PASSWORD", "p")
    environment.setenv("TINGTING_API_TOKEN", "token")
    assert "Bearer token" == (await sent_by(server, retries=3)).headers["authorization"]


async def test_argument_before_token(environment: pytest.MonkeyPatch, server: Server) -> None:
    """An e-mail address and a password given by keyword take precedence over the token of the environment."""
    environment.setenv("TINGTING_BASE_URL", server.url)
    environment.setenv("TINGTING_API_TOKEN", "token")
    sent = await sent_by(server, email="given@example.com", password="p")
    assert "/api/accounts/login/" == sent.target
    assert b"given@example.com" in sent.body


@pytest.mark.parametrize("has_password", [False, True])
async def test_token_and_store(environment: pytest.MonkeyPatch, server: Server, *, has_password: bool) -> None:
    """The API token of the environment is used although a token store is given, which is then not used."""
    environment.setenv("TINGTING_BASE_URL", server.url)
    environment.setenv("TINGTING_API_TOKEN", "token")
    if has_password:
        environment.setenv("TINGTING_EMAIL", "e")
        environment.setenv("TINGTING_PASSWORD", "p")
    store = MemoryTokenStore()
    await store.save(Tokens("stored"))
    assert "Bearer token" == (await sent_by(server, token_store=store)).headers["authorization"]
    assert Tokens("stored") == await store.load()


async def test_password_and_store(environment: pytest.MonkeyPatch, server: Server) -> None:
    """An e-mail address and a password given by keyword keep their store, whatever token the environment has."""
    environment.setenv("TINGTING_BASE_URL", server.url)
    environment.setenv("TINGTING_API_TOKEN", "token")
    store = MemoryTokenStore()
    await store.save(Tokens("stored"))
    sent = await sent_by(server, token_store=store, email="e", password="p")
    assert "Bearer stored" == sent.headers["authorization"]


def test_token_and_store_by_keyword() -> None:
    """An API token and a token store that are both given by keyword contradict each other."""
    with pytest.raises(UsageError, match="Give either `api_token`"):
        TingTing.from_env(api_token="t", token_store=MemoryTokenStore())


def test_password_of_another_account(environment: pytest.MonkeyPatch) -> None:
    """The password of the environment is not used with another e-mail address."""
    environment.setenv("TINGTING_EMAIL", "e")
    environment.setenv("TINGTING_PASSWORD", "p")
    with pytest.raises(UsageError, match="the credentials are missing"):
        TingTing.from_env(email="another's")


def test_unknown_option(environment: pytest.MonkeyPatch) -> None:
    """The error of an unknown option is a TypeError that names it, and the nearest one."""
    environment.setenv("TINGTING_API_TOKEN", "t")
    with pytest.raises(UsageError, match=r"^from_env\(\) got an unexpected .* 'windw'\. Did you mean 'window'\?"):
        TingTing.from_env(windw=3)
    with pytest.raises(TypeError, match=r"^from_env\(\) got an unexpected .* 'leger'\. Did you mean 'ledger'\?"):
        TingTing.from_env(leger=None)


def test_invalid_option(environment: pytest.MonkeyPatch) -> None:
    """The error of an invalid option is the one of the session, without a hint at the environment."""
    environment.setenv("TINGTING_API_TOKEN", "t")
    with pytest.raises(UsageError, match="`window` must be an integer of 1 or more, not 0") as caught:
        TingTing.from_env(window=0)
    assert "TINGTING" not in str(caught.value)
