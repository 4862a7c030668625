"""The guard: a page of another site can neither use nor read the control interface."""

import json
import socket
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio
ADVANCE = "/control/v1/clock/advance"


async def send(sandbox: Sandbox, headers: dict[str, str], *, method: str = "POST", path: str = ADVANCE) -> Any:
    """Send a request with these headers; return the status and the decoded body."""
    body = b"" if method == "GET" else json.dumps({"seconds": 1000}).encode()
    headers = {name: value.replace("PORT", sandbox.url.rpartition(":")[2]) for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        http.request(method, path, data=body, headers=headers) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:PORT"},
        {"Host": "LOCALHOST.:PORT"},
        {"Host": "app.localhost"},
        {"Host": "192.0.2.7:8080"},
        {"Host": "[::1]:PORT"},
        {"Host": "sandbox:8000"},
        {"Host": "Sandbox."},
        {"Host": "my_sandbox:8000", "Origin": "http://my_sandbox:8000"},
        {"Host": "sandbox", "Origin": "http://sandbox:80"},
        {"Host": "sandbox", "Origin": "https://sandbox"},
        {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_allowed(headers: dict[str, str]) -> None:
    """Programs and the sandbox's own page may use IP addresses, names of the loopback, and the names that are given."""
    async with Sandbox(allowed_hosts=["sandbox", "my_sandbox"]) as sandbox:
        status, _ = await send(sandbox, headers)
        assert status == 200


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Host": "evil.example:PORT"}, "--allowed-host evil.example"),
        ({"Host": "evil.example:PORT", "Origin": "http://evil.example:PORT"}, "'evil.example' is not allowed"),
        ({"Host": "localhost.evil.example"}, "not allowed"),
        ({"Host": "127.0.0.1.evil.example"}, "not allowed"),
        ({"Host": "sandbox.evil.example"}, "not allowed"),
        ({"Host": "xn--u2bnd8ab8a5ktd"}, "not allowed"),
        ({"Host": "2130706433"}, "not allowed"),
        ({"Host": ""}, "no valid `Host` header"),
        ({"Host": "[::1"}, "no valid `Host` header"),
        ({"Origin": "http://evil.example"}, "another site ('http://evil.example')"),
        ({"Origin": "http://127.0.0.1:1"}, "another site"),
        ({"Origin": "http://localhost:PORT"}, "another site"),
        ({"Origin": "null"}, "another site ('null')"),
        ({"Origin": "file://"}, "another site"),
        ({"Origin": ""}, "another site"),
        ({"Origin": "http://[::1"}, "another site"),
        ({"Sec-Fetch-Site": "cross-site"}, "another site"),
        ({"Sec-Fetch-Site": "same-site"}, "another site"),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, "another site"),
    ],
)
async def test_refused(headers: dict[str, str], word: str) -> None:
    """A request of another site's page, even if its name resolves to this machine, is refused and changes nothing."""
    async with Sandbox(allowed_hosts=["sandbox"]) as sandbox:
        before = sandbox.clock.now()
        status, body = await send(sandbox, headers)
        assert (status, body["field"]) == (403, None)
        assert word in body["error"]
        assert sandbox.clock.now() - before < 1000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 200),
    ],
)
async def test_reading(headers: dict[str, str], expected: int) -> None:
    """A page of another site can read nothing either, but the user can follow a link from there."""
    async with Sandbox() as sandbox:
        status, body = await send(sandbox, headers, method="GET", path="/control/v1/")
        assert expected == status
        assert (expected == 200) == (sandbox.password in str(body))


async def test_no_permission_for_other_sites() -> None:
    """A browser that asks whether another site's page may send a request is given no permission."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        headers = {"Access-Control-Request-Method": "POST", "Origin": "http://evil.example"}
        async with http.options(ADVANCE, headers=headers) as response:
            assert response.status == 403
            assert [] == [name for name in response.headers if name.startswith("Access-Control")]


async def test_the_service_is_not_guarded() -> None:
    """The simulated service itself is reached under every name, as the real one is behind its proxy."""
    async with Sandbox() as sandbox:
        headers = {"Host": "sandbox", "Authorization": f"Bearer {sandbox.api_token}"}
        status, _ = await send(sandbox, headers, method="GET", path="/api/accounts/user_details/")
        assert status == 200


async def test_the_host_that_it_listens_on() -> None:
    """The name that the sandbox listens on is allowed, whatever it is."""
    name = socket.gethostname()
    try:
        async with Sandbox(host=name) as sandbox:
            assert (await send(sandbox, {"Host": name}))[0] == 200
    except OSError:
        pytest.skip("this machine cannot listen on its own name")


@pytest.mark.parametrize("name", ["http://sandbox", "sandbox:8000", "sand box", "*", "", "sandbox/", "[::1]"])
def test_no_host_name(name: str) -> None:
    """A name with a scheme, a port or a wildcard would never match: it is refused, with what to write."""
    with pytest.raises(ValueError, match="is not a host name"):
        Sandbox(allowed_hosts=["sandbox", name])


def test_a_string_of_names() -> None:
    """A string is not a list of names of one character."""
    with pytest.raises(TypeError, match="allowed_hosts='sandbox' is a string: use a list"):
        Sandbox(allowed_hosts="sandbox")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Host": "evil.example", "Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/system/send/otp/", "/api/v1/campaign/", "/nowhere", "/favicon.ico"])
async def test_the_service_is_guarded_from_pages(headers: dict[str, str], method: str, path: str) -> None:
    """A page of another site sends nothing to the service: it triggers no fault, and is not among the requests."""
    async with Sandbox() as sandbox:
        fault = sandbox.faults.add(Fault("reset_after", times=1))
        headers = {**headers, "Authorization": f"Bearer {sandbox.api_token}"}
        status, body = await send(sandbox, headers, method=method, path=path)
        assert status == 403
        assert "site" in body["detail"] or "not allowed" in body["detail"]
        assert ([], []) == (sandbox.requests, sandbox.side_effects)
        assert [fault] == list(sandbox.faults)
        assert [] == list(sandbox.faults.struck)


async def test_the_sandboxs_own_pages_reach_the_service() -> None:
    """The service serves a page of the sandbox's own address."""
    async with Sandbox() as sandbox:
        headers = {
            "Origin": sandbox.url,
            "Sec-Fetch-Site": "same-origin",
            "Authorization": f"Bearer {sandbox.api_token}",
        }
        status, _ = await send(sandbox, headers, method="GET", path="/api/accounts/user_details/")
        assert status == 200


async def test_favicon() -> None:
    """The icon that browsers ask for by themselves triggers no fault, and is not among the requests."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        fault = sandbox.faults.add(Fault("reset_after", times=1))
        async with http.get("/favicon.ico") as response:
            assert (200, "image/svg+xml") == (response.status, response.content_type)
        assert [] == list(sandbox.recent_requests)
        assert [fault] == list(sandbox.faults)
