"""The routes of the control interface, and what all its responses have in common."""

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async._version import __version__
from tingting_async.sandbox.control import faults, records, state, stream
from tingting_async.sandbox.control.guard import Guard
from tingting_async.sandbox.control.inputs import HEADERS, ROOT, ControlError
from tingting_async.sandbox.http import json_response, origin
from tingting_async.sandbox.service import SERVICE

_RESOURCES = ("campaigns", "clock", "effects", "events", "faults", "messages", "requests")

_index: web.RouteTableDef = web.RouteTableDef()


@_index.get(ROOT)
async def show_index(request: web.Request) -> web.Response:
    """Return the version of this interface, how to connect to the sandbox, and the resources."""
    service, url = request.app[SERVICE], origin(request)
    return json_response(
        {
            "version": 1,
            "sandbox": __version__,
            "url": url,
            "email": service.email,
            "password": service.password,
            "api_token": service.api_token,
            "links": {name: f"{url}{ROOT}{name}" for name in _RESOURCES},
        }
    )


routes: tuple[web.AbstractRouteDef, ...] = (*_index, *state.routes, *faults.routes, *records.routes, *stream.routes)


def owns(path: str) -> bool:
    """Return whether a path belongs to the control interface."""
    return path == "/control" or path.startswith("/control/")


async def serve(request: web.Request, handler: Handler, guard: Guard) -> web.StreamResponse:
    """Serve a request, unless a page of another site makes it, and turn errors into JSON."""
    reason = guard.refusal(request)
    response = await _respond(request, handler) if reason is None else _error(403, reason)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


async def _respond(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ControlError as error:
        return _error(error.status, error.message, error.field)
    except web.HTTPMethodNotAllowed as refused:
        methods = ", ".join(sorted(refused.allowed_methods - {"HEAD"}))
        response = _error(405, f"{request.path} takes {methods}, not {request.method}.")
        response.headers["Allow"] = methods
        return response
    except web.HTTPException as refused:
        reason = f"there is nothing here. {ROOT} lists what there is." if refused.status == 404 else refused.reason
        return _error(refused.status, f"{request.path}: {reason}")


def _error(status: int, message: str, field: str | None = None) -> web.Response:
    return json_response({"error": message, "field": field}, status)
