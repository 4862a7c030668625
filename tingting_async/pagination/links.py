"""Links to other pages, in the forms that are common among services."""

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from tingting_async.http.messages import Params

MAX_DIGITS = 16
"""The number of digits that no position in a list reaches."""


def next_query(links: Any, number: int) -> Params | None:
    """Return the query of the link to page `number`; None if there is no such link.

    The rest of the URL is ignored. Behind a proxy it often has the wrong scheme, host or port, and credentials must
    never be sent to another host.
    """
    found = [(_query(url), labels) for url, labels in _links(links)]
    for query, labels in found:
        if "next" in labels or str(number) in labels:
            return query or None
    for query, _ in found:  # Unlabelled links: use the one with the number in its query.
        if any(value == str(number) for _, value in query):
            return query
    if (
        len(found) == 1
        and not found[0][1]
        and not any("page" in name and value.isdigit() for name, value in found[0][0])
    ):
        return found[0][0] or None  # A single link can only lead forward; the next page's number will confirm it.
    return None


def next_offset(links: Any, expected: int) -> int | None:
    """Return the offset in the link to the next page; None if there is no such link, or none with an offset.

    Args:
        links: The links of a page, as received.
        expected: The offset that the link probably has. Then the link need not be parsed.
    """
    link = cast("dict[str, Any]", links).get("next") if isinstance(links, dict) else None
    if not isinstance(link, str):
        return None
    if link.endswith((f"?offset={expected}", f"&offset={expected}")):
        return expected
    offset = next((value for name, value in _query(link) if name == "offset"), "")
    return int(offset) if offset.isascii() and offset.isdigit() and len(offset) < MAX_DIGITS else None


def _query(url: str) -> Params:
    try:
        return tuple(parse_qsl(urlsplit(url).query))
    except ValueError:  # Not a URL, such as "http://[".
        return ()


def _links(links: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield the URL and the labels of each link."""
    entries = cast("list[Any]", links if isinstance(links, list) and not _is_page_link(links) else [links])
    for link in entries:
        if isinstance(link, str):
            yield link, set()
        elif _is_page_link(link):
            yield link[0], {str(link[1])}
        elif isinstance(link, dict):
            parts = cast("dict[str, Any]", link)
            url = next((parts[key] for key in ("url", "href", "link") if isinstance(parts.get(key), str)), None)
            if url is not None:  # {"url": …, "label": "2", "active": false} or {"rel": "next", "href": …}
                yield url, {str(parts[key]).lower() for key in ("rel", "label", "number", "page") if key in parts}
            else:  # {"next": …, "previous": …}
                yield from ((value, {name.lower()}) for name, value in parts.items() if isinstance(value, str))


def _is_page_link(link: Any) -> bool:
    """Return whether this is a link of Django REST framework: `[url, number, is_active, is_break]`."""
    return isinstance(link, list) and len(link) >= 2 and isinstance(link[0], str) and isinstance(link[1], int)  # pyright: ignore[reportUnknownArgumentType]
