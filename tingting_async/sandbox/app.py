"""The web application: the routes of both generations, the control interface and the page, and what others get."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import partial
from itertools import chain

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async.sandbox import classic, control, media, page, v1
from tingting_async.sandbox.control import Guard
from tingting_async.sandbox.http import is_text
from tingting_async.sandbox.service import SERVICE, Service

Wrapper = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


def make_app(service: Service, wrapper: Wrapper, guard: Guard) -> web.Application:
    """Return the application that serves a service.

    Args:
        service: What the handlers work on.
        wrapper: Called for every request to the service, with the handler that produces the service's own response.
        guard: Decides which requests are served: of those to the service, only requests of browsers are checked.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_text("".join((request.raw_path, *chain(*request.headers.items())))):
            return web.json_response({"detail": "Malformed request: it is not valid UTF-8."}, status=400)
        if control.owns(request.path):
            return await control.serve(request, handler, guard)
        if page.owns(request.path):
            return await page.serve(request, handler, guard)
        if _is_from_browser(request) and (reason := guard.refusal(request, links=False)) is not None:
            return web.json_response({"detail": reason}, status=403)
        if request.path == "/favicon.ico":  # Browsers ask for it by themselves.
            return web.Response(status=302, headers={"Location": "/page/icon.svg"})
        # Cloned here because a request cannot be cloned once its body has been read.
        slashed = request.clone(rel_url=request.rel_url.with_path(request.path + "/", keep_query=True))
        return await wrapper(request, partial(_respond, handler=handler, slashed=slashed))

    async def set_date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(service.clock.now(), usegmt=True)

    app = web.Application(middlewares=[middleware], client_max_size=2**26)
    app[SERVICE] = service
    app[page.RENDERER] = page.Renderer()
    app.add_routes([*classic.routes, *v1.routes, *media.routes, *control.routes, *page.routes])
    app.on_response_prepare.append(set_date)
    return app


def _is_from_browser(request: web.Request) -> bool:
    """Return whether a browser sent a request for a page. Programs may use any `Host`, as with the real service."""
    return any(name in request.headers for name in ("Origin", "Sec-Fetch-Site"))


async def _respond(request: web.Request, handler: Handler, slashed: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        # If only the trailing slash is missing, Django redirects a GET; any other method gets a 404.
        if (await request.app.router.resolve(slashed)).http_exception is None:
            if request.method == "GET":
                return web.Response(status=301, headers={"Location": str(slashed.rel_url)})
            return web.json_response({"detail": "Not found."}, status=404)
        if error.status == 405:
            detail, headers = f'Method "{request.method}" not allowed.', {"Allow": error.headers["Allow"]}
            return web.json_response({"detail": detail}, status=405, headers=headers)
        return web.json_response({"detail": "Not found." if error.status == 404 else error.reason}, status=error.status)
