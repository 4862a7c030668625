"""Pages and page requests."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import attrs

from tingting_async.errors import PaginationError
from tingting_async.http.messages import Params, Request
from tingting_async.quantities import counted
from tingting_async.redaction import repr_items

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: The items of the page.
        number: The number of the page, from 1.
        total_items: The length of the whole list when this page was fetched; None if the service does not say.
        total_pages: The number of pages when this page was fetched; None if the service does not say.
        has_next: Whether another page follows.
        links: The links to other pages, as received. Only their queries are ever used.
        extra: Other fields of the envelope.
    """

    items: Sequence[T] = attrs.field(repr=repr_items, hash=False)
    number: int
    total_items: int | None
    total_pages: int | None
    has_next: bool
    links: Any = attrs.field(default=None, repr=False, hash=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False, hash=False)


class PageRequest(NamedTuple):
    """A request for one page: its query, and the number that the page should have."""

    params: Params
    number: int


FIRST_PAGE = PageRequest((), 1)


def merge(params: Params, others: Params) -> Params:
    """Return `params` with `others` added; a parameter in `others` replaces its namesakes."""
    if not params:
        return others
    names = {name for name, _ in others}
    return (*(pair for pair in params if pair[0] not in names), *others)


def require_complete(request: Request[Any], siblings: Mapping[str, Any], received: int) -> None:
    """Refuse a list without pagination if a field of its envelope says that more items exist.

    Args:
        request: The request for the list.
        siblings: The fields of the envelope beside the list.
        received: The number of items in the list.

    Raises:
        PaginationError: The list is incomplete.
    """
    more = next((name for name, value in siblings.items() if _indicates_more(name, value, received)), None)
    if more is not None:
        raise PaginationError(
            f"{request.operation}: the response contains {counted(received, 'item')}, and `{more}` says that there are "
            "more, but not how to request them. No items are returned, because the list would be incomplete.",
            number=1,
        )


def _indicates_more(name: str, value: Any, received: int) -> bool:
    if name in ("next", "has_next", "next_page", "next_url"):
        return bool(value)
    if name == "links":
        return isinstance(value, dict) and bool(cast("dict[str, Any]", value).get("next"))
    if name == "pagination":
        return isinstance(value, dict)
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if type(number) is not int:
        return False
    if name in ("total_pages", "num_pages", "page_count"):
        return number > 1
    return name in ("count", "total", "total_items", "total_count") and number > received
