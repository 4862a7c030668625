"""Fixtures of the control interface's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Serve a small sandbox."""
    async with Sandbox(campaigns=2, numbers=3) as sandbox:
        yield sandbox


@pytest.fixture
async def call(sandbox: Sandbox) -> AsyncIterator[Call]:
    """Return a function that sends a request to a path below `/control/v1/`: the status and the decoded body."""
    async with aiohttp.ClientSession(f"{sandbox.url}/control/v1/") as http:

        async def send(method: str, path: str = "", body: Any = None, **options: Any) -> tuple[int, Any]:
            async with http.request(method, path, json=body, **options) as response:
                return response.status, await response.json()

        yield send
