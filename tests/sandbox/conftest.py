"""Fixtures of the sandbox's tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

Connect = Callable[..., AbstractAsyncContextManager[tuple[Sandbox, aiohttp.ClientSession]]]


@pytest.fixture
def connect() -> Connect:
    """Return a function that serves a sandbox with the given options, and connects with its API token."""

    @asynccontextmanager
    async def serve(**options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession]]:
        async with Sandbox(**options) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
            http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
            yield sandbox, http

    return serve


@pytest.fixture
def post() -> Callable[..., Any]:
    """Return a function that posts JSON, and returns the status and the decoded body of the response."""

    async def send(http: aiohttp.ClientSession, path: str, body: Any, **options: Any) -> tuple[int, Any]:
        async with http.post(path, json=body, **options) as response:
            return response.status, await response.json()

    return send
