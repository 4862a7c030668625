"""Pages and page requests."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import attrs

from tingting_async.errors import PaginationError
from tingting_async.http.messages import Params, Request

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """One page of a list, as the service gave it."""

    items: Sequence[T]
    number: int
    """Which page, from 1."""
    total_items: int | None
    """Of the whole list, at the time of this page; None where the service does not say."""
    total_pages: int | None
    has_next: bool
    links: Any = attrs.field(default=None, repr=False)
    """The links to other pages, as they came; only their queries are ever used."""
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """What the envelope holds beside."""


class PageRequest(NamedTuple):
    """Which page to ask for: the query that asks for it, and the number it should then bear."""

    params: Params
    number: int


FIRST_PAGE = PageRequest((), 1)


def merge(params: Params, others: Params) -> Params:
    """Return `params` with those of `others` added, or in the place of their namesakes."""
    if not params:
        return others
    names = {name for name, _ in others}
    return (*(pair for pair in params if pair[0] not in names), *others)


def require_complete(request: Request[Any], around: Mapping[str, Any], came: int) -> None:
    """Refuse a list without pages of which a field beside it says that there is more.

    Raises:
        PaginationError: It says so.
    """
    more = next((name for name, value in around.items() if _indicates_more(name, value, came)), None)
    if more is not None:
        raise PaginationError(
            f"{request.operation}: {came} came, and `{more}` tells of more, in a form in which they cannot be asked "
            "for. What came is not handed out, as it is not all.",
            number=1,
        )


def _indicates_more(name: str, value: Any, came: int) -> bool:
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
    return name in ("count", "total", "total_items", "total_count") and number > came
