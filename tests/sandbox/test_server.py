"""What the server does around every handler: slashes, methods, the request log."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]
LOGIN = "/api/accounts/login/"
NOT_FOUND = (404, {"detail": "Not found."})


async def test_get_without_its_slash() -> None:
    """A GET whose path lacks the trailing slash is redirected, with its query."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.get("/api/accounts/user_details?x=1", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (301, "/api/accounts/user_details/?x=1")


@pytest.mark.parametrize("path", ["/wrong/api/accounts/login/", "/api/accounts/login", "/api/system/campaigns"])
async def test_post_without_its_slash(path: str, post: Post) -> None:
    """A POST to an unknown path, or one that lacks the trailing slash, is a 404."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        assert await post(http, path, {"email": sandbox.email}, allow_redirects=False) == NOT_FOUND


async def test_unknown_path() -> None:
    """A GET of an unknown path is a 404."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.get("/nowhere", allow_redirects=False) as response:
            assert (response.status, await response.json()) == NOT_FOUND


async def test_wrong_method() -> None:
    """A method that a path does not have is a 405 that names those it has."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.get(LOGIN) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
            assert await response.json() == {"detail": 'Method "GET" not allowed.'}


async def test_request_log(post: Post) -> None:
    """Every request is logged with its case-insensitive headers, its body and the status of its response."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await post(http, LOGIN + "?a=1", {"email": "x"}, headers={"X-A": "b"})
        (received,) = sandbox.requests
        assert (received.method, received.path, received.query) == ("POST", LOGIN, "a=1")
        assert (received.headers["x-a"], received.body, received.status) == ("b", b'{"email": "x"}', 400)


async def test_request_log_shows_no_body(post: Post) -> None:
    """The repr of a logged request does not show its body."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await post(http, LOGIN, {"email": "x"})
        assert "email" not in repr(sandbox.requests)


async def test_no_request_log(post: Post) -> None:
    """With `keep_requests=False`, nothing is logged."""
    async with Sandbox(keep_requests=False) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await post(http, LOGIN, {})
        assert sandbox.requests == []


async def test_duration(connect: Connect, post: Post) -> None:
    """A logged request has the time that it took, also if its response was lost; a fault that struck it is named."""
    async with connect(campaigns=0) as (sandbox, http):
        sandbox.faults.add(Fault("delay", delay=0.05, times=1))
        await post(http, LOGIN, {})
        sandbox.faults.add(Fault("reset_after", times=1))
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(http, LOGIN, {})
        await post(http, LOGIN, {})
        await sandbox.wait_idle()
        slow, lost, plain = sandbox.requests
        assert ["delay", "reset_after", None] == [slow.fault, lost.fault, plain.fault]
        assert [400, None, 400] == [slow.status, lost.status, plain.status]
        assert all(each.duration is not None for each in (slow, lost, plain))
        assert slow.duration
        assert slow.duration >= 0.05


async def test_duration_of_a_request_that_was_abandoned(connect: Connect) -> None:
    """A request whose client goes away has no status, and the time until then."""
    async with connect(campaigns=0) as (sandbox, http):
        fault = sandbox.faults.add(Fault("stall"))
        request = asyncio.ensure_future(http.get("/api/v1/campaign/"))
        await fault.stalled.wait()
        (received,) = sandbox.requests
        assert None is received.duration
        request.cancel()
        await sandbox.wait_idle()
        assert (None, True) == (received.status, received.duration is not None)


@pytest.mark.parametrize("keep", [False, True])
async def test_recent_requests(connect: Connect, post: Post, keep: bool) -> None:
    """The last 200 requests are kept in any case; their bodies are whole only if every request is kept."""
    async with connect(campaigns=0, keep_requests=keep) as (sandbox, http):
        for number in range(201):
            await http.get(f"/{number}")
        assert [f"/{number}" for number in range(1, 201)] == [each.path for each in sandbox.recent_requests]
        await post(http, LOGIN, {"email": "x" * 20_000})
        body = sandbox.recent_requests[-1].body
        assert (20_000 < len(body)) if keep else (10_000 == len(body))


async def test_an_address_of_ipv6() -> None:
    """The URL of a sandbox that listens on an IPv6 address has it in brackets."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with Sandbox(host="::1") as sandbox, aiohttp.ClientSession() as http:
        assert sandbox.url.startswith("http://[::1]:")
        async with http.get(f"{sandbox.url}/api/v1/nothing/") as response:
            assert 404 == response.status


def has_ipv6() -> bool:
    """Return whether this machine can listen on the IPv6 address of the loopback."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False
