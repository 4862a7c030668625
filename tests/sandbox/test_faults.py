"""Faults: which response the client gets, and whether the request is executed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tingting_async import TransportError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio
PROFILE = "/api/accounts/user_details/"


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession, str]]:
    """Serve one campaign; yield the sandbox, a signed-in HTTP session, and the path that runs the campaign."""
    async with Sandbox(campaigns=1, **options) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        (campaign,) = sandbox.world.campaigns
        yield sandbox, http, f"/api/system/campaigns/{campaign}/begin/"


def runs(sandbox: Sandbox) -> int:
    """Return the number of runs."""
    return sum(effect.kind == "run" for effect in sandbox.side_effects)


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        ({"kind": "status"}, 500, 0),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": {"detail": "Slow."}}, 429, 0),
        ({"kind": "redirect", "location": "/elsewhere/"}, 302, 0),
        ({"kind": "redirect", "status": 307, "location": "/elsewhere/"}, 307, 0),
        ({"kind": "expired_token"}, 401, 0),
        ({"kind": "delay"}, 200, 1),
        ({"kind": "status_after", "status": 503, "body": {"detail": "Down."}}, 503, 1),
        ({"kind": "gateway_timeout"}, 504, 1),
        ({"kind": "html"}, 500, 1),
        ({"kind": "empty"}, 200, 1),
        ({"kind": "wrong_content_type"}, 200, 1),
        ({"kind": "invalid_utf8"}, 200, 1),
        ({"kind": "oversized", "size": 200_000}, 200, 1),
        ({"kind": "duplicate_headers"}, 200, 1),
        ({"kind": "close"}, 200, 1),
    ],
)
async def test_response(fault: dict[str, Any], status: int, done: int) -> None:
    """A fault with a response sends it, executes the request or not, and the status is logged."""
    async with served() as (sandbox, http, run):
        sandbox.faults.add(Fault(method="POST", path="/api/system/*", **fault))
        async with http.post(run, json={"message": "m"}, allow_redirects=False) as response:
            body = await response.read()
        assert (response.status, runs(sandbox)) == (status, done)
        assert [received.status for received in sandbox.requests] == [status]
        kind = response.headers.get("Content-Type", "")
        match fault["kind"]:
            case "status" | "status_after":
                assert body == (json.dumps(fault["body"], separators=(",", ":")).encode() if "body" in fault else b"")
                assert response.headers.get("Retry-After") == fault.get("headers", {}).get("Retry-After")
            case "redirect":
                assert response.headers["Location"] == "/elsewhere/"
            case "expired_token":
                assert json.loads(body)["code"] == "token_not_valid"
            case "gateway_timeout" | "html":
                assert kind.startswith("text/html")
                assert body.startswith(b"<html>")
            case "empty":
                assert body == b""
            case "wrong_content_type":
                assert kind.startswith("text/html")
                assert json.loads(body)["success"] is True
            case "invalid_utf8":
                with pytest.raises(UnicodeDecodeError):
                    body.decode()
            case "oversized":
                assert len(body) == 200_002
            case "duplicate_headers":
                assert len(response.headers.getall("Content-Type")) == 2
                assert json.loads(body)["success"] is True
            case _:
                assert json.loads(body)["success"] is True


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("reset", 0),
        ("reset_after", 1),
        ("truncate", 1),
        ("truncate_chunked", 1),
        ("garbage", 1),
        ("garbage_headers", 1),
    ],
)
async def test_no_response(kind: Any, done: int) -> None:
    """A fault that drops the connection executes the request or not, and no status is logged."""
    async with served() as (sandbox, http, run):
        sandbox.faults.add(Fault(kind, method="POST"))
        with pytest.raises(aiohttp.ClientError):
            async with http.post(run, json={"message": "m"}) as response:
                await response.read()
        assert runs(sandbox) == done
        await sandbox.wait_idle()
        assert [received.status for received in sandbox.requests] == [None]


async def test_reset_is_a_reset() -> None:
    """A reset is a TCP reset, not an orderly close."""
    async with served() as (sandbox, _, run):
        sandbox.faults.add(Fault("reset"))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        writer.write(f"POST {run} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.mark.parametrize(("kind", "done"), [("stall", 0), ("stall_after", 1)])
async def test_stall(kind: Any, done: int) -> None:
    """A stalled request waits for `release()`: `stall` before it executes, `stall_after` afterwards."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault(kind, path=run, times=1))
        request = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.stalled.wait()
        assert runs(sandbox) == done
        assert (request.done(), sandbox.in_flight) == (False, 1)
        fault.release()
        async with await request as response:
            assert response.status == 200
        assert runs(sandbox) == 1
        await sandbox.wait_idle()
        assert sandbox.in_flight == 0


@pytest.mark.parametrize(("kind", "done"), [("stall", 0), ("stall_after", 1)])
async def test_client_that_disconnects(kind: Any, done: int) -> None:
    """If the client disconnects during a stall, an executed request stays executed and another is never executed."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault(kind, path=run))
        request = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.stalled.wait()
        assert runs(sandbox) == done
        request.cancel()
        await asyncio.wait([request])
        await sandbox.wait_idle()
        fault.release()
        assert runs(sandbox) == done
        assert [received.status for received in sandbox.requests] == [None]


async def test_conditions() -> None:
    """A fault triggers by method, path, query, `nth` and `times`. The first fault that triggers applies."""
    async with served() as (sandbox, http, _):
        add = sandbox.faults.add
        second = add(Fault("status", path=PROFILE, nth=2, status=501))
        twice = add(Fault("status", method="G*", path="/api/accounts/*", query="a=1", times=2, status=502))
        add(Fault("status", method="POST", status=503))
        seen: list[int] = []
        for query in ("", "?a=1", "?a=1", "?a=2", "?a=1", "?a=1"):
            async with http.get(PROFILE + query) as response:
                seen.append(response.status)
        assert seen == [200, 501, 502, 200, 502, 200]
        assert (second.count, twice.count, len(list(sandbox.faults))) == (1, 2, 3)
        sandbox.faults.clear()
        assert list(sandbox.faults) == []


async def test_where() -> None:
    """A fault triggers only on requests for which `where` is true, and `where` can use the body."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault("status", where=lambda received: b"this" in received.body, nth=2))
        seen: list[int] = []
        for text in ("this", "that", "this"):
            async with http.post(run, json={"message": text}) as response:
                seen.append(response.status)
        assert (seen, fault.count) == ([200, 400, 500], 1)  # At the second request, the campaign is already running.


async def test_during() -> None:
    """`during` injects faults within its block only. At its end stalled requests continue, and other faults stay."""
    async with served() as (sandbox, http, run):
        other = sandbox.faults.add(Fault("status", path="/other/"))
        stall = Fault("stall", path=run)
        with sandbox.faults.during([stall, Fault("status", path=PROFILE, status=418)]):
            request = asyncio.ensure_future(http.post(run, json={"message": "m"}))
            await stall.stalled.wait()
            async with http.get(PROFILE) as response:
                assert response.status == 418
        async with await request as response:
            assert response.status == 200
        async with http.get(PROFILE) as response:
            assert response.status == 200
        assert list(sandbox.faults) == [other]


async def test_during_one_fault() -> None:
    """`during` accepts a single fault."""
    async with served() as (sandbox, http, _):
        with sandbox.faults.during(Fault("status", path=PROFILE, status=418)):
            async with http.get(PROFILE) as response:
                assert response.status == 418
        assert list(sandbox.faults) == []


async def test_offline() -> None:
    """`offline()` refuses connections; afterwards the sandbox serves on the same port again."""
    async with served() as (sandbox, http, run):
        async with sandbox.offline():
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.post(run, json={"message": "m"})
        async with http.post(run, json={"message": "m"}) as response:
            assert response.status == 200
        assert sandbox.tally()["run", run.split("/")[4]] == 1


async def test_offline_drops_connections() -> None:
    """`offline()` drops the open connections, so that a client that has connected before reaches nothing."""
    async with Sandbox() as sandbox:
        async with TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting:
            await tingting.accounts.user_details()
            async with sandbox.offline():
                for _ in range(2):
                    with pytest.raises(TransportError):
                        await tingting.otp.send("9800000001", "Your code is {otp}", channel="text")
            await tingting.otp.send("9800000001", "Your code is {otp}", channel="text")
        assert sandbox.tally()["otp", "9800000001"] == 1


@pytest.mark.parametrize("kind", ["stall", "stall_after"])
async def test_offline_drops_requests(kind: Any) -> None:
    """`offline()` drops the connections of requests that are being served, too."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault(kind, path=run))
        request = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.stalled.wait()
        async with sandbox.offline():
            with pytest.raises(aiohttp.ClientError):
                await request


@pytest.mark.parametrize("kind", ["rest_after", "", "Reset", None, 1, ["reset"]])
async def test_unknown_kind(kind: Any) -> None:
    """A misspelt kind is refused, and the error lists the kinds."""
    with pytest.raises(ValueError, match=re.escape(f"kind={kind!r} is not valid: use one of 'status', 'delay',")):
        Fault(kind)


async def test_clear_releases() -> None:
    """Clearing the faults releases stalled requests."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault("stall", path=run))
        request = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.triggered.wait()
        sandbox.faults.clear()
        async with await request as response:
            assert response.status == 200


async def test_close_with_a_stalled_request() -> None:
    """A sandbox closes although a request is stalled."""
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as sandbox:
            fault = sandbox.faults.add(Fault("stall"))
            request = asyncio.ensure_future(http.get(sandbox.url + PROFILE))
            await fault.triggered.wait()
        async with await request as response:
            assert response.status == 401


@pytest.mark.parametrize("kind", ["close", None])
async def test_idle_connections(kind: Any) -> None:
    """An idle connection is closed without notice, by a fault or by `close_idle_connections()`."""
    async with Sandbox() as sandbox:
        if kind:
            sandbox.faults.add(Fault(kind, times=1))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        writer.write(b"GET /nowhere/ HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"404" in head
        assert b"close" not in head.lower()
        await reader.readuntil(b"}")
        await sandbox.wait_idle()
        sandbox.close_idle_connections()
        assert await reader.read() == b""
        writer.close()


async def test_oversized_stops_with_its_reader() -> None:
    """If the client disconnects, the sandbox stops sending an oversized response."""
    async with served() as (sandbox, http, _):
        sandbox.faults.add(Fault("oversized", size=2**40))
        async with http.get(PROFILE) as response:
            assert len(await response.content.readexactly(2**20)) == 2**20
        await sandbox.wait_idle()
        assert sandbox.in_flight == 0


async def test_struck() -> None:
    """The faults that struck are logged with their kind and the request, also once they are removed."""
    async with served() as (sandbox, http, run):
        with sandbox.faults.during(Fault("status", method="GET")):
            await http.get(PROFILE)
        sandbox.faults.add(Fault("delay", method="POST", times=1))
        await http.post(run, json={"message": "m"})
        await http.get(PROFILE)
        struck = [(each.kind, each.method, each.path) for each in sandbox.faults.struck]
        assert [("status", "GET", PROFILE), ("delay", "POST", run)] == struck
        assert [request.at for request in sandbox.requests[:2]] == [each.at for each in sandbox.faults.struck]


async def test_ids_of_faults() -> None:
    """Each fault of a sandbox has an id of its own, and can be removed; then it no longer strikes or stalls."""
    async with served() as (sandbox, http, _):
        faults = [sandbox.faults.add(Fault(kind, path=PROFILE)) for kind in ("stall", "status")]
        assert [1, 2] == [fault.id for fault in faults]
        request = asyncio.ensure_future(http.get(PROFILE))
        await faults[0].stalled.wait()
        sandbox.faults.remove(faults[0])
        assert 200 == (await request).status
        assert 500 == (await http.get(PROFILE)).status
        assert [faults[1]] == list(sandbox.faults)
        sandbox.faults.clear()
        assert 3 == sandbox.faults.add(Fault("delay")).id


async def test_waiting() -> None:
    """A fault waits as long as it can trigger again."""
    async with served() as (sandbox, http, _):
        always, once, second = (Fault("delay", **limits) for limits in ({}, {"times": 1}, {"nth": 2}))
        for fault in (once, second, always):
            sandbox.faults.add(fault)
        seen = []
        for _ in range(4):
            seen.append((once.is_waiting, second.is_waiting, always.is_waiting))
            await http.get(PROFILE)
        assert [(True, True, True), (False, True, True), (False, True, True), (False, False, True)] == seen
