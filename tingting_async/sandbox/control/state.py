"""What a test suite changes through the control interface: the clock, the tokens, everything at once."""

import asyncio
import math
from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from tingting_async.sandbox.control.inputs import ROOT, ControlError, Input, read_body
from tingting_async.sandbox.http import json_response
from tingting_async.sandbox.running import run_due
from tingting_async.sandbox.service import SERVICE, Service

routes: web.RouteTableDef = web.RouteTableDef()


class Advance(Input, frozen=True):
    """How far to move the clock."""

    seconds: Annotated[float, Meta(ge=0, description="a number of seconds from 0, such as 3600")]


class Speed(Input, frozen=True):
    """How fast the clock runs."""

    speed: Annotated[
        Annotated[float, Meta(gt=0)] | Literal["max"], Meta(description='a number above 0, such as 60, or "max"')
    ]


class Expire(Input, frozen=True):
    """Which tokens to expire."""

    kind: Annotated[Literal["access", "refresh"], Meta(description='"access" or "refresh"')]


@routes.get(f"{ROOT}clock")
async def show_clock(request: web.Request) -> web.Response:
    """Return the sandbox's time."""
    return json_response(_clock(request.app[SERVICE]))


@routes.patch(f"{ROOT}clock")
async def change_clock(request: web.Request) -> web.Response:
    """Set the clock's speed."""
    service, speed = request.app[SERVICE], read_body(await request.read(), Speed).speed
    try:
        service.clock.speed = math.inf if speed == "max" else speed
    except ValueError as error:
        raise ControlError(str(error), "speed") from None
    return json_response(_clock(service))


@routes.post(f"{ROOT}clock/advance")
async def advance_clock(request: web.Request) -> web.Response:
    """Move the clock forward. What is due by then has happened before the response."""
    service = request.app[SERVICE]
    seconds = read_body(await request.read(), Advance).seconds
    try:
        service.clock.advance(seconds)
    except ValueError as error:
        raise ControlError(f"seconds={seconds} is not valid: {error}", "seconds") from None
    return json_response(_clock(service))


@routes.post(f"{ROOT}clock/run-to-end")
async def run_to_end(request: web.Request) -> web.Response:
    """Run all campaigns to their end, scheduled ones too, and move the clock accordingly."""
    service = request.app[SERVICE]
    read_body(await request.read(), Input)
    await asyncio.to_thread(service.run_to_end)
    return json_response(_clock(service))


@routes.post(f"{ROOT}reset")
async def reset(request: web.Request) -> web.Response:
    """Start over, as if the sandbox had just been started."""
    service = request.app[SERVICE]
    read_body(await request.read(), Input)
    service.reset()
    return json_response(_clock(service))


@routes.post(f"{ROOT}tokens/expire")
async def expire_tokens(request: web.Request) -> web.Response:
    """Make all tokens of a kind invalid."""
    service, kind = request.app[SERVICE], read_body(await request.read(), Expire).kind
    if kind == "access":
        service.expire_access_tokens()
    else:
        service.revoke_refresh_tokens()
    return json_response({"kind": kind})


def _clock(service: Service) -> dict[str, Any]:
    run_due(service.world)
    clock = service.clock
    now = clock.now()
    return {"now": now, "iso": clock.iso(now), "speed": "max" if clock.speed == math.inf else clock.speed}
