"""Faults, by the control interface."""

import asyncio
from collections.abc import Callable
from typing import Any, get_args

import aiohttp
import pytest

from tingting_async.sandbox import Fault, Sandbox
from tingting_async.sandbox.faults import Kind

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]
LOGIN = "/api/accounts/login/"


async def sign_in(sandbox: Sandbox, email: str = "a@example.com") -> tuple[int, bytes, str]:
    """Send a request to the service; return the status, the body and its type."""
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        http.post(LOGIN, json={"email": email, "password": "p"}) as response,
    ):
        return response.status, await response.read(), response.content_type


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_every_kind(call: Call, kind: str) -> None:
    """A fault of every kind can be added, is listed with all its fields, and can be removed."""
    needed = {"delay": {"delay": 5}, "redirect": {"location": "/elsewhere"}}.get(kind, {})
    status, added = await call("POST", "faults", {"kind": kind, "path": "*/login/", "times": 2, **needed})
    assert (201, kind, "*/login/", 2, 0, True) == (
        status,
        *(added[name] for name in ("kind", "path", "times", "count", "is_waiting")),
    )
    assert [added] == (await call("GET", "faults"))[1]["faults"]
    assert (200, added) == await call("DELETE", f"faults/{added['id']}")
    assert [] == (await call("GET", "faults"))[1]["faults"]


async def test_it_strikes(sandbox: Sandbox, call: Call) -> None:
    """A fault strikes the requests that match it, as often as it says, and what it struck is listed."""
    body = {"detail": "Busy."}
    fault = {
        "kind": "status",
        "method": "POST",
        "status": 503,
        "body": body,
        "headers": {"Retry-After": "1"},
        "times": 1,
    }
    await call("POST", "faults", fault)
    assert [503, 401] == [(await sign_in(sandbox))[0] for _ in range(2)]
    listed = (await call("GET", "faults"))[1]
    assert [(1, False)] == [(each["count"], each["is_waiting"]) for each in listed["faults"]]
    assert [("status", "POST", LOGIN)] == [
        tuple(each[name] for name in ("kind", "method", "path")) for each in listed["struck"]
    ]


async def test_the_body_of_requests(sandbox: Sandbox, call: Call) -> None:
    """A fault with `body_contains` strikes only requests whose body has the text, also if JSON escapes it."""
    _, added = await call("POST", "faults", {"kind": "status", "status": 502, "body_contains": "सीता@example.com"})
    assert added["body_contains"] == "सीता@example.com"
    assert [401, 502] == [(await sign_in(sandbox, email))[0] for email in ("राम@example.com", "सीता@example.com")]


async def test_a_body_that_is_not_json(sandbox: Sandbox, call: Call) -> None:
    """A text with the type of a page is sent as it is; without a type, it is a JSON string."""
    fault = {"kind": "status", "status": 502, "body": "<h1>Bad gateway</h1>", "times": 1}
    await call("POST", "faults", {**fault, "headers": {"content-type": "text/html"}})
    assert (502, b"<h1>Bad gateway</h1>", "text/html") == await sign_in(sandbox)
    await call("POST", "faults", fault)
    assert (502, b'"<h1>Bad gateway</h1>"', "application/json") == await sign_in(sandbox)


async def test_release(sandbox: Sandbox, call: Call) -> None:
    """A request that a fault stalls continues once the fault is released."""
    _, added = await call("POST", "faults", {"kind": "stall"})
    request = asyncio.ensure_future(sign_in(sandbox))
    (fault,) = sandbox.faults
    await fault.stalled.wait()
    assert (await call("GET", "faults"))[1]["faults"][0]["has_stalled"] is True
    status, _ = await call("POST", f"faults/{added['id']}/release")
    assert (200, 401) == (status, (await request)[0])


async def test_remove_all(sandbox: Sandbox, call: Call) -> None:
    """All faults are removed together, those that were added in Python as well."""
    await call("POST", "faults", {"kind": "reset"})
    sandbox.faults.add(Fault("reset", where=lambda request: True))
    _, removed = await call("DELETE", "faults")
    assert [("reset", None)] * 2 == [(each["kind"], each["body_contains"]) for each in removed["faults"]]
    assert [] == list(sandbox.faults)


@pytest.mark.parametrize(("method", "path"), [("DELETE", "faults/99"), ("POST", "faults/99/release")])
async def test_unknown_ids(call: Call, method: str, path: str) -> None:
    """A fault that does not exist is a 404."""
    status, body = await call(method, path)
    assert status == 404
    assert body["error"].startswith("There is no fault 99.")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "resett"),
        ("method", 5),
        ("method", "post"),
        ("path", None),
        ("path", "login"),
        ("query", 5),
        ("query", "?a=1"),
        ("body_contains", ["x"]),
        ("nth", 0),
        ("nth", 1.5),
        ("times", 0),
        ("times", "2"),
        ("status", 99),
        ("status", 600),
        ("headers", {"X A": "b"}),
        ("headers", {"X": "a\r\nb"}),
        ("headers", {"X": 5}),
        ("headers", []),
        ("delay", -1),
        ("delay", "1"),
        ("size", -1),
        ("location", "a\nb"),
        ("where", "x"),
        ("count", 1),
    ],
)
async def test_invalid_fields(sandbox: Sandbox, call: Call, field: str, value: Any) -> None:
    """An invalid field is refused by its name, and no fault is added."""
    status, body = await call("POST", "faults", {"kind": "reset", field: value})
    assert (400, field) == (status, body["field"])
    assert [] == list(sandbox.faults)


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"kind": "delay"}, "delay"),
        ({"kind": "delay", "delay": None}, "delay"),
        ({"kind": "redirect"}, "location"),
        ({"kind": "redirect", "location": "", "status": 301}, "location"),
        ({"kind": "reset", "status": 503}, "status"),
        ({"kind": "stall", "delay": 5}, "delay"),
        ({"kind": "status", "delay": 5}, "delay"),
        ({"kind": "status_after", "location": "/"}, "location"),
        ({"kind": "delay", "delay": 5, "body": {"a": 1}}, "body"),
        ({"kind": "html", "body": False}, "body"),
        ({"kind": "empty", "headers": {"X": "1"}}, "headers"),
        ({"kind": "truncate", "size": 5}, "size"),
        ({"kind": "expired_token", "status": 403}, "status"),
        ({"kind": "status", "status": 204, "body": {"a": 1}}, "body"),
        ({"kind": "status_after", "status": 304, "body": ""}, "body"),
        ({"kind": "status", "headers": {"Transfer-Encoding": "chunked"}}, "headers"),
        ({"kind": "status", "headers": {"content-length": "5"}, "body": "abc"}, "headers"),
    ],
)
async def test_fields_that_do_not_fit(sandbox: Sandbox, call: Call, fault: dict[str, Any], field: str) -> None:
    """A field that the kind needs and lacks, or does not use, is refused by its name, and no fault is added."""
    status, body = await call("POST", "faults", fault)
    assert (400, field) == (status, body["field"])
    assert field in body["error"]
    assert [] == list(sandbox.faults)
