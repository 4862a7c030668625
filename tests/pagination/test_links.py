"""How pages follow each other: pure functions of what was asked and what came."""

from typing import Any

import pytest

from tingting_async import PaginationError
from tingting_async.pagination.page import Page, PageRequest
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, SinglePage

HOST = "http://internal:8000/api/system/campaigns"


def page(number: int, total: int | None = None, *, more: bool = True, links: Any = None, items: int = 10) -> Page[int]:
    """Return a page."""
    return Page(list(range(items)), number, None, total, more, links)


def style() -> PageNumberPagination:
    """Return the style of the classic API."""
    return PageNumberPagination("page", "page_number")


FIRST_PAGE = PageRequest((), 1)

LINKS = [
    pytest.param({"next": f"{HOST}?page=2&size=10", "previous": None}, id="next and previous"),
    pytest.param({"prev": f"{HOST}?page=1&size=10", "next": f"{HOST}?page=2&size=10"}, id="previous first"),
    pytest.param([f"{HOST}?page=1", f"{HOST}?page=2&size=10", f"{HOST}?page=3"], id="strings"),
    pytest.param(
        [{"url": f"{HOST}?page=1", "label": "1", "active": True}, {"url": f"{HOST}?page=2&size=10", "label": "2"}],
        id="labelled",
    ),
    pytest.param([{"url": None, "label": "…"}, {"url": f"{HOST}?page=2&size=10", "label": "Next"}], id="labelled next"),
    pytest.param([{"rel": "next", "href": f"{HOST}?page=2&size=10"}], id="rel"),
    pytest.param([{"rel": "last", "link": f"{HOST}?page=9"}, {"link": f"{HOST}?page=2&size=10", "page": 2}], id="page"),
    pytest.param([{"number": 2, "url": f"{HOST}?page=2&size=10"}], id="number"),
    pytest.param(
        [[f"{HOST}", 1, True, False], [f"{HOST}?page=2&size=10", 2, False, False], [None, None, False, True]],
        id="PageLink",
    ),
    pytest.param({"next": "?page=2&size=10"}, id="query alone"),
    pytest.param({"next": "/api/system/campaigns?page=2&size=10"}, id="path"),
    pytest.param({"next": "https://evil.example:1/x?page=2&size=10#part"}, id="elsewhere"),
    pytest.param({"Next": f"{HOST}?page=2&size=10"}, id="capital"),
]


@pytest.mark.parametrize("links", LINKS)
def test_links(links: Any) -> None:
    """The link to the next page is found in every form, and its query alone is used."""
    assert style().next(FIRST_PAGE, page(1, 3, links=links)) == PageRequest((("page", "2"), ("size", "10")), 2)


@pytest.mark.parametrize(
    "links",
    [
        None,
        [],
        {},
        "",
        7,
        [None],
        [[]],
        [True, 2],
        {"next": None},
        {"next": 2},
        {"next": "http://["},
        ["http://[?page=2"],
        {"next": f"{HOST}"},
        {"previous": f"{HOST}?page=1"},
        [f"{HOST}?page=3"],
        [[None, 2, False, False]],
        [{"label": "2"}],
    ],
)
def test_no_links(links: Any) -> None:
    """Where no link says how to ask, the first of the parameters is tried."""
    assert style().next(FIRST_PAGE, page(1, 3, links=links)) == PageRequest((("page", "2"),), 2)


@pytest.mark.parametrize(
    ("came", "follows"),
    [
        (page(1, 3), True),
        (page(1, 3, more=False), True),
        (page(1, None), True),
        (page(1, 1), True),
        (page(1, 1, more=False), False),
        (page(1, None, more=False), False),
        (page(1, 0, more=False, items=0), False),
    ],
)
def test_end_of_numbers(came: Page[int], follows: bool) -> None:
    """A list goes on while either the count of pages or the flag says so."""
    assert (style().next(FIRST_PAGE, came) is not None) == follows


def test_beyond_the_last() -> None:
    """A page behind the last that says that there is a next one contradicts itself."""
    with pytest.raises(PaginationError, match="Page 4 has a next page, but the list has only 3 pages") as caught:
        style().next(PageRequest((("page", "4"),), 4), page(4, 3))
    assert caught.value.number == 4
    assert style().next(PageRequest((("page", "4"),), 4), page(4, 3, more=False)) is None


def test_learning_the_first() -> None:
    """A parameter that works is used from then on, and pages can be asked for ahead."""
    pages = style()
    assert pages.first() == FIRST_PAGE
    assert pages.fallback(FIRST_PAGE, page(1, 3)) is None
    assert pages.predict(FIRST_PAGE, page(1, 3)) is None
    second = PageRequest((("page", "2"),), 2)
    assert pages.next(FIRST_PAGE, page(1, 3)) == second
    assert pages.fallback(second, page(2, 3)) is None
    assert pages.predict(second, page(2, 3)) == PageRequest((("page", "3"),), 3)
    assert pages.predict(PageRequest((("page", "3"),), 3), page(2, 3)) is None
    assert pages.predict(second, page(2, None)) is None
    assert pages.predict(FIRST_PAGE, page(1, 3)) == second


def test_learning_the_second() -> None:
    """Where the service does not listen to the first parameter, the second is tried, once."""
    pages = style()
    asked = PageRequest((("page", "2"),), 2)
    again = pages.fallback(asked, page(1, 3))
    assert again == PageRequest((("page_number", "2"),), 2)
    assert pages.fallback(again, page(2, 3)) is None
    assert pages.next(again, page(2, 3)) == PageRequest((("page_number", "3"),), 3)
    assert pages.next(FIRST_PAGE, page(1, 3, links={"next": "?page=2"})) == PageRequest((("page_number", "2"),), 2)


def test_nothing_works() -> None:
    """Where the service listens to no parameter, that is said."""
    pages = style()
    with pytest.raises(PaginationError, match="the service ignores page, page_number") as caught:
        pages.fallback(PageRequest((("page_number", "2"),), 2), page(1, 3))
    assert caught.value.number == 2


def test_wrong_first_page() -> None:
    """A first page that says that it is another is a contradiction."""
    with pytest.raises(PaginationError, match="Page 1 was requested, but page 2 was received"):
        style().fallback(FIRST_PAGE, page(2, 3))


def test_no_longer_works() -> None:
    """A service that stops listening to what worked contradicts itself."""
    pages = style()
    pages.fallback(PageRequest((("page", "2"),), 2), page(2, 9))
    with pytest.raises(PaginationError, match="Page 3 was requested, but page 2 was received"):
        pages.fallback(PageRequest((("page", "3"),), 3), page(2, 9))


def test_learning_of_two_walks() -> None:
    """What one walk asked for before another found out how to ask is asked for again in that way."""
    pages = style()
    asked = pages.next(FIRST_PAGE, page(1, 3))
    assert asked is not None
    pages.fallback(PageRequest((("page_number", "2"),), 2), page(2, 3))
    assert pages.fallback(asked, page(1, 3)) == PageRequest((("page_number", "2"),), 2)


def test_learning_from_a_link() -> None:
    """An unknown parameter of a link that worked is used from then on, with the rest of its query."""
    pages = style()
    asked = PageRequest((("size", "10"), ("p", "2")), 2)
    assert pages.fallback(asked, page(2, 5)) is None
    third = pages.next(asked, page(2, 5, links={"next": "?size=10&p=3"}))
    assert third == PageRequest((("size", "10"), ("p", "3")), 3)
    assert pages.predict(third, page(2, 5)) == PageRequest((("size", "10"), ("p", "4")), 4)


def test_number_that_is_no_page() -> None:
    """A parameter that happens to have the page's number as its value is not taken for the page."""
    pages = style()
    tenth = PageRequest((("limit", "10"), ("offset", "90")), 10)
    pages.fallback(tenth, page(10, 30))
    eleventh = pages.next(tenth, page(10, 30, links={"next": "?limit=10&offset=100"}))
    assert eleventh == PageRequest((("limit", "10"), ("offset", "100")), 11)
    assert pages.predict(eleventh, page(11, 30)) is None


@pytest.mark.parametrize("links", [f"{HOST}?cursor=b", [f"{HOST}?cursor=b"], [{"url": f"{HOST}?cursor=b"}]])
def test_lone_link(links: Any) -> None:
    """A link that stands alone, and names no other page, is followed."""
    assert style().next(FIRST_PAGE, page(1, 3, links=links)) == PageRequest((("cursor", "b"),), 2)


def test_lists_do_not_mix() -> None:
    """What one list's links hold beside the page, such as its campaign, never gets into the requests of another."""
    pages = style()
    for campaign in ("5", "6"):
        asked = pages.next(FIRST_PAGE, page(1, 5, links={"next": f"?campaign={campaign}&page=2"}))
        assert asked == PageRequest((("campaign", campaign), ("page", "2")), 2)
        pages.fallback(asked, page(2, 5))
        assert pages.predict(asked, page(2, 5)) == PageRequest((("campaign", campaign), ("page", "3")), 3)
    assert pages.next(FIRST_PAGE, page(1, 5)) == PageRequest((("page", "2"),), 2)


@pytest.mark.parametrize("query", [(("cursor", "xyz"),), (("a", "2"), ("b", "2"))])
def test_link_that_does_not_tell(query: Any) -> None:
    """A link that does not show which parameter is the page is followed, and teaches nothing."""
    pages = style()
    assert pages.fallback(PageRequest(query, 2), page(2, 5)) is None
    assert pages.predict(PageRequest(query, 2), page(2, 5)) is None
    assert pages.next(PageRequest(query, 2), page(2, 5, links={"next": "?cursor=abc"})) == PageRequest(
        (("cursor", "abc"),), 3
    )


def test_link_among_known_parameters() -> None:
    """Where two parameters of a link have the number as value, the known one is the page."""
    pages = style()
    asked = PageRequest((("size", "2"), ("page", "2")), 2)
    pages.fallback(asked, page(2, 5))
    assert pages.predict(asked, page(2, 5)) == PageRequest((("size", "2"), ("page", "3")), 3)


def offset_page(items: int, total: int | None, *, more: bool = True) -> Page[int]:
    """Return a page of limit and offset."""
    return Page(list(range(items)), 1, total, None, more)


def test_limit_and_offset() -> None:
    """Pages advance by what came, whatever was asked for."""
    pages = LimitOffsetPagination(100)
    assert pages.first() == PageRequest((("limit", "100"), ("offset", "0")), 1)
    second = pages.next(pages.first(), offset_page(10, 25))
    assert second == PageRequest((("limit", "100"), ("offset", "10")), 2)
    assert pages.fallback(second, offset_page(10, 25)) is None
    assert pages.predict(second, offset_page(10, 25)) == PageRequest((("limit", "100"), ("offset", "20")), 3)
    assert pages.predict(PageRequest((("limit", "100"), ("offset", "20")), 3), offset_page(10, 25)) is None
    assert pages.predict(second, offset_page(10, None)) is None
    assert pages.predict(second, offset_page(0, 25)) is None


@pytest.mark.parametrize(
    ("came", "follows"),
    [
        (offset_page(10, 25), True),
        (offset_page(10, 25, more=False), True),
        (offset_page(10, None), True),
        (offset_page(10, 10), True),
        (offset_page(10, 10, more=False), False),
        (offset_page(10, 5, more=False), False),
        (offset_page(10, None, more=False), False),
        (offset_page(0, 0, more=False), False),
    ],
)
def test_end_of_offsets(came: Page[int], follows: bool) -> None:
    """A list goes on while either the count of items or the flag says so."""
    pages = LimitOffsetPagination(10)
    assert (pages.next(pages.first(), came) is not None) == follows


@pytest.mark.parametrize("came", [offset_page(0, 25), offset_page(0, None), offset_page(0, 25, more=False)])
def test_empty_page_in_the_middle(came: Page[int]) -> None:
    """An empty page where more is said to be there is a contradiction, not an endless loop."""
    pages = LimitOffsetPagination(10)
    with pytest.raises(PaginationError, match="is empty"):
        pages.next(pages.first(), came)


def test_one_page() -> None:
    """A list without pages is asked for once."""
    only = SinglePage()
    assert only.first() == FIRST_PAGE
    assert [only.next(FIRST_PAGE, page(1)), only.predict(FIRST_PAGE, page(1)), only.fallback(FIRST_PAGE, page(1))] == [
        None
    ] * 3
