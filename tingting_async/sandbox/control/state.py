"""What a test suite changes through the control interface: the clock and the tokens."""

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from tingting_async.sandbox.control.inputs import ROOT, Input, read_body
from tingting_async.sandbox.http import json_response
from tingting_async.sandbox.running import run_due
from tingting_async.sandbox.service import SERVICE, Service

_LONGEST = 10 * 366 * 86400  # Ten years. The clock must stay within the range of dates.

routes: web.RouteTableDef = web.RouteTableDef()


class Advance(Input, frozen=True):
    """How far to move the clock."""

    seconds: Annotated[float, Meta(ge=0, le=_LONGEST, description=f"a number of seconds from 0 to {_LONGEST}")]


class Expire(Input, frozen=True):
    """Which tokens to expire."""

    kind: Annotated[Literal["access", "refresh"], Meta(description='"access" or "refresh"')]


@routes.get(f"{ROOT}clock")
async def show_clock(request: web.Request) -> web.Response:
    """Return the sandbox's time."""
    return json_response(_clock(request.app[SERVICE]))


@routes.post(f"{ROOT}clock/advance")
async def advance_clock(request: web.Request) -> web.Response:
    """Move the clock forward. What is due by then has happened before the response."""
    service = request.app[SERVICE]
    service.clock.advance(read_body(await request.read(), Advance).seconds)
    return json_response(_clock(service))


@routes.post(f"{ROOT}tokens/expire")
async def expire_tokens(request: web.Request) -> web.Response:
    """Make all tokens of a kind invalid."""
    kind = read_body(await request.read(), Expire).kind
    request.app[SERVICE].tokens.revoke(kind)
    return json_response({"kind": kind})


def _clock(service: Service) -> dict[str, Any]:
    run_due(service.world)
    now = service.clock.now()
    return {"now": now, "iso": service.clock.iso(now)}
