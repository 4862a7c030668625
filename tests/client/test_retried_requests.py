"""Retries over real sockets: what a session retries, and when it stops."""

import asyncio
from typing import Any

import pytest
from support.servers import Received, http_response, replies

from tingting_async import ApiError, RateLimitedError, RetryPolicy, ServerError, TingTing, classic, v1
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def connect(url: str) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, api_token="t", retries=RetryPolicy(initial_backoff=0))


async def test_retry_after_that_is_too_long(serve: Any) -> None:
    """A response whose `Retry-After` is an hour ends the retries."""
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


async def test_successes_earn_retries(serve: Any) -> None:
    """Five successful requests in a row earn a session a retry, after its budget was used up."""

    async def script(received: Received) -> None:
        await received.respond(status=503 if received.number in failing else 200)

    failing = {0, 2, 8}
    server = await serve(script)
    retries = RetryPolicy(initial_backoff=0, budget=1)
    async with TingTing(base_url=server.url, api_token="t", retries=retries) as tingting:
        read = Request("GET", "/things", Effect.READ, "things.list", Response)
        await tingting._core.execute(read)  # The second attempt succeeds, and uses up the budget.
        with pytest.raises(ServerError):
            await tingting._core.execute(read)
        for _ in range(5):
            await tingting._core.execute(read)
        await tingting._core.execute(read)
    assert 10 == len(server.requests)


STARTS: list[tuple[Any, dict[str, Any]]] = [
    (
        classic,
        {"pagination": {"current-page": 1, "total-page": 1, "has-next": False}, "result": {"campaign-lists": []}},
    ),
    (v1, {"count": 0, "total_pages": 1, "next": None, "previous": None, "results": []}),
]
"""The generations, and an empty page of each."""


@pytest.mark.parametrize(("generation", "start"), STARTS, ids=["classic", "v1"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("end", [{}, {"errors": ["busy"]}], ids=["plain", "with errors"])
async def test_page_that_reports_a_503(
    generation: Any, start: dict[str, Any], number: int, end: dict[str, Any]
) -> None:
    """A page that reports a 503 under HTTP 200 is retried, whether it is the first page or a later one."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        generation.TingTing(
            base_url=sandbox.url,
            email=sandbox.email,
            password=sandbox.password,
            retries=RetryPolicy(initial_backoff=0),
        ) as tingting,
    ):
        body = {**start, "success": False, "status": 503, **end}
        fault = sandbox.faults.add(Fault("status", method="GET", nth=number, status=200, body=body))
        campaigns = await tingting.campaigns.list(window=1).collect()
    assert (len({campaign.id for campaign in campaigns}), fault.count) == (25, 1)


@pytest.mark.parametrize(("generation", "start"), STARTS, ids=["classic", "v1"])
@pytest.mark.parametrize("number", [1, 2])
async def test_page_that_reports_a_401(generation: Any, start: dict[str, Any], number: int) -> None:
    """A page that reports a 401 under HTTP 200 until the token is refreshed is requested again, with a new token."""
    async with (
        Sandbox(campaigns=25) as sandbox,
        generation.TingTing(
            base_url=sandbox.url, email=sandbox.email, password=sandbox.password, retries=1
        ) as tingting,
    ):
        body = {**start, "success": False, "status": 401}
        # The page itself, and the request by which the session makes sure.
        faults = [
            sandbox.faults.add(Fault("status", method="GET", nth=number, status=200, body=body)) for _ in range(2)
        ]
        campaigns = await tingting.campaigns.list(window=1).collect()
        posts = ["refresh" in request.path for request in sandbox.requests if request.method == "POST"]
    assert (len({campaign.id for campaign in campaigns}), [fault.count for fault in faults]) == (25, [1, 1])
    assert posts == [False, True]  # The sign-in, and one refresh.
