"""How the pages of a list follow each other: pure functions of what was asked and what came."""

import functools
from typing import Any, Protocol

from tingting_async.errors import PaginationError
from tingting_async.http.messages import Params
from tingting_async.pagination.links import next_query
from tingting_async.pagination.page import FIRST_PAGE, Page, PageRequest


class PaginationStyle(Protocol):
    """How a list's pages follow each other. One object serves all listings of a session, and may remember."""

    def first(self) -> PageRequest:
        """Return what asks for the first page."""
        ...

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Return what follows a page that came; None after the last.

        Raises:
            PaginationError: The page contradicts itself.
        """
        ...

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:
        """Return what will follow `ask`, judged by the last page that came; None where that cannot be known."""
        ...

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Return None if this is the page that was asked for, else another way to ask for it.

        Raises:
            PaginationError: There is no other way.
        """
        ...


class PageNumberPagination:
    """Pages by number, where the parameter that asks for one is not documented.

    The links are followed where they say it (their query only). Else `parameters` are tried in turn, and the number
    that the answer bears tells whether the service listened. What worked is remembered for the session.
    """

    def __init__(self, *parameters: str) -> None:
        self._candidates = parameters
        # Of what a walk meets only this name may be kept: one object serves the lists of all campaigns.
        self._works: str | None = None

    def first(self) -> PageRequest:
        """Ask for the first page, by not asking for any."""
        return PageRequest((), 1)

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Follow the links, or count on."""
        if not page.has_next and (page.total_pages is None or page.number >= page.total_pages):
            return None
        if page.has_next:
            if page.total_pages is not None:
                is_over = page.number > page.total_pages
            else:  # All pages are as full as this one, as a next one follows.
                is_over = page.total_items is not None and page.number * len(page.items) > page.total_items
            if is_over:
                of = f"of {page.total_items} items" if page.total_pages is None else f"one of {page.total_pages}"
                raise PaginationError(
                    f"Page {page.number} says that it is {of} and that there is a next one.", number=page.number
                )
        number = request.number + 1
        if self._works is not None and request.params:
            return self._ask(request, self._works, number)
        # The first page was asked for by nothing; what else its link holds, the pages behind it have to ask for too.
        query = next_query(page.links, number)
        if query is not None:
            self._compare(request, query)
            request = PageRequest(query, number)
        if query is not None and self._works is None:
            return request
        return self._ask(request, self._works or self._candidates[0], number)

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:
        """Count on, once it is known how to ask and how many there are."""
        if self._works is None or like.total_pages is None or request.number >= like.total_pages:
            return None
        return self._ask(request, self._works, request.number + 1)

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Compare the number; remember the parameter that worked, or try the next."""
        if page.number == request.number:
            self._works = self._works or self._asked_by(request)
            return None
        asked_by = self._asked_by(request)
        if self._works is not None and asked_by != self._works:
            return self._ask(
                FIRST_PAGE, self._works, request.number
            )  # Another walk has found out since this was asked.
        untried = (
            self._candidates[self._candidates.index(asked_by) + 1 :]
            if asked_by in self._candidates
            else (self._candidates)
        )
        if self._works is not None or request.number == 1 or not untried:
            raise PaginationError(
                f"Page {request.number} was asked for and page {page.number} came"
                f"{'' if self._works else ': the service listens to none of ' + ', '.join(self._candidates)}.",
                number=request.number,
            )
        return self._ask(FIRST_PAGE, untried[0], request.number)

    def _asked_by(self, request: PageRequest) -> str | None:
        """Return the parameter, of those that are known, by which a query asks for the page's number."""
        names = {name for name, value in request.params if value == str(request.number)}
        return next((name for name in (*filter(None, [self._works]), *self._candidates) if name in names), None)

    def _compare(self, request: PageRequest, query: Params) -> None:
        """Learn a parameter that is not known: the one that counted from this page's query to the next link's."""
        if self._works is None:
            counted = {
                (name, str(request.number + 1)) for name, value in request.params if value == str(request.number)
            }
            self._works = next((name for name, value in query if (name, value) in counted), None)

    def _ask(self, like: PageRequest, parameter: str, number: int) -> PageRequest:
        """Ask for a page by number, and for all else as `like` did."""
        asking = (parameter, str(number))
        if (
            len(like.params) == 1 and like.params[0][0] == parameter
        ):  # Nearly always: a page is asked for by its number.
            return PageRequest((asking,), number)
        own = {parameter, *self._candidates}
        return PageRequest((*(pair for pair in like.params if pair[0] not in own), asking), number)


class LimitOffsetPagination:
    """Pages by limit and offset, advancing by what came: a service may cap the limit.

    Args:
        limit: How many rows are asked for.
        overlap: With how many of a page's last rows the next one begins.
    """

    def __init__(self, limit: int, overlap: int = 0) -> None:
        self._asking = ("limit", str(limit))
        self._limit = limit
        self._overlap = overlap

    def with_overlap(self) -> "LimitOffsetPagination":
        """Return the same with pages of one row more, the last row of the page before."""
        return LimitOffsetPagination(self._limit + 1, overlap=1)

    def rewind(self, request: PageRequest, rows: int) -> PageRequest | None:
        """Return what asks for a page so many rows before another; None if that is the first already."""
        offset = self._offset(request)
        return self._ask(max(0, offset - rows), max(1, request.number - 1)) if offset else None

    def first(self) -> PageRequest:
        """Ask from the start."""
        return self._ask(0, 1)

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Go on behind the last item that came."""
        end, total = self._offset(request) + len(page.items), page.total_items
        if page.has_next:
            if total is not None and end > total:  # A service that does not listen to `offset` has a next one for ever.
                raise PaginationError(
                    f"Page {request.number} ends with item {end} of {total}, and says that there is a next one.",
                    number=request.number,
                )
        elif total is None or end >= total:
            return None
        if not page.items:
            raise PaginationError(
                f"Page {request.number} is empty, and {page.total_items} items are said to be there.",
                number=request.number,
            )
        return self._ask(end - self._shared(page), request.number + 1)

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:
        """Take it that the pages are as large as the last one."""
        end = self._offset(request) + len(like.items)
        if not like.items or like.total_items is None or end >= like.total_items:
            return None
        return self._ask(end - self._shared(like), request.number + 1)

    def _shared(self, page: Page[Any]) -> int:
        return self._overlap if len(page.items) > self._overlap else 0  # Else it would go on with the same page.

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - the envelope bears no number
        """Take what came: this envelope does not say which page it is."""
        return None

    def _ask(self, offset: int, number: int) -> PageRequest:
        return _ask_from(self._asking, offset, number)

    @staticmethod
    def _offset(request: PageRequest) -> int:
        return int(request.params[1][1])  # As `_ask` orders them.


@functools.lru_cache(maxsize=256)  # A page is asked for ahead, and then found to be the one that follows.
def _ask_from(limit: tuple[str, str], offset: int, number: int) -> PageRequest:
    return PageRequest((limit, ("offset", str(offset))), number)


class SinglePage:
    """A list without pages."""

    def first(self) -> PageRequest:
        """Ask for all of it."""
        return PageRequest((), 1)

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - nothing follows
        """Tell that nothing follows."""
        return None

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - nothing follows
        """Tell that nothing follows."""
        return None

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - there is only this one
        """Take what came."""
        return None
