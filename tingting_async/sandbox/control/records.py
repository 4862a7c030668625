"""What a test suite reads through the control interface: what the sandbox did, and what it received."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from tingting_async.sandbox.control.inputs import ROOT, Input, read_query
from tingting_async.sandbox.http import json_response
from tingting_async.sandbox.service import SERVICE

routes: web.RouteTableDef = web.RouteTableDef()


class WhichEffects(Input, frozen=True):
    """Which side effects to return."""

    kind: Annotated[str | None, Meta(description='a kind of effect, such as "call"')] = None
    target: Annotated[str | None, Meta(description="a phone number, a name or an id")] = None


@routes.get(f"{ROOT}effects")
async def list_effects(request: web.Request) -> web.Response:
    """Return the side effects, oldest first."""
    which = read_query(request.query, WhichEffects)
    effects = [
        {"kind": effect.kind, "key": effect.key, "at": effect.at, "target": effect.target}
        for effect in request.app[SERVICE].side_effects
        if which.kind in (None, effect.kind) and which.target in (None, effect.target)
    ]
    return json_response({"count": len(effects), "effects": effects})
