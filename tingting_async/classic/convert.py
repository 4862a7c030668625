"""How the classic API's answers are read."""

from typing import Any, TypeVar, cast

import attrs
from cattrs import Converter

from tingting_async import wire
from tingting_async.classic.models import Confirmation, Number, NumberAdded, Pagination, RunStarted
from tingting_async.conventions import Page, refuse_part
from tingting_async.convert import Reader, model_hook
from tingting_async.envelopes import texts
from tingting_async.problems import Hook
from tingting_async.wire import Request, Response

T = TypeVar("T")


def _confirmation_hook(kind: Any, converter: Converter) -> Hook:
    """Return the hook for what confirms: the inner shapes are not documented, and must not hide that it was done."""
    hook = model_hook(kind, converter)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            return hook(value, kind)
        given = dict(cast("dict[str, Any]", value))
        message, errors, data = given.get("message"), given.get("errors"), given.get("data")
        if isinstance(message, list | dict):
            given["message"] = "; ".join(texts(message)) or None
        if not isinstance(errors, list | None):
            given["errors"] = [errors] if errors else []
        if not isinstance(data, dict | None):
            given["data"] = {"data": data} if data else {}
        return hook(given, kind)

    return read


def _number_added_hook(_: Any, converter: Converter) -> Hook:
    """Return the hook for the answer to an added number, which the documents do not print: the number is looked for."""
    read_confirmation = converter.get_structure_hook(Confirmation)
    read_number = converter.get_structure_hook(Number)

    def read(value: Any, _: Any) -> NumberAdded:
        said: Confirmation = read_confirmation(value, Confirmation)
        for place in (said.data, *said.data.values(), said.extra):
            found = cast("Any", cast("list[Any]", place)[0] if isinstance(place, list) and place else place)
            if isinstance(found, dict) and {"id", "number"} <= cast("dict[str, Any]", found).keys():
                return NumberAdded(**attrs.asdict(said, recurse=False), number=read_number(found, Number))
        return NumberAdded(**attrs.asdict(said, recurse=False))

    return read


READER = Reader({Confirmation: _confirmation_hook, RunStarted: _confirmation_hook, NumberAdded: _number_added_hook})


def read_page(reader: Reader, request: Request[list[T]], response: Response) -> Page[T]:
    """Read a page whose envelope has to hold its place among the others."""
    items = reader.read(request, response, wire.decode(request, response), request.model, request.payload)
    body: dict[str, Any] = response.json()
    path = ("pagination",)
    place = reader.read(request, response, wire.dig(request, response, body, path), Pagination, path)
    result = cast("dict[str, Any]", body.get(str(request.payload[0]), {}))
    beside: dict[Any, Any] = {**result, **body}
    for key in (*request.payload, "pagination"):
        beside.pop(key, None)
    return Page(
        items,
        place.page_number,
        place.total_items,
        place.total_pages,
        place.has_next,
        place.links,
        {**place.extra, "has_previous": place.has_previous, **beside},
    )


def read_list(reader: Reader, request: Request[list[T]], response: Response) -> Page[T]:
    """Read a list for which the documents print no pagination; where the service paginates it all the same, a page."""
    body = wire.decode(request, response, whole=True)
    if isinstance(body, dict) and "pagination" in body:
        if "result" in body and request.payload[0] not in body:
            request = attrs.evolve(request, payload=("result", *request.payload[1:]))
        return read_page(reader, request, response)
    items = reader.read(request, response, wire.decode(request, response), request.model, request.payload)
    beside = cast("dict[str, Any]", wire.dig(request, response, body, request.payload[:-1]))
    around = {**beside, **cast("dict[str, Any]", body)}
    refuse_part(request, around, len(items))
    return Page(items, 1, len(items), 1, has_next=False)
