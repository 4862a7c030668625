"""The routes of the page, and what all its responses have in common."""

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async.sandbox.control import Guard
from tingting_async.sandbox.http import ValidationError, decode, origin
from tingting_async.sandbox.page import formats, views
from tingting_async.sandbox.page.actions import ACTIONS
from tingting_async.sandbox.page.outcomes import outcome
from tingting_async.sandbox.service import SERVICE

if TYPE_CHECKING:
    from jinja2 import Template

routes: web.RouteTableDef = web.RouteTableDef()
_ASSETS = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_NO_JINJA = """\
The sandbox serves the API at this address. Only this page is missing: it needs Jinja2, which is not installed.

Install it where the sandbox runs, and start the sandbox again:

    pip install jinja2

The extra `sandbox` has it, too, and what the sandbox needs to read .xlsx files:
`pip install 'tingting-async[sandbox]'`, or `pip install '.[sandbox]'` in a clone of the repository.
"""


class Renderer:
    """Renders the page. The templates are compiled once for each sandbox, with the first view of its page."""

    @cached_property
    def template(self) -> "Template":
        """The template of the page.

        Raises:
            ImportError: Jinja2 is not installed.
        """
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only the page needs it

        environment = Environment(
            loader=PackageLoader(__package__ or ""),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Any] = {
            each.__name__: each
            for each in (
                formats.grouped,
                formats.iso,
                formats.long_time,
                formats.short_time,
                formats.address,
                formats.strikes,
                outcome,
            )
        }
        tests: dict[str, Any] = {"nepali": formats.is_nepali}
        environment.filters.update(filters)
        environment.tests.update(tests)
        return environment.get_template("page.html")


RENDERER = web.AppKey("renderer", Renderer)


def owns(path: str) -> bool:
    """Return whether a path belongs to the page."""
    return path == "/" or path.startswith(("/page/", "/actions/"))


async def serve(request: web.Request, handler: Handler, guard: Guard) -> web.StreamResponse:
    """Serve a request, unless a page of another site makes it."""
    reason = guard.refusal(request)
    try:
        response = await handler(request) if reason is None else _plain(reason, 403)
    except web.HTTPException as error:
        response = _plain(f"{error.status} {error.reason}", error.status)
    response.headers.update(_HEADERS)
    return response


def _plain(text: str, status: int) -> web.Response:
    return _text(text, "text/plain", status)


def _text(text: str, content_type: str, status: int = 200) -> web.Response:
    """Return a response. What is not valid Unicode, such as half of a surrogate pair, becomes a question mark."""
    body = text.encode(errors="replace")
    return web.Response(body=body, status=status, content_type=content_type, charset="utf-8")


@routes.get("/")
async def show(request: web.Request) -> web.StreamResponse:
    """Return the page."""
    try:
        template = request.app[RENDERER].template
    except ImportError:
        return _plain(_NO_JINJA, 501)
    context = views.context(request.app[SERVICE], views.read_filters(request.query), origin(request))
    return _text(template.render(context), "text/html")


@routes.get("/page/{name}")
async def show_asset(request: web.Request) -> web.StreamResponse:
    """Return the stylesheet, the script or the icon."""
    name = request.match_info["name"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    text = files(__package__ or "").joinpath("assets", name).read_text(encoding="utf-8")
    return _text(text, _ASSETS[name])


@routes.post("/actions/{name}")
async def act(request: web.Request) -> web.StreamResponse:
    """Do what a button says, and send the browser back to the page."""
    name = request.match_info["name"]
    if name not in ACTIONS:
        raise web.HTTPNotFound
    if (request.charset or "utf-8").lower() != "utf-8":
        return _plain(f"/actions/{name}: the charset of the form is {request.charset!r}: use utf-8.", 400)
    try:
        form = decode(request.headers.get("Content-Type", ""), await request.read())
    except ValidationError as error:
        return _plain(f"/actions/{name}: {' '.join(error.fields.values())}", 400)
    fields = {key: value for key, value in form.items() if isinstance(value, str)}
    try:
        ACTIONS[name](request.app[SERVICE], fields)
    except KeyError as error:
        return _plain(f"/actions/{name}: the field {error.args[0]!r} is missing.", 400)
    except ValueError as error:
        return _plain(f"/actions/{name}: {error}", 400)
    back = views.read_filters(dict(parse_qsl(fields.get("query", "")))).turn()
    return web.Response(status=303, headers={"Location": back})
