"""How the classic API's answers are read."""

from typing import Any, TypeVar

from tingting_async.classic.models import Pagination
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract
from tingting_async.http.messages import PayloadPath, Request, Response
from tingting_async.pagination.page import Page, require_complete

T = TypeVar("T")


READER = Decoder("tingting_async.classic.decoding")


def read_page(reader: Decoder, request: Request[list[T]], response: Response, _: int) -> Page[T]:
    """Read a page whose envelope has to hold its place among the others."""
    return _page(reader, request, response, *reader.read_rows(request, response))


def _page(
    reader: Decoder, request: Request[list[T]], response: Response, items: list[T], beside: dict[str, Any]
) -> Page[T]:
    path = ("pagination",)
    place = reader.read(request, response, extract(request, response, beside, path), Pagination, path)
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


def _path(payload: PayloadPath, body: Any) -> PayloadPath:
    is_page = isinstance(body, dict) and {"pagination", "result"} <= body.keys() and payload[0] not in body  # pyright: ignore[reportUnknownMemberType]
    return ("result", *payload[1:]) if is_page else payload


def read_list(reader: Decoder, request: Request[list[T]], response: Response, _: int) -> Page[T]:
    """Read a list for which the documents print no pagination; where the service paginates it all the same, a page."""
    items, beside = reader.read_rows(request, response, lie=lambda body: _path(request.payload, body))
    if "pagination" in beside:
        return _page(reader, request, response, items, beside)
    require_complete(request, beside, len(items))
    return Page(items, 1, len(items), 1, has_next=False)
