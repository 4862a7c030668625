"""What all requests to the control interface have in common."""

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tingting_async._version import __version__
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]


async def test_index(sandbox: Sandbox, call: Call) -> None:
    """The index says which version this is and how to connect, and each of its links leads somewhere."""
    status, index = await call("GET")
    assert (200, 1, __version__) == (status, index["version"], index["sandbox"])
    account = (sandbox.url, sandbox.email, sandbox.password, sandbox.api_token)
    assert account == tuple(index[name] for name in ("url", "email", "password", "api_token"))
    assert f"{sandbox.url}/control/v1/events" == index["links"].pop("events")  # A response without an end.
    for url in index["links"].values():
        assert (await call("GET", url.removeprefix(f"{sandbox.url}/control/v1/")))[0] == 200


async def test_index_behind_another_port(sandbox: Sandbox, call: Call) -> None:
    """The index shows the address under which it was reached, as a container maps its port to another one."""
    _, index = await call("GET", headers={"Host": "localhost:49153"})
    assert index["url"] == "http://localhost:49153"
    assert index["links"]["clock"] == "http://localhost:49153/control/v1/clock"


@pytest.mark.parametrize("path", ["nothing", "clock/", "clock/nothing", "../v2/", "..", "../../control"])
async def test_unknown_paths(call: Call, path: str) -> None:
    """A path that does not exist gets a 404 that says where the resources are listed."""
    status, body = await call("GET", path)
    assert status == 404
    assert body["error"].endswith("there is nothing here. /control/v1/ lists what there is.")


async def test_wrong_methods(sandbox: Sandbox) -> None:
    """A method that a path does not take gets a 405 that names those it takes."""
    async with aiohttp.ClientSession(sandbox.url) as http, http.put("/control/v1/effects") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET")
        assert (await response.json())["error"] == "/control/v1/effects takes GET, not PUT."


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"seconds": "\xff"}', "not valid JSON"),
        (b'{"seconds": NaN}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"seconds=5", "not valid JSON"),
        (b"[]", "use a JSON object"),
        (b"null", "use a JSON object"),
        (b'"seconds"', "use a JSON object"),
    ],
)
async def test_bodies_that_are_no_objects(sandbox: Sandbox, raw: bytes, word: str) -> None:
    """A body that is not a JSON object is a 400 that says so."""
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        http.post("/control/v1/clock/advance", data=raw) as response,
    ):
        body = await response.json()
        assert (400, None) == (response.status, body["field"])
        assert word in body["error"]


@pytest.mark.parametrize(
    ("body", "field", "error"),
    [
        ({}, "seconds", "seconds is missing: use a number of seconds"),
        ({"seconds": "60"}, "seconds", 'seconds="60" is not valid: use a number of seconds'),
        ({"seconds": None}, "seconds", "seconds=null is not valid"),
        ({"seconds": True}, "seconds", "seconds=true is not valid"),
        ({"seconds": -1}, "seconds", "seconds=-1 is not valid"),
        ({"seconds": 1e300}, "seconds", "seconds=1e+300 is not valid"),
        ({"seconds": [60]}, "seconds", "seconds=[60] is not valid"),
        ({"seconds": 60, "unit": 1}, "unit", "There is no field unit: use seconds."),
        ({"second": 60}, "second", "There is no field second: did you mean seconds?"),
    ],
)
async def test_invalid_fields(call: Call, body: Any, field: str, error: str) -> None:
    """An invalid, missing or unknown field is a 400 that names the field, and says what to use."""
    status, answer = await call("POST", "clock/advance", body)
    assert (400, field) == (status, answer["field"])
    assert answer["error"].startswith(error)


async def test_invalid_queries(call: Call) -> None:
    """An unknown or repeated parameter of a query is a 400 that names it."""
    assert (await call("GET", "effects?targt=1"))[1] == {
        "error": "There is no field targt: did you mean target?",
        "field": "targt",
    }
    assert (await call("GET", "effects?kind=call&kind=sms"))[1]["field"] == "kind"


async def test_headers(sandbox: Sandbox) -> None:
    """Responses are not kept by caches, and not shown by pages of other sites."""
    async with aiohttp.ClientSession(sandbox.url) as http, http.get("/control/v1/clock") as response:
        names = ("Cache-Control", "Cross-Origin-Resource-Policy", "X-Content-Type-Options", "Content-Type")
        expected = ["no-store", "same-origin", "nosniff", "application/json"]
        assert expected == [response.headers[name] for name in names]


async def test_it_is_not_part_of_the_service(sandbox: Sandbox, call: Call) -> None:
    """Faults do not apply to the control interface, and its requests are not among those of the sandbox."""
    fault = sandbox.faults.add(Fault("status", status=500))
    assert (await call("GET", "clock"))[0] == 200
    assert (await call("GET", "nothing"))[0] == 404
    assert (0, []) == (fault.count, sandbox.requests)
    assert (0, 0) == (sandbox.in_flight, sandbox.peak_in_flight)


async def test_curl_needs_no_content_type(sandbox: Sandbox) -> None:
    """A body is read as JSON whatever its declared type is, because curl declares a form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    before = sandbox.clock.now()
    async with (
        aiohttp.ClientSession(sandbox.url, headers=headers) as http,
        http.post("/control/v1/clock/advance", data=json.dumps({"seconds": 500})) as response,
    ):
        assert response.status == 200
    assert sandbox.clock.now() >= before + 500
