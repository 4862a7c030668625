"""Pagination styles: which page request follows a page."""

from typing import Any

import pytest

from tingting_async import Page, PaginationError
from tingting_async.http.messages import Params
from tingting_async.pagination.page import FIRST_PAGE, PageRequest
from tingting_async.pagination.styles import (
    LimitOffsetPagination,
    OverlappingPagination,
    PageNumberPagination,
    SinglePage,
)

URL = "http://internal:8000/x"


def page(
    number: int,
    pages: int | None = 6,
    *,
    has_next: bool = True,
    links: Any = None,
    items: int = 10,
    total: int | None = None,
) -> Page[int]:
    """Return a page."""
    return Page(range(items), number, total, pages, has_next, links)


def request(number: int, *params: tuple[str, str]) -> PageRequest:
    """Return a page request."""
    return PageRequest(params, number)


def by_number() -> PageNumberPagination:
    """Return the style of the classic API."""
    return PageNumberPagination("page", "page_number")


def learned(parameter: str = "page") -> PageNumberPagination:
    """Return the style of the classic API, once it has found out the parameter."""
    style = by_number()
    assert style.fallback(request(2, (parameter, "2")), page(2)) is None
    return style


# By page number: which request follows


def test_without_links() -> None:
    """Without a link, the first parameter is tried."""
    assert by_number().first() == FIRST_PAGE
    assert by_number().next(FIRST_PAGE, page(1)) == request(2, ("page", "2"))


@pytest.mark.parametrize("links", [f"{URL}?page=2&size=10", {"next": f"{URL}?page=2&size=10"}])
def test_with_a_link(links: Any) -> None:
    """The whole query of the link to the next page is used."""
    assert by_number().next(FIRST_PAGE, page(1, links=links)) == request(2, ("page", "2"), ("size", "10"))


@pytest.mark.parametrize(
    ("received", "follows"),
    [
        (page(1, 3), True),
        (page(1, 3, has_next=False), True),
        (page(5, 6, has_next=False), True),
        (page(1, None), True),
        (page(1, 1), True),
        (page(6, 6), True),
        (page(1, 1, has_next=False), False),
        (page(6, 6, has_next=False), False),
        (page(4, 3, has_next=False), False),
        (page(1, None, has_next=False), False),
        (page(1, 0, has_next=False, items=0), False),
    ],
)
def test_end_by_number(received: Page[int], follows: bool) -> None:
    """Another page follows if either `has_next` or the number of pages says so."""
    sent = request(received.number, ("page", str(received.number)))
    assert (by_number().next(sent, received) is not None) == follows


@pytest.mark.parametrize(("number", "pages"), [(4, 3), (7, 6)])
def test_next_page_after_the_last(number: int, pages: int) -> None:
    """A page after the last one that has a next page contradicts itself."""
    with pytest.raises(PaginationError, match=f"Page {number} has a next page, but .* only {pages} pages") as caught:
        by_number().next(request(number, ("page", str(number))), page(number, pages))
    assert caught.value.number == number


@pytest.mark.parametrize(("number", "items", "is_contradiction"), [(3, 8, False), (3, 9, True), (5, 0, False)])
def test_next_page_after_the_last_item(number: int, items: int, is_contradiction: bool) -> None:
    """Without a number of pages, a next page after as many items as the list has is a contradiction."""
    last = page(number, None, items=items, total=26)
    sent = request(number, ("page", str(number)))
    if is_contradiction:
        with pytest.raises(PaginationError, match="Page 3 has a next page, but the list has only 26 items"):
            by_number().next(sent, last)
    else:
        assert by_number().next(sent, last) is not None


# By page number: finding out the parameter


def test_first_parameter_works() -> None:
    """A parameter that works is used from then on, and pages can be predicted."""
    style = by_number()
    assert style.fallback(FIRST_PAGE, page(1, 3)) is None
    assert style.predict(FIRST_PAGE, page(1, 3)) is None
    second = request(2, ("page", "2"))
    assert style.next(FIRST_PAGE, page(1, 3)) == second
    assert style.fallback(second, page(2, 3)) is None
    assert style.predict(second, page(2, 3)) == request(3, ("page", "3"))
    assert style.predict(FIRST_PAGE, page(1, 3)) == second


def test_second_parameter_works() -> None:
    """If the service ignores the first parameter, the second is tried, and used from then on."""
    style = by_number()
    second = request(2, ("page", "2"))
    assert style.predict(second, page(1, 3)) is None
    other = style.fallback(second, page(1, 3))
    assert other == request(2, ("page_number", "2"))
    assert style.fallback(other, page(2, 3)) is None
    assert style.next(other, page(2, 3)) == request(3, ("page_number", "3"))
    assert style.next(FIRST_PAGE, page(1, 3)) == other
    assert style.next(FIRST_PAGE, page(1, 3, links={"next": "?page=2"})) == other


def test_no_parameter_works() -> None:
    """If the service ignores every parameter, the error names them."""
    text = "Page 2 was requested, but page 1 was received: the service ignores page, page_number"
    with pytest.raises(PaginationError, match=text) as caught:
        by_number().fallback(request(2, ("page_number", "2")), page(1))
    assert caught.value.number == 2


@pytest.mark.parametrize("number", [0, 2])
def test_wrong_first_page(number: int) -> None:
    """A first page with another number is a contradiction."""
    with pytest.raises(PaginationError, match=f"Page 1 was requested, but page {number} was received"):
        by_number().fallback(FIRST_PAGE, page(number))


@pytest.mark.parametrize("parameter", ["page", "page_number"])
@pytest.mark.parametrize("received", [1, 2])
def test_parameter_no_longer_works(parameter: str, received: int) -> None:
    """If the service ignores a parameter that worked before, it contradicts itself."""
    style = learned(parameter)
    with pytest.raises(PaginationError, match=rf"Page 3 was requested, but page {received} was received\."):
        style.fallback(request(3, (parameter, "3")), page(received, 9))


def test_two_iterators_find_the_parameter() -> None:
    """A request that was sent before another iterator found out the parameter is sent again with that parameter."""
    style = by_number()
    sent = style.next(FIRST_PAGE, page(1, 3))
    assert sent is not None
    style.fallback(request(2, ("page_number", "2")), page(2, 3))
    assert style.fallback(sent, page(1, 3)) == request(2, ("page_number", "2"))


@pytest.mark.parametrize(
    ("number", "like", "predicted"),
    [
        (5, page(2), request(6, ("page", "6"))),
        (6, page(2), None),
        (3, page(2, 3), None),
        (3, page(2, None), None),
    ],
)
def test_predictions_by_number(number: int, like: Page[int], predicted: PageRequest | None) -> None:
    """Pages are predicted up to the last one, if the number of pages is known."""
    assert learned().predict(request(number, ("page", str(number))), like) == predicted


# By page number: learning from links

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
def test_parameter_of_a_link(links: Any) -> None:
    """The parameter that counts up in a link is learned from it, in every form of links."""
    style = by_number()
    third = style.next(request(2, ("p", "2")), page(2, links=links))
    assert third == request(3, ("p", "3"))
    assert style.fallback(third, page(3)) is None
    assert style.predict(third, page(3)) == request(4, ("p", "4"))


def test_parameter_among_others() -> None:
    """A parameter that is learned from a link is used with the rest of the link's query."""
    style = by_number()
    sent = request(2, ("size", "10"), ("p", "2"))
    assert style.fallback(sent, page(2)) is None
    third = style.next(sent, page(2, links={"next": "?size=10&p=3"}))
    assert third == request(3, ("size", "10"), ("p", "3"))
    assert style.predict(third, page(2)) == request(4, ("size", "10"), ("p", "4"))


def test_same_value_as_the_number() -> None:
    """A parameter whose value only happens to equal the page number is not the page number."""
    style = by_number()
    tenth = request(10, ("limit", "10"), ("offset", "90"))
    style.fallback(tenth, page(10, 30))
    eleventh = style.next(tenth, page(10, 30, links={"next": "?limit=10&offset=100"}))
    assert eleventh == request(11, ("limit", "10"), ("offset", "100"))
    assert style.predict(eleventh, page(11, 30)) is None


def test_ambiguous_link() -> None:
    """If two parameters of a link equal the page number, a known name is the page number."""
    style = by_number()
    second = style.next(FIRST_PAGE, page(1, links={"next": f"{URL}?size=2&page=2"}))
    assert second == request(2, ("size", "2"), ("page", "2"))
    assert style.fallback(second, page(2)) is None
    assert style.predict(second, page(2)) == request(3, ("size", "2"), ("page", "3"))


def test_ignored_link() -> None:
    """If the service ignores the parameters of its own link, the usual ones are tried."""
    assert by_number().fallback(request(2, ("p", "2")), page(1)) == request(2, ("page", "2"))


def test_cursor() -> None:
    """Links without page numbers are followed, one page after the other."""
    style = by_number()
    second = style.next(FIRST_PAGE, page(1, links={"next": f"{URL}?cursor=abc"}))
    assert second == request(2, ("cursor", "abc"))
    assert style.fallback(second, page(2)) is None
    assert style.predict(second, page(2)) is None
    assert style.next(second, page(2, links={"next": f"{URL}?cursor=def"})) == request(3, ("cursor", "def"))


@pytest.mark.parametrize("query", [(("cursor", "xyz"),), (("a", "2"), ("b", "2"))])
def test_uninformative_link(query: Params) -> None:
    """A link that does not show which parameter is the page number is followed, and nothing is learned."""
    style = by_number()
    assert style.fallback(PageRequest(query, 2), page(2)) is None
    assert style.predict(PageRequest(query, 2), page(2)) is None
    assert style.next(PageRequest(query, 2), page(2, links={"next": "?cursor=abc"})) == request(3, ("cursor", "abc"))


def test_lists_do_not_mix() -> None:
    """The other parameters of one list's links, such as its campaign, never appear in requests for another list."""
    style = by_number()
    for campaign in ("5", "6"):
        second = style.next(FIRST_PAGE, page(1, links={"next": f"?campaign={campaign}&page=2"}))
        assert second == request(2, ("campaign", campaign), ("page", "2"))
        style.fallback(second, page(2))
        assert style.predict(second, page(2)) == request(3, ("campaign", campaign), ("page", "3"))
    assert style.next(FIRST_PAGE, page(1)) == request(2, ("page", "2"))


# By limit and offset


def at(offset: int, number: int, limit: int = 100) -> PageRequest:
    """Return a page request by limit and offset."""
    return request(number, ("limit", str(limit)), ("offset", str(offset)))


def test_limit_and_offset() -> None:
    """Pages advance by the items received, not by the limit."""
    style = LimitOffsetPagination(100)
    assert style.first() == at(0, 1)
    second = style.next(style.first(), page(1, items=10, total=25))
    assert second == at(10, 2)
    assert style.fallback(second, page(9, items=10, total=25)) is None
    assert style.next(at(50, 6), page(6, items=7, total=57)) == at(57, 7)
    assert style.next(at(50, 6), page(6, None)) == at(60, 7)


@pytest.mark.parametrize(
    ("received", "follows"),
    [
        (page(1, None, items=10, total=25), True),
        (page(1, None, items=10, total=25, has_next=False), True),
        (page(1, None, items=10), True),
        (page(1, None, items=10, total=10), True),
        (page(1, None, items=10, total=10, has_next=False), False),
        (page(1, None, items=10, total=5, has_next=False), False),
        (page(1, None, items=10, has_next=False), False),
        (page(1, None, items=0, total=0, has_next=False), False),
    ],
)
def test_end_by_offset(received: Page[int], follows: bool) -> None:
    """Another page follows if either `has_next` or the number of items says so."""
    style = LimitOffsetPagination(10)
    assert (style.next(style.first(), received) is not None) == follows


@pytest.mark.parametrize("total", [25, None])
def test_empty_page_in_the_middle(total: int | None) -> None:
    """An empty page with a next page whose offset is unknown is a contradiction, not an endless loop."""
    with pytest.raises(PaginationError, match="Page 2 is empty, but the list has more items"):
        LimitOffsetPagination(10).next(at(10, 2), page(2, None, items=0, total=total))


def test_empty_page_at_the_end() -> None:
    """An empty page without a next page is the end, whatever the total: it may be cached."""
    assert LimitOffsetPagination(10).next(at(10, 2), page(2, None, items=0, total=25, has_next=False)) is None


def test_ignored_offset() -> None:
    """A next page after the last item is a contradiction: the service ignores the offset."""
    with pytest.raises(PaginationError, match="Page 6 ends at item 60 of 57, but has a next page"):
        LimitOffsetPagination(100).next(at(50, 6), page(6, total=57))


@pytest.mark.parametrize(
    ("offset", "items", "total", "predicted"),
    [
        (10, 10, 25, at(20, 3)),
        (20, 10, 25, None),
        (10, 10, None, None),
        (10, 0, 25, None),
    ],
)
def test_predictions_by_offset(offset: int, items: int, total: int | None, predicted: PageRequest | None) -> None:
    """Pages are predicted to have the size of the last one, up to the end of the list."""
    number = offset // 10 + 1
    assert LimitOffsetPagination(100).predict(at(offset, number), page(1, items=items, total=total)) == predicted


def test_overlap() -> None:
    """Overlapping pages begin with the last item of the page before, and have one item more."""
    style = OverlappingPagination(10)
    assert style.first() == at(0, 1, limit=11)
    assert style.next(style.first(), page(1, items=11, total=57)) == at(10, 2, limit=11)
    assert style.predict(at(10, 2, limit=11), page(1, items=11, total=57)) == at(20, 3, limit=11)


def test_no_overlap_of_single_items() -> None:
    """Pages of one item do not overlap: the same page would follow forever."""
    style = OverlappingPagination(10)
    assert style.next(style.first(), page(1, items=1, total=57)) == at(1, 2, limit=11)


@pytest.mark.parametrize(("items", "earlier"), [(10, at(20, 3, limit=11)), (40, at(0, 3, limit=11))])
def test_rewind(items: int, earlier: PageRequest) -> None:
    """`rewind` goes back by a number of items, to the start of the list at most."""
    assert OverlappingPagination(10).rewind(at(30, 4, limit=11), items) == earlier


def test_rewind_at_the_start() -> None:
    """There is no page before the first one."""
    style = OverlappingPagination(10)
    assert style.rewind(style.first(), 10) is None


@pytest.mark.parametrize(
    ("number", "first", "is_after_end"),
    [
        (6, page(1, 6), False),
        (7, page(1, 6), True),
        (6, page(1, None, total=51), False),
        (6, page(1, None, total=50), True),
        (6, page(1, None), False),
    ],
)
def test_after_the_end_by_number(number: int, first: Page[int], is_after_end: bool) -> None:
    """A page lies behind the end if its number is too high for the pages or the items that the first page counts."""
    assert is_after_end == by_number().is_after_end(request(number, ("page", str(number))), first)


@pytest.mark.parametrize(("total", "is_after_end"), [(51, False), (50, True), (None, False)])
def test_after_the_end_by_offset(total: int | None, is_after_end: bool) -> None:
    """A page lies behind the end if its offset is not below the number of items."""
    assert is_after_end == LimitOffsetPagination(10).is_after_end(at(50, 6, limit=10), page(1, None, total=total))


# Without pagination


def test_single_page() -> None:
    """A list without pagination has one page."""
    style = SinglePage()
    assert style.first() == FIRST_PAGE
    assert style.next(FIRST_PAGE, page(1)) is None
    assert style.predict(FIRST_PAGE, page(1)) is None
    assert style.fallback(FIRST_PAGE, page(1)) is None
