"""How the classic API writes its responses, and its pages in particular."""

from typing import Any

from tingting_async.classic.models import Pagination
from tingting_async.client.core import Core
from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.decoding.envelopes import PageEnvelope
from tingting_async.http.messages import Request, Response, T
from tingting_async.pagination.page import Page, require_complete
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.resources.base import Resource

RESPONSES = ResponseFormat(
    "tingting_async.classic.decoding",
    PageEnvelope("result", outer={"pagination": Pagination}, inner={"messages": Any}),
)


class ListResource(Resource):
    """Operations of a session, lists among them."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # The documents do not name the parameter of a page: the resource tries both and remembers the one that works.
        # They print no pagination at all for the lists that `read_list` decodes; any is expected to be the same.
        self._style = PageNumberPagination("page", "page_number")


def read_page(
    decoder: Decoder, request: Request[list[T]], response: Response, _: int, rows: list[T], beside: dict[str, Any]
) -> Page[T]:
    """Make a page; its envelope must say which one it is."""
    place = beside.pop("pagination", None)
    if type(place) is not Pagination:
        path = ("pagination",)
        place = decoder.decode_value(request, response, decoder.payload(request, response, path), Pagination, path)
    return Page(
        rows,
        place.page_number,
        place.total_items,
        place.total_pages,
        place.has_next,
        place.links,
        {**place.extra, "has_previous": place.has_previous, **beside},
    )


def read_list(
    decoder: Decoder, request: Request[list[T]], response: Response, number: int, rows: list[T], beside: dict[str, Any]
) -> Page[T]:
    """Make a page of a list without documented pagination; if the service does paginate it, as `read_page` does."""
    if "pagination" in beside:
        return read_page(decoder, request, response, number, rows, beside)
    require_complete(request, beside, len(rows))
    return Page(rows, 1, len(rows), 1, has_next=False)
