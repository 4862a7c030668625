"""Retries over real sockets: when a session stops retrying."""

import asyncio
from typing import Any

import pytest
from support.servers import http_response, replies

from tingting_async import ApiError, RateLimitedError, RetryPolicy, ServerError, TingTing

pytestmark = pytest.mark.anyio


def connect(url: str) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, api_token="t", retries=RetryPolicy(initial_backoff=0))


async def test_retry_after_that_is_too_long(serve: Any) -> None:
    """A service that asks to wait for an hour is not waited for."""
    server = await serve(replies(http_response(status=429, retry_after="3600")))
    async with connect(server.url) as tingting:
        with pytest.raises(RateLimitedError) as caught:
            await tingting.accounts.user_details()
    assert 3600 == caught.value.retry_after
    assert 1 == len(server.requests)


async def test_retry_after_beyond_the_deadline(serve: Any) -> None:
    """A retry that would start after the deadline of the call is not waited for."""
    server = await serve(replies(http_response(status=503, retry_after="30")))
    async with connect(server.url) as tingting:
        with pytest.raises(ServerError):
            await tingting.accounts.user_details(timeout=5)
    assert 1 == len(server.requests)


async def test_budget_of_many_tasks(serve: Any) -> None:
    """Fifty tasks on a failing server share one budget of twenty retries."""
    server = await serve(replies(http_response(status=503)))
    async with connect(server.url) as tingting:
        calls = [tingting.accounts.user_details() for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ApiError) for error in errors)
    assert 50 + 20 == len(server.requests)
