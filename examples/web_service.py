"""An aiohttp web service on a classic account: `GET /campaigns` and `POST /campaigns/<id>/run`.

One session lives as long as the application and serves all its requests. Reads TINGTING_EMAIL and TINGTING_PASSWORD, or
TINGTING_API_TOKEN. Reads TINGTING_BASE_URL if you do not use the real service, and PORT (8080 by default).
"""

import os
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async import ApiError, NotFoundError, OutcomeUnknownError, TingTing, TingTingError, UsageError

TINGTING = web.AppKey("tingting", TingTing)


async def session(app: web.Application) -> AsyncIterator[None]:
    """Open the session at startup and close it at shutdown."""
    async with TingTing.from_env() as tingting:
        app[TINGTING] = tingting
        yield


async def list_campaigns(request: web.Request) -> web.Response:
    """Respond with the first campaigns; `?limit=` sets how many."""
    limit = request.query.get("limit", "25")
    if not (limit.isdecimal() and len(limit) < 10):
        raise UsageError("`limit` must be a number of items.")
    campaigns = await request.app[TINGTING].campaigns.list().collect(limit=int(limit))
    return web.json_response([{"id": each.id, "name": each.name, "services": each.services} for each in campaigns])


async def run_campaign(request: web.Request) -> web.Response:
    """Run a campaign. Report an unknown outcome as such, so that nobody presses the button again."""
    campaign = int(request.match_info["id"])
    try:
        message = (await request.json())["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UsageError('The body must be JSON, such as {"message": "नमस्ते"}.') from None
    try:
        run = await request.app[TINGTING].campaigns.run(campaign, message=message)
    except OutcomeUnknownError as error:
        return web.json_response({"started": None, "why": str(error)}, status=502)
    return web.json_response({"started": True, "credits_on_hold": run.credits_on_hold})


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the client's errors into responses."""
    try:
        return await handler(request)
    except UsageError as error:
        return web.json_response({"why": str(error)}, status=400)
    except NotFoundError as error:
        return web.json_response({"why": str(error)}, status=404)
    except ApiError as error:
        return web.json_response({"why": str(error)}, status=502)
    except TingTingError as error:
        return web.json_response({"why": str(error)}, status=503)


def make_app() -> web.Application:
    """Return the application."""
    app = web.Application(middlewares=[errors])
    app.cleanup_ctx.append(session)
    app.add_routes([web.get("/campaigns", list_campaigns), web.post("/campaigns/{id:[0-9]{1,18}}/run", run_campaign)])
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
