"""Links to other pages, in the forms that are common among services."""

from typing import Any

import pytest

from tingting_async.pagination.links import next_query

HOST = "http://internal:8000/api/system/campaigns"

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
def test_next_link(links: Any) -> None:
    """The link to the next page is found in every form, and only its query is returned."""
    assert next_query(links, 2) == (("page", "2"), ("size", "10"))


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
def test_no_next_link(links: Any) -> None:
    """If no link leads to the next page, or its URL is malformed or has no query, there is no query."""
    assert next_query(links, 2) is None


@pytest.mark.parametrize("links", [f"{HOST}?cursor=b", [f"{HOST}?cursor=b"], [{"url": f"{HOST}?cursor=b"}]])
def test_single_link(links: Any) -> None:
    """A single link that names no other page leads to the next page."""
    assert next_query(links, 2) == (("cursor", "b"),)
