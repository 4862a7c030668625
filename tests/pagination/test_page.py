"""Query parameters of page requests, and lists that turn out to be incomplete."""

from typing import Any

import pytest

from tingting_async import Page, PaginationError
from tingting_async.http.messages import Effect, Params, Request
from tingting_async.pagination.page import merge, require_complete

REQUEST: Request[Any] = Request("GET", "/voices/", Effect.READ, "voices.list", list)


@pytest.mark.parametrize(
    ("params", "others", "merged"),
    [
        ((), (("page", "2"),), (("page", "2"),)),
        ((("q", "a"),), (("page", "2"),), (("q", "a"), ("page", "2"))),
        ((("page", "1"), ("q", "a")), (("page", "2"),), (("q", "a"), ("page", "2"))),
        ((("q", "a"),), (), (("q", "a"),)),
    ],
)
def test_merge(params: Params, others: Params, merged: Params) -> None:
    """The parameters of a page request replace their namesakes in the request for the list."""
    assert merge(params, others) == merged


@pytest.mark.parametrize(
    "sibling",
    [
        {"next": "http://x/?page=2"},
        {"has_next": True},
        {"links": {"next": "?page=2"}},
        {"pagination": {}},
        {"total_pages": 2},
        {"num_pages": "2"},
        {"count": 4},
        {"total": "4"},
    ],
)
def test_incomplete_list(sibling: dict[str, Any]) -> None:
    """A list without pagination is refused if another field says that there are more items."""
    (name,) = sibling
    with pytest.raises(PaginationError, match=f"voices.list: the response contains 3 items, and `{name}` says"):
        require_complete(REQUEST, sibling, 3)


@pytest.mark.parametrize(
    "sibling",
    [
        {},
        {"next": None},
        {"next": ""},
        {"has_next": False},
        {"links": {"next": None}},
        {"links": ["?page=1"]},
        {"pagination": None},
        {"total_pages": 1},
        {"count": 3},
        {"count": "many"},
        {"count": True},
        {"message": "4"},
    ],
)
def test_complete_list(sibling: dict[str, Any]) -> None:
    """A list is accepted if no other field says that there are more items."""
    require_complete(REQUEST, sibling, 3)


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "[]"), (3, "[0, 1, 2]"), (4, "<4 items>"), (100_000, "<100000 items>")]
)
def test_repr(count: int, shown: str) -> None:
    """The repr of a page shows at most three items, and else their number."""
    page = Page(list(range(count)), 1, count, 1, has_next=False)
    assert f"Page(items={shown}, number=1, total_items={count}, total_pages=1, has_next=False)" == repr(page)
