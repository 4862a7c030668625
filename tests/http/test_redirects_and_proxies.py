"""Which redirects a request follows, and which proxy it goes through."""

from typing import Any

import pytest
from support.messages import READ, SEND
from support.servers import Received, closed_port, http_response, replies, succeed

from tingting_async import ApiError, NotSentError, OutcomeUnknownError, RetryPolicy, TingTing, UsageError

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1)


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    return TingTing(
        base_url=url, **{"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    )


def redirect(location: str, status: int = 302, *, times: int = 1) -> Any:
    """Return a script that redirects so many requests, and responds to the others with success."""

    async def script(received: Received) -> None:
        if received.number < times:
            await received.respond(b"", status, location=location.replace("HOST", str(received.headers["host"])))
        else:
            await succeed(received)

    return script


# Redirects


@pytest.mark.parametrize(
    ("location", "target"),
    [("/elsewhere/", "/elsewhere/"), ("http://HOST/x/", "/x/"), ("?a=1", "/things?a=1")],
)
async def test_redirect_on_the_same_origin(serve: Any, location: str, target: str) -> None:
    """A GET follows a redirect on its own origin, with the token."""
    server = await serve(redirect(location, 301))
    async with connect(server.url) as tingting:
        assert {"a": 1} == (await tingting._core.execute(READ)).json()
    assert ["/things", target] == [received.target for received in server.requests]
    assert "Bearer key" == server.requests[1].headers["authorization"]


@pytest.mark.parametrize("location", ["//localhost/", "https://127.0.0.1/", "http://[", "ftp://x/"])
async def test_redirect_to_another_origin(serve: Any, location: str) -> None:
    """A GET follows no redirect to another origin or to an invalid URL; the error names `base_url`."""
    server = await serve(redirect(location))
    async with connect(server.url) as tingting:
        with pytest.raises(ApiError, match="base_url"):
            await tingting._core.execute(READ)
    assert 1 == len(server.requests)


async def test_redirect_to_another_port(serve: Any) -> None:
    """A GET follows no redirect to another port of the same host."""
    elsewhere = await serve(succeed)
    server = await serve(redirect(elsewhere.url))
    async with connect(server.url) as tingting:
        with pytest.raises(ApiError, match="base_url"):
            await tingting._core.execute(READ)
    assert [] == elsewhere.requests


async def test_redirects_without_end(serve: Any) -> None:
    """A GET follows five redirects and no more."""
    server = await serve(redirect("/again/", times=20))
    async with connect(server.url) as tingting:
        with pytest.raises(ApiError):
            await tingting._core.execute(READ)
    assert 6 == len(server.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_of_a_send(serve: Any, status: int) -> None:
    """A send follows no redirect, and its outcome is unknown; the error says that `base_url` may be wrong."""
    server = await serve(redirect("/x/", status))
    async with connect(server.url) as tingting:
        with pytest.raises(
            OutcomeUnknownError, match=f"had status {status}.*only reads follow: check `base_url`"
        ) as caught:
            await tingting._core.execute(SEND)
    assert status == caught.value.status
    assert 1 == len(server.requests)


# Proxies


async def test_proxy(serve: Any) -> None:
    """Requests go through the proxy that was given."""
    proxy = await serve(succeed)
    async with connect("http://service.invalid", proxy=proxy.url, allow_plain_http=True) as tingting:
        await tingting._core.execute(READ)
    assert "http://service.invalid/things" == proxy.requests[0].target


async def test_proxy_of_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `trust_env`, requests go through the proxy that the environment names."""
    proxy = await serve(succeed)
    monkeypatch.setenv("http_proxy", proxy.url)
    async with connect("http://service.invalid", trust_env=True, allow_plain_http=True) as tingting:
        await tingting._core.execute(READ)
    assert 1 == len(proxy.requests)


async def test_exception_from_the_proxy(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to a host that `NO_PROXY` names do not go through the proxy."""
    proxy, server = await serve(succeed), await serve(succeed)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost,service.invalid")
    async with connect(server.url, trust_env=True) as tingting:
        await tingting._core.execute(READ)
    async with connect("http://service.invalid", trust_env=True, retries=ONCE, allow_plain_http=True) as tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(READ)
    assert (0, 1) == (len(proxy.requests), len(server.requests))


async def test_environment_that_is_not_trusted(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `trust_env`, the proxy of the environment is not used."""
    proxy = await serve(succeed)
    monkeypatch.setenv("http_proxy", proxy.url)
    async with connect("http://service.invalid", retries=ONCE, allow_plain_http=True) as tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(READ)
    assert [] == proxy.requests


async def test_proxy_refuses(serve: Any) -> None:
    """A request that the proxy refuses was never sent; the error does not show the password of the proxy."""
    proxy = await serve(replies(http_response(b"no", 407)))
    given = proxy.url.replace("//", "//user:hunter2@")
    async with connect("https://service.invalid", proxy=given) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
    assert "connect" == caught.value.phase
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert ["CONNECT"] * 3 == [received.method for received in proxy.requests]


async def test_proxy_that_refuses_and_hangs_up(serve: Any) -> None:
    """A request was never sent if the proxy refuses it and closes the connection."""
    proxy = await serve(replies(http_response(b"no", 407), close=True))
    async with connect("https://service.invalid", proxy=proxy.url, retries=ONCE) as tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(SEND)


async def test_no_proxy_there() -> None:
    """A request to a proxy that cannot be reached was never sent; the error does not show its password."""
    proxy = f"http://user:hunter2@127.0.0.1:{closed_port()}"
    async with connect("https://service.invalid", proxy=proxy) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("form", ["{}", "{}/", "user:hunter2@{}"])
async def test_proxy_of_the_environment_without_a_scheme(
    serve: Any, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A proxy that the environment names without a scheme is used, as curl and others do."""
    proxy = await serve(succeed)
    monkeypatch.setenv("http_proxy", form.format(proxy.url.removeprefix("http://")))
    async with connect("http://service.invalid", trust_env=True, allow_plain_http=True) as tingting:
        await tingting._core.execute(READ)
    assert 1 == len(proxy.requests)


BAD_PROXIES = ["socks5://hunter2@proxy:1080", "ftp://hunter2", "http://", "http://hunter2:x", "http://hunter2:99999"]


@pytest.mark.parametrize("proxy", [*BAD_PROXIES, "http://[::1", "http://proxy hunter2", "http://proxy:0"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_of_the_environment_that_is_no_proxy(monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str) -> None:
    """A variable that is not the URL of an HTTP proxy is refused by its name, without its value."""
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    with pytest.raises(UsageError, match=f"`{scheme.upper()}_PROXY` must be the URL of an HTTP proxy") as caught:
        connect(f"{scheme}://service.invalid", trust_env=True, allow_plain_http=True)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("proxy", [*BAD_PROXIES, "proxy:8080", "user:hunter2@proxy:8080", "proxy"])
def test_a_proxy_that_is_no_proxy(proxy: str) -> None:
    """A `proxy` that is not the URL of an HTTP proxy is refused by its name, without its value."""
    with pytest.raises(UsageError, match="`proxy` must be the URL of an HTTP proxy") as caught:
        connect("https://service.invalid", proxy=proxy)
    assert "hunter2" not in str(caught.value)
