"""How the v1 API's answers are read."""

from typing import Any, TypeVar

from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract
from tingting_async.http.messages import Request, Response
from tingting_async.pagination.page import Page, require_complete

T = TypeVar("T")


READER = Decoder("tingting_async.v1.decoding")


def read_page(reader: Decoder, request: Request[list[T]], response: Response, number: int) -> Page[T]:
    """Read a page of a list by limit and offset, or by page and size."""
    return _page(reader, request, response, number, *reader.read_rows(request, response))


def _page(
    reader: Decoder, request: Request[list[T]], response: Response, number: int, items: list[T], body: dict[str, Any]
) -> Page[T]:
    for name in ("count", "next"):
        if name not in body:
            extract(request, response, body, (name,))  # Says so.
    following = body.pop("next")
    pages = body.pop("total_pages", None)
    return Page(
        items,
        number=number,  # This envelope does not say which one it is.
        total_items=_count(reader, request, response, body.pop("count"), "count"),
        total_pages=None if pages is None else _count(reader, request, response, pages, "total_pages"),
        has_next=bool(following),  # An empty text says that there is none, here as elsewhere.
        links={"next": following, "previous": body.pop("previous", None)},
        extra=body,
    )


def _count(reader: Decoder, request: Request[Any], response: Response, value: Any, name: str) -> int:
    return value if type(value) is int else reader.read(request, response, value, int, (name,))


def read_results(reader: Decoder, request: Request[list[T]], response: Response, number: int) -> Page[T]:
    """Read a list for which the documents print no pagination; where the service paginates it all the same, a page."""
    items, beside = reader.read_rows(request, response)
    if beside.keys() >= {"next", "count"}:
        return _page(reader, request, response, number, items, beside)
    require_complete(request, beside, len(items))
    return Page(items, 1, len(items), 1, has_next=False)


def read_array(reader: Decoder, request: Request[list[T]], response: Response, _: int) -> Page[T]:
    """Read a bare array."""
    items = reader.read_rows(request, response)[0]
    return Page(items, 1, len(items), 1, has_next=False)
