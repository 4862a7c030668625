"""The responses and decorators of the v1 API: bare bodies, DRF's errors, limit and offset."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiohttp import web

from tingting_async.sandbox import http
from tingting_async.sandbox.clock import KATHMANDU
from tingting_async.sandbox.fields import integer, mapping
from tingting_async.sandbox.http import (
    AnonymousEndpoint,
    Endpoint,
    Handler,
    ValidationError,
    json_response,
    origin,
    page_items,
    with_found,
)
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.world import World

Row = TypeVar("Row")
P = ParamSpec("P")
_MAX_ROWS = 10  # The maximum of `limit`, as the public clients found it.


def error_response(_: Options, fields: Mapping[str, str]) -> web.Response:
    """Return a validation error by field; `detail` and `message` are bare strings."""
    return json_response(
        {name: text if name in ("detail", "message") else [text] for name, text in fields.items()}, 400
    )


def anonymous(handler: AnonymousEndpoint) -> Handler:
    """Serve requests without credentials; see `http.anonymous`."""
    return http.anonymous(handler, error_response)


def signed_in(handler: Endpoint[[]]) -> Handler:
    """Serve only signed-in accounts; see `http.signed_in`."""
    return http.signed_in(handler, error_response)


def with_method(allowed: Callable[[Options], Collection[str]]) -> Callable[[Endpoint[[]]], Endpoint[[]]]:
    """Respond 405 to a method that the options do not allow."""

    def decorate(handler: Endpoint[[]]) -> Endpoint[[]]:
        async def serve(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
            if request.method not in allowed(service.options):
                return json_response({"detail": f'Method "{request.method}" not allowed.'}, 405)
            return await handler(request, service, account)

        return serve

    return decorate


def not_found() -> web.Response:
    """Return the response for what does not exist."""
    return json_response({"detail": "Not found."}, 404)


def with_campaign(handler: Endpoint[Concatenate[Campaign, P]]) -> Endpoint[P]:
    """Pass the account's campaign with the id in the path to the handler, or respond 404."""
    return with_found(handler, World.campaign, not_found)


def with_contact(handler: Endpoint[Concatenate[Contact, P]]) -> Endpoint[P]:
    """Pass the account's contact with the id in the path to the handler, or respond 404."""
    return with_found(handler, World.contact, not_found)


def silent(options: Options, message: str, status: int = 200) -> web.Response:
    """Return the response of an operation for which the documents print none."""
    match options.silent_response:
        case "empty":
            return web.Response(status=204)
        case "text":
            return web.Response(text=message, status=status)
        case _:
            return json_response({"message": message}, status)


def survey_id(service: Service, campaign: Campaign) -> int:
    """Return the id of a campaign's survey, by which its report is found."""
    if service.options.survey_ids == "campaign":
        return campaign.id
    if campaign.survey_id is None:
        campaign.survey_id = service.world.id()
    return campaign.survey_id


def page(
    request: web.Request,
    options: Options,
    items: Sequence[Row],
    show: Callable[[Row], Any],
    *,
    newest_first: bool = True,
    enveloped: bool = False,
    **totals: Any,
) -> web.Response:
    """Return one page of a list, selected by `limit` and `offset` or by `page`.

    Args:
        request: The request.
        options: The settings of the sandbox.
        items: The whole list, oldest first.
        show: Returns the row of an item; called for the items of this page only.
        newest_first: Whether the pages begin at the end of the list.
        enveloped: Whether the rows are in an envelope within the page.
        **totals: Further fields of the page.
    """
    rows_of_list = http.arranged(request, items)
    limit = min(query_integer(request, "limit", _MAX_ROWS), _MAX_ROWS) or _MAX_ROWS
    offset = query_integer(request, "offset", 0)
    by_page = "page" in request.query
    if by_page:
        offset = (max(1, query_integer(request, "page", 1)) - 1) * limit
    base = f"{options.link_base or origin(request)}{request.path}"

    def link(start: int) -> str | None:
        if not 0 <= start < max(1, len(rows_of_list)) or start == offset:
            return None
        place = {"page": start // limit + 1} if by_page else {"limit": limit, "offset": start}
        kept = {key: value for key, value in request.query.items() if key not in ("limit", "offset", "page")}
        return str(http.with_query(base, {**kept, **place}))

    following = link(offset + limit)
    found = page_items(rows_of_list, offset, offset + limit, newest_first=newest_first)
    rows: Any = [show(item) for item in found if item is not None]
    if enveloped:
        rows = {"status": 200, "success": True, "errors": [], "data": rows}
    return json_response(
        {
            "count": http.shown_count(options, len(items)),
            "total_pages": max(1, -(-len(rows_of_list) // limit)),
            "next": last_next(options) if following is None else following,
            "previous": link(max(0, offset - limit)) if offset else None,
            "results": rows,
            **totals,
        }
    )


def last_next(options: Options) -> str | None:
    """Return the value of `next` on the last page of a list."""
    return None if options.last_next == "null" else ""


def query_integer(request: web.Request, name: str, default: int) -> int:
    """Return a non-negative integer of the query, or the default if it is missing or invalid."""
    try:
        return max(0, int(request.query.get(name, default)))
    except ValueError:
        return default


def display_date(at: float) -> str:
    """Return a time as new rows show it: "Jan. 27, 2026, 05:19 PM" (sample v1_add_contacts.json)."""
    when = datetime.fromtimestamp(at, KATHMANDU)
    month = when.strftime("%b") + ("" if when.month == 5 else ".")
    return f"{month} {when.day}, {when.year}, {when:%I:%M %p}"


def _contact_date(service: Service, at: float, documented: str) -> str:
    form = documented if service.options.contact_dates == "documented" else service.options.contact_dates
    return display_date(at) if form == "text" else service.clock.iso(at)


def contact_row(service: Service, contact: Contact) -> dict[str, Any]:
    """Return a contact as the list shows it (sample v1_contacts.json)."""
    return {
        "id": contact.id,
        "number": http.shown_number(service.options, contact.number, str),
        "status": contact.status,
        "updated_at": _contact_date(service, contact.updated_at, "iso"),
        "call_duration": f"{contact.duration or 0}s",
        "playback": "" if contact.playback is None else str(contact.playback),
        "credit_consumed": contact.credit_consumed,
        "credit_consumed_SMS": contact.credit_consumed_sms,
        "carrier": contact.carrier,
    }


def added_row(service: Service, contact: Contact) -> dict[str, Any]:
    """Return a contact as the response to adding many shows it (sample v1_add_contacts.json)."""
    return {
        "id": contact.id,
        "updated_at": _contact_date(service, contact.updated_at, "text"),
        "created_at": _contact_date(service, contact.created_at, "iso"),
        "deleted_at": None,
        "number": http.shown_number(service.options, contact.number, str),
        "status": contact.status,
        "other_variables": contact.tags,
        "credit_consumed": contact.credit_consumed,
        "credit_consumed_SMS": contact.credit_consumed_sms,
        "duration": "" if contact.duration is None else f"{contact.duration}s",
        "playback": "" if contact.playback is None else str(contact.playback),
        "uuid": contact.uuid,
        "failover_sms_sent": contact.failover_sms_sent,
        "campaing": contact.campaign_id,
    }


def sent_voice(service: Service, value: Any) -> dict[str, Any] | None:
    """Return the voice that a request names, by its id or as an object, as the options say."""
    if isinstance(value, str) and value.startswith("{"):  # In a form.
        with suppress(ValueError):
            value = json.loads(value)
    wanted, is_object = service.options.voice_sent, isinstance(value, dict)
    if value not in (None, "") and wanted == "object" and not is_object:
        raise ValidationError(voice=f"Expected a dictionary, but got {type(value).__name__}.")
    if wanted == "id" and is_object:
        raise ValidationError(voice="Incorrect type. Expected pk value, received dict.")
    return find_voice(service.world, value)


def find_voice(world: World, value: Any) -> dict[str, Any] | None:
    """Return the voice for an id, or for a whole voice object, which the vendor's own client sends."""
    if isinstance(value, dict):
        value = value.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if value in (None, ""):
        return None
    found = next((each for each in world.voices if str(each["id"]) == str(value)), None)  # pyright: ignore[reportUnknownArgumentType]
    if found is None:
        raise ValidationError(voice=f'Invalid pk "{value}" - object does not exist.')
    return found


def parse_step(value: Any) -> dict[str, Any]:
    """Convert a step of a survey."""
    step = mapping(value)
    return {**step, "order": integer(step["order"])} if "order" in step else step
