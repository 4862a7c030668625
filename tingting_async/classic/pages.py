"""How the classic API's answers are read."""

from typing import TypeVar

import attrs

from tingting_async import wire
from tingting_async.classic.models import Pagination
from tingting_async.conventions import Page, refuse_part
from tingting_async.reader import Reader
from tingting_async.wire import Request, Response

T = TypeVar("T")


READER = Reader("tingting_async.classic.convert")


def read_page(reader: Reader, request: Request[list[T]], response: Response) -> Page[T]:
    """Read a page whose envelope has to hold its place among the others."""
    items = reader.read_rows(request, response)
    beside = wire.around(request, response)
    path = ("pagination",)
    place = reader.read(request, response, wire.dig(request, response, beside, path), Pagination, path)
    del beside["pagination"]
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
    outline = response.outline() or {}
    if "pagination" in outline:
        if "result" in outline and request.payload[0] not in outline:
            request = attrs.evolve(request, payload=("result", *request.payload[1:]))
        return read_page(reader, request, response)
    items = reader.read_rows(request, response)
    refuse_part(request, wire.around(request, response), len(items))
    return Page(items, 1, len(items), 1, has_next=False)
