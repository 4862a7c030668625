"""Links to other pages, in the forms in which services give them."""

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from tingting_async.http.messages import Params


def next_query(links: Any, number: int) -> Params | None:
    """Return the query of the link to page `number`, in whichever of the common forms the links came.

    Only the query is used: behind a proxy such links bear the wrong scheme, host or port, and no credential may follow.
    """
    found = [(_query(url), names) for url, names in _links(links)]
    for query, names in found:
        if "next" in names or str(number) in names:
            return query or None
    for query, _ in found:  # Bare strings: the one with the number in its query.
        if any(value == str(number) for _, value in query):
            return query
    if (
        len(found) == 1
        and not found[0][1]
        and not any("page" in name and value.isdigit() for name, value in found[0][0])
    ):
        return found[0][0] or None  # A lone one can only lead on; the number of the page that comes will tell.
    return None


def _query(url: str) -> Params:
    try:
        return tuple(parse_qsl(urlsplit(url).query))
    except ValueError:  # No URL at all, such as "http://[".
        return ()


def _links(links: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield each link's URL with the names it goes by."""
    of_list = cast("list[Any]", links if isinstance(links, list) and not _is_page_link(links) else [links])
    for link in of_list:
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
    """Tell whether it is one of DRF's: [url, number, is_active, is_break]."""
    return isinstance(link, list) and len(link) >= 2 and isinstance(link[0], str) and isinstance(link[1], int)  # pyright: ignore[reportUnknownArgumentType]
