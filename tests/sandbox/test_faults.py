"""The sandbox's faults, asked without the client: what is answered, and whether the thing was done."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, get_args

import aiohttp
import pytest

from tingting_async.sandbox import Fault, Sandbox, every_fault, fault_script
from tingting_async.sandbox.faults import Kind

pytestmark = pytest.mark.anyio
PROFILE = "/api/accounts/user_details/"


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession, str]]:
    """Serve one campaign; give the sandbox, someone signed in, and the path that runs the campaign."""
    async with Sandbox(campaigns=1, **options) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        (campaign,) = sandbox.world.campaigns
        yield sandbox, http, f"/api/system/campaigns/{campaign}/begin/"


def runs(sandbox: Sandbox) -> int:
    """Return how many runs were begun."""
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
async def test_answers(fault: dict[str, Any], status: int, done: int) -> None:
    """A fault with an answer gives it, with the deed done or not, and the sandbox has both on record."""
    async with served() as (sandbox, http, run):
        sandbox.faults.add(Fault(method="POST", path="/api/system/*", **fault))
        async with http.post(run, json={"message": "m"}, allow_redirects=False) as answer:
            body = await answer.read()
        assert (answer.status, runs(sandbox)) == (status, done)
        assert [received.status for received in sandbox.requests] == [status]
        kind = answer.headers.get("Content-Type", "")
        match fault["kind"]:
            case "status" | "status_after":
                assert body == (json.dumps(fault["body"], separators=(",", ":")).encode() if "body" in fault else b"")
                assert answer.headers.get("Retry-After") == fault.get("headers", {}).get("Retry-After")
            case "redirect":
                assert answer.headers["Location"] == "/elsewhere/"
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
                assert len(answer.headers.getall("Content-Type")) == 2
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
async def test_no_answer(kind: Any, done: int) -> None:
    """A fault that breaks off leaves the client without an answer, the deed done or not, and no status on record."""
    async with served() as (sandbox, http, run):
        sandbox.faults.add(Fault(kind, method="POST"))
        with pytest.raises(aiohttp.ClientError):
            async with http.post(run, json={"message": "m"}) as answer:
                await answer.read()
        assert runs(sandbox) == done
        await sandbox.wait_idle()
        assert [received.status for received in sandbox.requests] == [None]


async def test_reset_is_a_reset() -> None:
    """A reset is one of TCP, not an orderly end of the connection."""
    async with served() as (sandbox, _, run):
        sandbox.faults.add(Fault("reset"))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        writer.write(f"POST {run} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.mark.parametrize(("kind", "done"), [("stall", 0), ("stall_after", 1)])
async def test_stall(kind: Any, done: int) -> None:
    """A stalled request waits until it is released; with the deed undone before, or done."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault(kind, path=run, times=1))
        asked = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.stalled.wait()
        assert runs(sandbox) == done
        assert (asked.done(), sandbox.in_flight) == (False, 1)
        fault.release()
        async with await asked as answer:
            assert answer.status == 200
        assert runs(sandbox) == 1
        await sandbox.wait_idle()
        assert sandbox.in_flight == 0


@pytest.mark.parametrize(("kind", "done"), [("stall", 0), ("stall_after", 1)])
async def test_client_that_gives_up(kind: Any, done: int) -> None:
    """Who goes away while the sandbox stalls undoes nothing, and what was not begun is not begun any more."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault(kind, path=run))
        asked = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.stalled.wait()
        assert runs(sandbox) == done
        asked.cancel()
        await asyncio.wait([asked])
        await sandbox.wait_idle()
        fault.release()
        assert runs(sandbox) == done
        assert [received.status for received in sandbox.requests] == [None]


async def test_which_requests() -> None:
    """A fault strikes by method, path, query, order and number; the first that strikes is applied."""
    async with served() as (sandbox, http, _):
        add = sandbox.faults.add
        second = add(Fault("status", path=PROFILE, nth=2, status=501))
        twice = add(Fault("status", method="G*", path="/api/accounts/*", query="a=1", times=2, status=502))
        add(Fault("status", method="POST", status=503))
        seen: list[int] = []
        for query in ("", "?a=1", "?a=1", "?a=2", "?a=1", "?a=1"):
            async with http.get(PROFILE + query) as answer:
                seen.append(answer.status)
        assert seen == [200, 501, 502, 200, 502, 200]
        assert (second.count, twice.count, len(list(sandbox.faults))) == (1, 2, 3)
        sandbox.faults.clear()
        assert list(sandbox.faults) == []


async def test_whose_requests() -> None:
    """A fault strikes only where what it was told of the request is true, its body taken in."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault("status", where=lambda asked: b"this" in asked.body, nth=2))
        seen: list[int] = []
        for text in ("this", "that", "this"):
            async with http.post(run, json={"message": text}) as answer:
                seen.append(answer.status)
        assert (seen, fault.count) == ([200, 400, 500], 1)  # The second finds it running.


async def test_during() -> None:
    """Faults for a block strike within it alone; whoever is stalled at its end goes on, and the others stay."""
    async with served() as (sandbox, http, run):
        other = sandbox.faults.add(Fault("status", path="/other/"))
        stall = Fault("stall", path=run)
        with sandbox.faults.during([stall, Fault("status", path=PROFILE, status=418)]):
            asked = asyncio.ensure_future(http.post(run, json={"message": "m"}))
            await stall.stalled.wait()
            async with http.get(PROFILE) as answer:
                assert answer.status == 418
        async with await asked as answer:
            assert answer.status == 200
        async with http.get(PROFILE) as answer:
            assert answer.status == 200
        assert list(sandbox.faults) == [other]


async def test_offline() -> None:
    """A sandbox that is down refuses connections, and is then there again on the same port."""
    async with served() as (sandbox, http, run):
        async with sandbox.offline():
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.post(run, json={"message": "m"})
        async with http.post(run, json={"message": "m"}) as answer:
            assert answer.status == 200
        assert sandbox.tally()["run", run.split("/")[4]] == 1


def test_every_fault() -> None:
    """There is at least one of every kind, each matches whom it was told to, and all say what they are."""
    found = every_fault(path="/a/", times=2)
    assert {fault.kind for fault in found} == set(get_args(Kind))
    assert {(fault.path, fault.times) for fault in found} == {("/a/", 2)}
    assert len({repr(fault) for fault in found}) == len(found)
    assert {fault.kind for fault in every_fault(kinds=("reset", "stall"))} == {"reset", "stall"}


def test_scripts_can_be_had_again() -> None:
    """The same seed gives the same script, another seed another one, and all kinds come up."""
    scripts = [repr(fault_script(seed, path="/a/", length=4)) for seed in range(200)]
    assert scripts == [repr(fault_script(seed, path="/a/", length=4)) for seed in range(200)]
    assert len(set(scripts)) == 200
    assert all(f"kind='{kind}'" in str(scripts) for kind in get_args(Kind))


async def test_script() -> None:
    """The faults of a script strike one request each, in their order, and then all is well."""
    async with served() as (sandbox, http, _):
        script = fault_script(1, path=PROFILE, kinds=("status", "redirect"))
        seen: list[int] = []
        with sandbox.faults.during(script):
            for _ in range(4):
                async with http.get(PROFILE, allow_redirects=False) as answer:
                    seen.append(answer.status)
        assert seen == [*(fault.status for fault in script), 200]


async def test_clear_lets_go() -> None:
    """To clear the faults releases whoever is stalled."""
    async with served() as (sandbox, http, run):
        fault = sandbox.faults.add(Fault("stall", path=run))
        asked = asyncio.ensure_future(http.post(run, json={"message": "m"}))
        await fault.triggered.wait()
        sandbox.faults.clear()
        async with await asked as answer:
            assert answer.status == 200


async def test_end_with_a_stalled_request() -> None:
    """A sandbox ends although a request is stalled."""
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as sandbox:
            fault = sandbox.faults.add(Fault("stall"))
            asked = asyncio.ensure_future(http.get(sandbox.url + PROFILE))
            await fault.triggered.wait()
        async with await asked as answer:
            assert answer.status == 401


@pytest.mark.parametrize("kind", ["close", None])
async def test_connections_that_are_gone(kind: Any) -> None:
    """A connection at rest is closed without a word, by a fault or at once, and its client finds it gone."""
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


async def test_gigantic_ends_with_its_reader() -> None:
    """Whoever has read enough of a gigantic answer goes away, and the sandbox stops giving."""
    async with served() as (sandbox, http, _):
        sandbox.faults.add(Fault("oversized", size=2**40))
        async with http.get(PROFILE) as answer:
            assert len(await answer.content.readexactly(2**20)) == 2**20
        await sandbox.wait_idle()
        assert sandbox.in_flight == 0
