"""How pages follow each other, without a socket."""

from typing import Any

import pytest

from tingting_async import Page, PaginationError
from tingting_async.pagination.page import PageRequest
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, SinglePage


def page(
    number: int, pages: int | None = 6, *, has_next: bool | None = None, links: Any = None, items: int = 10
) -> Page[int]:
    """Return a page."""
    follows = number < (pages or 0) if has_next is None else has_next
    return Page(range(items), number, 57 if pages else None, pages, follows, links)


URL = "http://internal:8000/x"
LINKS = [
    [f"{URL}?p=1", f"{URL}?p=3"],
    {"next": f"{URL}?p=3", "previous": f"{URL}?p=1"},
    {"next": f"{URL}?p=3", "previous": None, "count": 3},
    [{"rel": "prev", "href": f"{URL}?p=1"}, {"rel": "next", "href": f"{URL}?p=3"}],
    [{"url": None, "label": "Previous"}, {"url": f"{URL}?p=2", "label": "2"}, {"url": f"{URL}?p=3", "label": "3"}],
    [{"link": f"{URL}?p=3", "number": 3}],
    [[f"{URL}?p=1", 1, False, False], [f"{URL}?p=2", 2, True, False], [f"{URL}?p=3", 3, False, False]],
    [f"{URL}?p=3", 3, False, False],
]


@pytest.mark.parametrize("links", LINKS)
def test_links(links: Any) -> None:
    """The link to the next page is found in every common form, and only its query is used."""
    style = PageNumberPagination("page", "page_number")
    ask = style.next(PageRequest((("p", "2"),), 2), page(2, links=links))
    assert ask == PageRequest((("p", "3"),), 3)
    assert style.fallback(ask, page(3)) is None
    assert style.predict(ask, page(3)) == PageRequest((("p", "4"),), 4)  # Learnt from the link.


def test_cursor() -> None:
    """A link whose query tells no number is followed, one page after the other."""
    style = PageNumberPagination("page", "page_number")
    first = style.first()
    second = style.next(first, page(1, links={"next": f"{URL}?cursor=abc"}))
    assert second == PageRequest((("cursor", "abc"),), 2)
    assert style.fallback(second, page(2)) is None
    assert style.predict(second, page(2)) is None
    assert style.next(second, page(2, links={"next": f"{URL}?cursor=def"})) == PageRequest((("cursor", "def"),), 3)


def test_ambiguous_link() -> None:
    """Where two parameters have the number, the one that usually asks for a page is taken."""
    style = PageNumberPagination("page", "page_number")
    ask = style.next(style.first(), page(1, links={"next": f"{URL}?size=2&page=2"}))
    assert ask is not None
    assert style.fallback(ask, page(2)) is None
    assert style.predict(ask, page(2)) == PageRequest((("size", "2"), ("page", "3")), 3)


def test_tries_in_turn() -> None:
    """Without links `page` is tried, then `page_number`; what worked is remembered, and nothing else is tried again."""
    style = PageNumberPagination("page", "page_number")
    ask = style.next(style.first(), page(1))
    assert ask == PageRequest((("page", "2"),), 2)
    assert style.predict(ask, page(1)) is None  # Not before it is known how to ask.
    other = style.fallback(ask, page(1))
    assert other == PageRequest((("page_number", "2"),), 2)
    assert style.fallback(other, page(2)) is None
    assert style.next(style.first(), page(1)) == other
    with pytest.raises(PaginationError, match=r"Page 3 was requested, but page 1 was received\."):
        style.fallback(PageRequest((("page_number", "3"),), 3), page(1))


def test_nothing_works() -> None:
    """Where the service listens to nothing, the error names what was tried."""
    style = PageNumberPagination("page", "page_number")
    with pytest.raises(PaginationError, match="ignores page, page_number") as caught:
        style.fallback(PageRequest((("page_number", "2"),), 2), page(1))
    assert caught.value.number == 2
    with pytest.raises(PaginationError):
        style.fallback(style.first(), page(0))


def test_link_that_does_not_work() -> None:
    """A link that the service does not listen to is followed by the usual parameters."""
    ask = PageNumberPagination("page", "page_number").fallback(PageRequest((("p", "2"),), 2), page(1))
    assert ask == PageRequest((("page", "2"),), 2)


def test_end() -> None:
    """The last page is the one after which neither `has_next` nor the number of pages says that there is another."""
    style = PageNumberPagination("page")
    assert style.next(PageRequest((), 6), page(6)) is None
    assert style.next(PageRequest((), 1), page(1, None, has_next=False)) is None
    assert style.next(PageRequest((), 5), page(5, 6, has_next=False)) is not None
    assert style.next(PageRequest((), 6), page(6, 6, has_next=True)) is not None
    with pytest.raises(PaginationError, match="only 6 pages"):
        style.next(PageRequest((), 7), page(7, 6, has_next=True))


def test_ahead_ends() -> None:
    """Pages are known ahead up to the last."""
    style = PageNumberPagination("page")
    style.fallback(PageRequest((("page", "2"),), 2), page(2))
    assert style.predict(PageRequest((("page", "5"),), 5), page(2)) == PageRequest((("page", "6"),), 6)
    assert style.predict(PageRequest((("page", "6"),), 6), page(2)) is None
    assert style.predict(PageRequest((("page", "3"),), 3), page(2, None, has_next=True)) is None


@pytest.mark.parametrize(("number", "items", "is_over"), [(3, 8, False), (3, 9, True), (5, 0, False)])
def test_next_page_behind_the_count(number: int, items: int, is_over: bool) -> None:
    """Without a count of pages, a next page behind as many items as there are is a contradiction."""
    style = PageNumberPagination("page")
    last = Page(range(items), number, 26, None, has_next=True)
    if is_over:
        with pytest.raises(PaginationError, match="Page 3 has a next page, but the list has only 26 items"):
            style.next(PageRequest((("page", str(number)),), number), last)
    else:
        assert style.next(PageRequest((("page", str(number)),), number), last) is not None


def test_limit_offset() -> None:
    """By limit and offset one advances by what came, not by what was asked for."""
    style = LimitOffsetPagination(100)
    first = style.first()
    assert first == PageRequest((("limit", "100"), ("offset", "0")), 1)
    second = style.next(first, page(1))
    assert second == PageRequest((("limit", "100"), ("offset", "10")), 2)
    assert style.predict(second, page(1)) == PageRequest((("limit", "100"), ("offset", "20")), 3)
    assert style.fallback(second, page(9)) is None
    last = PageRequest((("limit", "100"), ("offset", "50")), 6)
    assert style.next(last, page(6, items=7)) is None
    assert style.predict(last, page(6)) is None
    assert style.predict(second, page(2, items=0)) is None
    with pytest.raises(PaginationError, match="empty"):
        style.next(second, page(2, items=0, has_next=True))
    with pytest.raises(PaginationError, match="item 60 of 57"):
        style.next(last, page(6, has_next=True))
    assert style.next(last, page(6, None, has_next=True)) == PageRequest((("limit", "100"), ("offset", "60")), 7)
    assert style.next(last, page(6, items=7, has_next=True)) == PageRequest((("limit", "100"), ("offset", "57")), 7)


def test_one_page() -> None:
    """A list without pages has one."""
    style = SinglePage()
    assert style.first() == PageRequest((), 1)
    assert style.next(style.first(), page(1)) is None
