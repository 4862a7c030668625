"""The responses and decorators of the classic API: envelopes, errors and pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiohttp import web

from tingting_async.sandbox import http
from tingting_async.sandbox.http import (
    AnonymousEndpoint,
    Endpoint,
    Handler,
    arranged,
    json_response,
    origin,
    page_items,
    shown_count,
    shown_number,
    with_found,
)
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import Campaign, Contact
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.world import World

Row = TypeVar("Row")
P = ParamSpec("P")


def envelope(data: Any, message: str | None = None, status: int = 200) -> web.Response:
    """Return a successful response in its envelope."""
    # An HTTP 204 has no body, so that status is in the envelope only (sample classic_phone_number_release.json).
    return json_response(
        {"status": status, "success": True, "message": message, "errors": [], "data": data},
        200 if status == 204 else status,
    )


def error_response(options: Options, fields: Mapping[str, str], status: int = 400) -> web.Response:
    """Return a validation error in the shape that the options select."""
    by_field = {name: [text] for name, text in fields.items()}
    lines = [f"{name}: {text}" for name, text in fields.items()]
    if options.envelope_errors == "bare":
        return json_response(by_field, status)
    if options.envelope_errors == "detail":
        return json_response({"detail": " ".join(lines)}, status)
    errors: list[Any] = lines if options.envelope_errors == "strings" else [by_field]
    failed: dict[str, Any] = {
        "status": status,
        "success": False,
        "message": "Invalid input",
        "errors": errors,
        "data": {},
    }
    return json_response(failed, 200 if options.errors_under_200 else status)


def anonymous(handler: AnonymousEndpoint) -> Handler:
    """Serve requests without credentials; see `http.anonymous`."""
    return http.anonymous(handler, error_response)


def signed_in(handler: Endpoint[[]]) -> Handler:
    """Serve only signed-in accounts; see `http.signed_in`."""
    return http.signed_in(handler, error_response)


def not_found() -> web.Response:
    """Return the response for what does not exist."""
    return json_response({"status": 404, "success": False, "message": "Not found.", "errors": [], "data": {}}, 404)


def with_campaign(handler: Endpoint[Concatenate[Campaign, P]]) -> Endpoint[P]:
    """Pass the account's campaign with the id in the path to the handler, or respond 404."""
    return with_found(handler, World.campaign, not_found)


def with_number(handler: Endpoint[Concatenate[Contact, P]]) -> Endpoint[P]:
    """Pass the account's number with the id in the path to the handler, or respond 404."""
    return with_found(handler, World.contact, not_found)


def page(
    request: web.Request, options: Options, items: Sequence[Row], show: Callable[[Row], Any], name: str, message: str
) -> web.Response:
    """Return one page of a list in the list envelope, newest first.

    Args:
        request: The request.
        options: The settings of the sandbox.
        items: The whole list, oldest first.
        show: Returns the row of an item; called for the items of this page only.
        name: The name of the list in the envelope.
        message: The message in the envelope.
    """
    arranged_items = arranged(request, items)
    size, total = options.page_size, len(arranged_items)
    pages = max(1, -(-total // size))
    parameter = "p" if options.page_parameter == "links" else options.page_parameter
    try:
        number = int(request.query.get(parameter, "1")) if parameter else 1
    except ValueError:
        number = 0
    if not 1 <= number <= pages and not options.endless:
        if options.past_the_end == "404":
            return json_response({"detail": "Invalid page."}, 404)
        number = pages
    shown = number - 1 if options.repeat_page and number > 1 else number
    found = page_items(arranged_items, (shown - 1) * size, shown * size)
    rows = [show(item) for item in found if item is not None]
    has_next = number < pages or options.endless
    return json_response(
        {
            "pagination": {
                "total_items": shown_count(options, len(items)),
                "total_pages": pages,
                "page_number": number,
                "has_next": has_next,
                "has_previous": number > 1,
                "links": _links(request, options, parameter, number, pages, has_next=has_next),
            },
            "result": {"messages": message, name: rows},
        }
    )


def _links(
    request: web.Request, options: Options, parameter: str | None, number: int, pages: int, *, has_next: bool
) -> Any:
    if options.links == "none" or parameter is None:
        return []
    base = options.link_base or origin(request)

    def link(page: int) -> str:
        return f"{base}{request.path}?{parameter}={page}"

    after = link(number + 1) if has_next else None
    before = link(number - 1) if number > 1 else None
    near = sorted(page for page in {1, number - 1, number, number + 1, pages} if 1 <= page <= pages)
    shown: list[int | None] = []  # None stands for a gap.
    for left, page in zip([0, *near], near, strict=False):
        shown += [page] if page == left + 1 else [None, page]
    match options.links:
        case "strings":
            return [url for url in (before, after) if url]
        case "objects":
            return {"next": after, "previous": before}
        case "page_links":  # The fields of DRF's PageLink: url, number, is_active, is_break.
            return [[page and link(page), page, page == number, page is None] for page in shown]
        case _:
            return [
                {"url": before, "label": "Previous", "active": False},
                *(
                    {"url": page and link(page), "label": str(page or "..."), "active": page == number}
                    for page in shown
                ),
                {"url": after, "label": "Next", "active": False},
            ]


def campaign_body(campaign: Campaign, *, tags: bool = True) -> dict[str, Any]:
    """Return a campaign as the classic API shows it (sample classic_campaigns.json)."""
    body: dict[str, Any] = {
        "id": campaign.id,
        "name": campaign.name,
        "user_phone": [],  # As in every sample: the lines belong to the v1 API.
        "services": campaign.services,
        "description": campaign.description,
    }
    return {**body, "usable_tags": campaign.usable_tags} if tags else body


def number_body(service: Service, contact: Contact) -> dict[str, Any]:
    """Return a number as the classic API shows it, with the misspelt `campaing` (sample classic_numbers.json)."""
    return {
        "id": contact.id,
        "number": shown_number(service.options, contact.number, int),
        "campaing": service.world.campaigns[contact.campaign_id].name,
        "available_tags": contact.tags,
        "status": contact.status,
        "duration": contact.duration,
        "playback": contact.playback,
        "credit_consumed": contact.credit_consumed + contact.credit_consumed_sms,
    }
