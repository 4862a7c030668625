"""A stream of events that say when the sandbox has changed."""

import asyncio
import json

from aiohttp import web

from tingting_async.sandbox.control.inputs import HEADERS, ROOT
from tingting_async.sandbox.service import SERVICE

routes: web.RouteTableDef = web.RouteTableDef()
_INTERVAL = 0.25
"""The shortest time between two events, in seconds: a program that sends much must not have a page fetched as often."""
_HEARTBEAT = 15.0
"""After how many seconds without an event a comment is sent, so that proxies keep the connection."""


@routes.get(f"{ROOT}events")
async def stream_events(request: web.Request) -> web.StreamResponse:
    """Send an event now, and whenever the sandbox has changed.

    A client that connects again gets an event at once, also after a restart of the sandbox. So it knows to refresh.
    """
    service = request.app[SERVICE]
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    await response.write(b"retry: 1000\n\n")
    sent: int | None = None
    silence = 0.0
    try:
        while True:
            version = service.version
            if version != sent:
                await response.write(f"id: {version}\ndata: {json.dumps({'version': version})}\n\n".encode())
                sent, silence = version, 0.0
            elif silence >= _HEARTBEAT:
                await response.write(b": the connection is alive\n\n")
                silence = 0.0
            await asyncio.sleep(_INTERVAL)
            silence += _INTERVAL
    except ConnectionResetError:  # The client is gone.
        return response
