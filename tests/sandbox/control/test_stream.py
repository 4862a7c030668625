"""The stream of events that say when the sandbox has changed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(sandbox: Sandbox, **headers: str) -> AsyncIterator[aiohttp.StreamReader]:
    """Open the stream, and read what comes before the first event."""
    async with (
        aiohttp.ClientSession(sandbox.url, headers=headers) as http,
        http.get("/control/v1/events") as response,
    ):
        assert (200, "text/event-stream", "no-store") == (
            response.status,
            response.content_type,
            response.headers["Cache-Control"],
        )
        assert b"retry: 1000\n\n" == await response.content.readuntil(b"\n\n")
        yield response.content


async def read_version(stream: aiohttp.StreamReader) -> int:
    """Read an event, and return the version that it states, which is its id, too."""
    first, second = (await stream.readuntil(b"\n\n")).decode().splitlines()[:2]
    version: int = json.loads(second.removeprefix("data: "))["version"]
    assert f"id: {version}" == first
    return version


async def test_changes(sandbox: Sandbox) -> None:
    """An event comes at once, and another one after every change."""
    async with listening(sandbox) as stream:
        version = await read_version(stream)
        assert version == sandbox.version
        sandbox.clock.advance(60)
        assert await read_version(stream) > version


async def test_connecting_again(sandbox: Sandbox) -> None:
    """A client that connects again gets an event at once, whatever it has seen: the sandbox may be another one."""
    async with listening(sandbox, **{"Last-Event-ID": str(sandbox.version)}) as stream:
        assert await read_version(stream) == sandbox.version


async def test_many_changes_are_one_event(sandbox: Sandbox) -> None:
    """Changes that follow each other closely are told by one event."""
    async with listening(sandbox) as stream:
        await read_version(stream)
        for _ in range(100):
            sandbox.clock.advance(1)
        assert await read_version(stream) == sandbox.version


async def test_the_sandbox_stops() -> None:
    """A client that listens does not keep the sandbox from stopping."""
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as sandbox:
            response = await http.get(f"{sandbox.url}/control/v1/events")
            await response.content.readuntil(b"\n\n")
        with pytest.raises(aiohttp.ClientError):
            await response.content.readuntil(b"never")
        response.close()
