"""Pagination styles: pure functions that say which page request follows a page."""

from typing import Any

from tingting_async.errors import PaginationError
from tingting_async.http.messages import Params
from tingting_async.pagination.links import MAX_DIGITS, next_offset, next_query
from tingting_async.pagination.page import FIRST_PAGE, Page, PageRequest
from tingting_async.quantities import counted


class PaginationStyle:
    """How the pages of a list follow each other; this class itself is for lists of one page.

    One object serves all lists of a session. It may remember which query parameter the service obeys.
    """

    def first(self) -> PageRequest:
        """Return the request for the first page."""
        return FIRST_PAGE

    def is_own(self, request: PageRequest) -> bool:
        """Return whether this style can have made a request, which comes from a resume token."""
        return request == FIRST_PAGE

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - nothing follows
        """Return the request that follows `request`, whose response is `page`; None after the last page.

        Raises:
            PaginationError: The page contradicts itself.
        """
        return None

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - nothing follows
        """Return the request that will probably follow `request`, whose response is still missing.

        Args:
            request: The request whose successor is predicted.
            like: The last page that was delivered.

        Returns:
            The next request; None if it cannot be predicted.
        """
        return None

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:  # noqa: ARG002 - there is one form
        """Return another form of `request` if `page` is not the requested page; None if it is, or if nothing shows it.

        Raises:
            PaginationError: There is no other form to try.
        """
        return None

    def is_after_end(self, request: PageRequest, first: Page[Any]) -> bool:  # noqa: ARG002 - a single page is the first
        """Return whether a requested page lies behind the end of the list, as the first page describes it now."""
        return False


class SinglePage(PaginationStyle):
    """A list without pagination."""


class PageNumberPagination(PaginationStyle):
    """Requests pages by number, although the name of the query parameter is not documented.

    If the response has a link to the next page, its query is used. Otherwise, `parameters` are tried in turn: the page
    number in the response shows whether the service obeyed. The parameter that works is remembered for the session.

    Args:
        parameters: The names to try.
    """

    def __init__(self, *parameters: str) -> None:
        self._candidates = parameters
        # Remember nothing else of a link: one object serves the lists of all campaigns.
        self._parameter: str | None = None

    def is_own(self, request: PageRequest) -> bool:
        """Any parameters may come from a link."""
        return request.number > 1 or request == FIRST_PAGE

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Return the request for the next number, or for the link to the next page."""
        if not page.has_next and (page.total_pages is None or page.number >= page.total_pages):
            return None
        if page.has_next:
            if page.total_pages is not None:
                is_beyond_end = page.number > page.total_pages
            else:  # A full page precedes every next page, so all pages so far have this size.
                is_beyond_end = page.total_items is not None and page.number * len(page.items) > page.total_items
            if is_beyond_end:
                items, pages = counted(page.total_items or 0, "item"), counted(page.total_pages or 0, "page")
                length = items if page.total_pages is None else pages
                raise PaginationError(
                    f"Page {page.number} has a next page, but the list has only {length}.", number=page.number
                )
        number = request.number + 1
        if self._parameter is not None and request.params:
            return self._request(request, self._parameter, number)
        # The first request has no parameters. If its link has some beside the number, later requests need them too.
        query = next_query(page.links, number)
        if query is not None:
            self._learn_from_link(request, query)
            request = PageRequest(query, number)
        if query is not None and self._parameter is None:
            return request
        return self._request(request, self._parameter or self._candidates[0], number)

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:
        """Return the request for the next number, once the parameter and the number of pages are known."""
        if self._parameter is None or like.total_pages is None or request.number >= like.total_pages:
            return None
        return self._request(request, self._parameter, request.number + 1)

    def fallback(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Compare the page numbers. Remember the parameter if they agree; return the next one to try otherwise."""
        if page.number == request.number:
            self._parameter = self._parameter or self._parameter_of(request)
            return None
        used = self._parameter_of(request)
        if self._parameter is not None and used != self._parameter:
            # Another iterator has found the parameter since this page was requested.
            return self._request(FIRST_PAGE, self._parameter, request.number)
        untried = self._candidates[self._candidates.index(used) + 1 :] if used in self._candidates else self._candidates
        if self._parameter is not None or request.number == 1 or not untried:
            ignored = "" if self._parameter else f": the service ignores {', '.join(self._candidates)}"
            raise PaginationError(
                f"Page {request.number} was requested, but page {page.number} was received{ignored}.",
                number=request.number,
            )
        return self._request(FIRST_PAGE, untried[0], request.number)

    def is_after_end(self, request: PageRequest, first: Page[Any]) -> bool:
        """Compare the page numbers, or count the items if the number of pages is unknown."""
        if first.total_pages is not None:
            return request.number > first.total_pages
        return first.total_items is not None and (request.number - 1) * len(first.items) >= first.total_items

    def _parameter_of(self, request: PageRequest) -> str | None:
        """Return the known parameter or candidate that holds the page number in a request; None if there is none."""
        names = {name for name, value in request.params if value == str(request.number)}
        return next((name for name in (*filter(None, [self._parameter]), *self._candidates) if name in names), None)

    def _learn_from_link(self, request: PageRequest, query: Params) -> None:
        """Remember the parameter that counts up from this request to the link to the next page."""
        if self._parameter is None:
            expected = {
                (name, str(request.number + 1)) for name, value in request.params if value == str(request.number)
            }
            self._parameter = next((name for name, value in query if (name, value) in expected), None)

    def _request(self, like: PageRequest, parameter: str, number: int) -> PageRequest:
        """Return a request for a page by its number, with the other parameters of `like`."""
        pair = (parameter, str(number))
        if len(like.params) == 1 and like.params[0][0] == parameter:  # The usual case, without copying.
            return PageRequest((pair,), number)
        own = {parameter, *self._candidates}
        return PageRequest((*(other for other in like.params if other[0] not in own), pair), number)


class LimitOffsetPagination(PaginationStyle):
    """Requests pages by limit and offset. It continues at the offset of the link to the next page.

    That link counts the rows that the service left out of a page after paging. Without an offset in the link, it
    advances by the items received, because a service may cap the limit. Its envelope has no page number, so there is no
    `fallback`.

    Args:
        limit: How many items a page should have.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._limit = str(limit)
        self._step: int | None = None
        """How far the last link led; None before the first link with an offset."""

    def first(self) -> PageRequest:
        """Return the request for the start of the list."""
        return self._request(0, 1)

    def is_own(self, request: PageRequest) -> bool:
        """Only `limit` and `offset` are parameters, and the limit is always the same."""
        digits = request.params[1][1] if len(request.params) == 2 else ""
        is_offset = digits.isascii() and digits.isdigit() and len(digits) < MAX_DIGITS
        return is_offset and request == self._request(int(digits), max(1, request.number))

    def next(self, request: PageRequest, page: Page[Any]) -> PageRequest | None:
        """Return the request at the offset of the next link, or after the last item received."""
        offset, total = self.offset(request), page.total_items
        end = offset + len(page.items)
        if page.has_next:
            linked = next_offset(page.links, end)
            if linked is not None:
                self._step = linked - offset
                if linked != end or not page.items or (total is not None and end > total):
                    self._check_link(request, page, linked)
                return self._following(request, max(linked, end), page)
            if total is not None and end > total:  # A service that ignores `offset` has a next page forever.
                raise PaginationError(
                    f"Page {request.number} ends at item {end} of {total}, but has a next page.", number=request.number
                )
            if not page.items:
                raise PaginationError(
                    f"Page {request.number} is empty, but the list has more items.", number=request.number
                )
        elif total is None or end >= total or not page.items or self._step is not None:
            return None  # The total may be cached, or count rows that no page has. The missing link decides.
        elif page.links is not None and len(page.items) < self.limit:
            return None  # The same, on the first page.
        return self._following(request, end, page)

    def predict(self, request: PageRequest, like: Page[Any]) -> PageRequest | None:
        """Return the next request if its page is as far away as the last link led, or has the size of the last page."""
        step = self._step or len(like.items)
        end = self.offset(request) + step
        if step <= 0 or like.total_items is None or end >= like.total_items:
            return None
        return self._following(request, end, like)

    def is_after_end(self, request: PageRequest, first: Page[Any]) -> bool:
        """Compare the offset with the number of items."""
        return first.total_items is not None and self.offset(request) >= first.total_items

    def _check_link(self, request: PageRequest, page: Page[Any], linked: int) -> None:
        """Refuse a link with which the iteration could continue forever."""
        offset, total = self.offset(request), page.total_items
        if linked <= offset:
            raise PaginationError(
                f"Page {request.number} begins at offset {offset}, but its next page at offset {linked}.",
                number=request.number,
            )
        # A total may be cached and too low, but not endlessly.
        limit = 2 * (total or 0) + 1000 if page.items else (total or 0) - 1
        if offset > limit and (total is not None or not page.items):
            length = "no total" if total is None else f"only {counted(total, 'item')}"
            raise PaginationError(
                f"Page {request.number} at offset {offset} has {counted(len(page.items), 'item')} and a next page, "
                f"but the list has {length}.",
                number=request.number,
            )

    def _following(self, request: PageRequest, end: int, page: Page[Any]) -> PageRequest:  # noqa: ARG002 - for overlaps
        """Return the request that follows `request`, after the items up to `end`."""
        return self._request(end, request.number + 1)

    def _request(self, offset: int, number: int) -> PageRequest:
        return PageRequest((("limit", self._limit), ("offset", str(offset))), number)

    @staticmethod
    def offset(request: PageRequest) -> int:
        """Return the offset in a request of this style."""
        return int(request.params[1][1])  # In the order of `_request`.


class OverlappingPagination(LimitOffsetPagination):
    """Requests pages by limit and offset so that each begins with the last item of the page before.

    ::

        the list    a  b  c  d  e  f  g
        page 1      a  b  c  d                limit=4, offset=0
        page 2               d  e  f  g       limit=4, offset=3

    If item `b` is deleted after page 1, the rest of the list moves up by one:

    ::

        the list    a  c  d  e  f  g
        page 2               e  f  g          limit=4, offset=3

    Page 2 does not begin with `d`, so an item may have been skipped. The iteration goes back with `rewind` until a page
    has an item that was seen before. What follows that item comes next, with nothing in between.

    Args:
        limit: How many new items a page should have; one more is requested.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit + 1)

    def at(self, offset: int) -> PageRequest:
        """Return the request for the page that begins at an offset."""
        return self._request(offset, 1)

    def rewind(self, request: PageRequest, items: int) -> PageRequest | None:
        """Return the request for the page that begins `items` earlier; None if `request` is for the first page."""
        offset = self.offset(request)
        return self._request(max(0, offset - items), max(1, request.number - 1)) if offset else None

    def _following(self, request: PageRequest, end: int, page: Page[Any]) -> PageRequest:
        # After a page of one item, an overlap would not advance.
        return super()._following(request, end - 1 if len(page.items) > 1 else end, page)
