"""Sessions of the v1 API against the sandbox, and against small servers that a test defines."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tingting_async import RetryPolicy
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Campaign, Contact, Services, TingTing

NUMBERS = ["9800000001", "9800000002", "9800000003"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def connect(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session that uses the API token of the sandbox's account, and retries without waiting."""
    options = {"api_token": sandbox.api_token, "retries": RetryPolicy(initial_backoff=0), **options}
    return TingTing(base_url=sandbox.url, **options)


def connect_with_password(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session that signs in to the sandbox's account, and retries without waiting."""
    return connect(sandbox, **{"api_token": None, "email": sandbox.email, "password": sandbox.password, **options})


def count_effects(sandbox: Sandbox, *kinds: str) -> int:
    """Return how many effects of these kinds the sandbox's requests had on the world."""
    return sum(effect.kind in kinds for effect in sandbox.side_effects)


def count_requests(sandbox: Sandbox, path: str) -> int:
    """Return how many requests for a path the sandbox received."""
    return sum(received.path == path for received in sandbox.requests)


async def make_campaign(tingting: TingTing, services: Services = Services.PHONE, **options: Any) -> Campaign:
    """Create a campaign with three contacts."""
    options = {"lines": [1], "voice": 3, "message": "नमस्ते", "sms_message": "Hi", **options}
    campaign = await tingting.campaigns.create("New", services, **options)
    await tingting.contacts.add_many(campaign.id, NUMBERS)
    return campaign


async def first_contact(tingting: TingTing, campaign_id: int) -> Contact:
    """Return the first contact of a campaign."""
    contact = await tingting.contacts.list(campaign_id).first()
    assert contact is not None
    return contact


@asynccontextmanager
async def serving(handler: Handler, kind: Any = TingTing, **options: Any) -> AsyncIterator[Any]:
    """Serve every request by a handler, and yield a session that uses the server."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    options = options or {"api_token": "0123456789abcdef"}
    async with TestServer(app) as server:
        async with kind(
            base_url=str(server.make_url("/")), retries=RetryPolicy(initial_backoff=0), **options
        ) as tingting:
            yield tingting


def always(body: Any, status: int = 200, content_type: str = "application/json") -> Handler:
    """Return a handler that gives every request the same response."""

    async def handler(_: web.Request) -> web.StreamResponse:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type=content_type)
        return web.json_response(body, status=status)

    return handler


def page(rows: list[Any], *, count: int | None = None, following: object = None) -> dict[str, Any]:
    """Return a page of a list as the v1 API sends it."""
    return {"count": len(rows) if count is None else count, "next": following, "previous": None, "results": rows}
