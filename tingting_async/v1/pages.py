"""How the v1 API writes its responses, and its pages in particular."""

from typing import Any

from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.decoding.envelopes import PageEnvelope
from tingting_async.http.messages import Request, Response, T
from tingting_async.pagination.page import Page, require_complete

RESPONSES = ResponseFormat(
    "tingting_async.v1.decoding",
    PageEnvelope(
        "results",
        # The last two are printed for contacts (sample v1_contacts.json).
        outer=dict.fromkeys(
            ("count", "total_pages", "next", "previous", "total_credits_consumed", "carrier_summary"), Any
        ),
        # Of sent one-time passwords (sample v1_sent_otps.json).
        inner=dict.fromkeys(("status", "success", "errors"), Any),
    ),
)


def read_page(
    decoder: Decoder, request: Request[list[T]], response: Response, number: int, rows: list[T], beside: dict[str, Any]
) -> Page[T]:
    """Make a page of a list by limit and offset, or by page and size."""
    for name in ("count", "next"):
        if name not in beside:
            decoder.payload(request, response, (name,))  # Raises.
    following, total, pages = beside.pop("next"), beside.pop("count"), beside.pop("total_pages", None)
    # A function would cost every page two calls.
    if type(total) is not int:
        total = decoder.decode_value(request, response, total, int, ("count",))
    if pages is not None and type(pages) is not int:
        pages = decoder.decode_value(request, response, pages, int, ("total_pages",))
    links = {"next": following, "previous": beside.pop("previous", None)}
    # This envelope does not contain the page's number. An empty string means that there is no next page, as elsewhere
    # in this API. Arguments by position cost less, and every page needs them.
    return Page(rows, number, total, pages, bool(following), links, beside)


def read_results(
    decoder: Decoder, request: Request[list[T]], response: Response, number: int, rows: list[T], beside: dict[str, Any]
) -> Page[T]:
    """Make a page of a list without documented pagination; if the service does paginate it, as `read_page` does."""
    if beside.keys() >= {"next", "count"}:
        return read_page(decoder, request, response, number, rows, beside)
    require_complete(request, beside, len(rows))
    return Page(rows, 1, len(rows), 1, has_next=False)
