"""Walks that miss no row and repeat none, while rows come, go and change places between pages."""

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tingting_async.errors import NotFoundError, PaginationError
from tingting_async.pagination.page import Page, PageRequest

T = TypeVar("T")

MAX_PASSES = 30


class PageSource(Protocol[T]):
    """A walk over pages that can be ended."""

    page_request: PageRequest | None
    """What asked for the page that came last."""

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last."""
        ...

    def close(self) -> None:
        """Cancel what is in flight."""
        ...


class _Pass:
    """What one pass over a list has seen.

    Where pages overlap, each has to hold a row that was seen before: what follows that row now is what comes next, with
    nothing in between. Only the first page of the list needs none.
    """

    def __init__(self) -> None:
        self.sequence: list[Hashable] = []
        """All that came, in the order in which it came."""
        self.positions: dict[Hashable, int] = {}
        """The rows and their places."""
        self.repeats = 0
        """Rows that came again behind others that had come after them."""
        self.stalled = 0
        """Pages in a row with nothing new."""

    def add_page(self, keys: Sequence[Hashable], *, is_first: bool, overlaps: bool) -> bool:
        """Take a page; tell whether nothing can lie between it and what came before."""
        self.sequence += keys
        known = [index for index, key in enumerate(keys) if key in self.positions] if overlaps else []
        if overlaps and self.positions and not known and not is_first:
            self.stalled += 1
            return False
        start = max(known, key=lambda index: self.positions[keys[index]]) + 1 if known else 0
        before = len(self.positions)
        for key in keys[start:]:
            if key in self.positions:
                self.repeats += 1
            else:
                self.positions[key] = len(self.positions)
        self.stalled = 0 if len(self.positions) > before else self.stalled + 1
        return True

    def has_order_of(self, other: "_Pass") -> bool:
        """Tell whether the rows that both have seen stand in the same order."""
        return [key for key in self.positions if key in other.positions] == [
            key for key in other.positions if key in self.positions
        ]


class ExactIterator(AsyncIterator[T], Generic[T]):
    """Walks over the whole list again and again, until two passes agree.

    No single pass can prove that it saw everything: while it went on, a row may have moved from a page that was still
    to come to one that had been read. So a pass is believed once another one confirms it. Rows come out in the pass
    that sees them first, each once.

    Where pages can overlap, a pass goes back where a page does not join what came before, and two passes agree when no
    row has changed places: rows may come and go all the while. Else they agree when they have seen the same.

    Args:
        start: Begins a pass, or goes on with one.
        key: What tells one row from another, as an id.
        before: Says what asks for a page so many rows before another, None before the first; None itself where pages
            do not overlap.
    """

    def __init__(
        self,
        start: Callable[[PageRequest | None], PageSource[T]],
        key: Callable[[T], Hashable],
        *,
        before: Callable[[PageRequest, int], PageRequest | None] | None = None,
    ) -> None:
        self._start = start
        self._key = key
        self._rewind = before
        self._pages: PageSource[T] | None = None
        self._buffer: list[T] = []
        self._seen: set[Hashable] = set()
        self._pass = _Pass()
        self._last_pass: _Pass | None = None
        self._last_failure: tuple[type[Exception], str] | None = None
        self._rewind_pages = 1
        self._is_closed = False
        self.passes = 0
        """How many were begun."""

    async def __anext__(self) -> T:
        if self._is_closed:
            raise StopAsyncIteration
        while not self._buffer:
            if self._pages is None:
                self._begin()
            assert self._pages is not None
            page = await self._next_page(self._pages)
            if page is not None:
                self._add_page(page.items, self._pages)
            elif self._is_confirmed():
                raise StopAsyncIteration
            else:
                self._last_pass, self._pages = self._pass, None
        return self._buffer.pop()

    async def aclose(self) -> None:
        """End the walk; what is in flight is cancelled. Not needed after the end, and not on `break`."""
        self._is_closed = True
        if self._pages is not None:
            self._pages.close()

    def _begin(self) -> None:
        if self.passes == MAX_PASSES:
            raise PaginationError(
                f"The list changed in each of {MAX_PASSES} passes, so that no two of them agreed: it cannot be proven "
                "that no row was missed. Walk over it plainly, or when it changes less.",
                number=1,
            )
        self.passes += 1
        self._rewind_pages = 1
        self._pass = _Pass()
        self._pages = self._start(None)

    def _is_confirmed(self) -> bool:
        this, last = self._pass, self._last_pass
        if last is None:
            return False
        if this.sequence == last.sequence:
            # Rows of the same rank in the service's order come in any order, anew for each page, as stably as you like.
            if this.repeats:
                rows = len(this.positions) + this.repeats
                raise PaginationError(
                    f"{this.repeats} of {rows} rows came twice in each of two passes that agree: their pages overlap "
                    "though the list holds still, and as many others may be on none.",
                    number=1,
                )
            return True
        return self._rewind is not None and not (this.repeats or last.repeats) and this.has_order_of(last)

    async def _next_page(self, pages: PageSource[T]) -> Page[T] | None:
        try:
            return await pages.next()
        except (PaginationError, NotFoundError) as error:
            if self._is_closed:
                raise
            failure = (type(error), str(error))
            # Pages may contradict each other while the list changes; twice in the same way, it is not that.
            if failure == self._last_failure or (self.passes == 1 and not self._pass.sequence):
                raise
            self._last_failure = failure
            self._invalidate(error)
            return None

    def _invalidate(self, why: object) -> None:
        """See to it that this pass agrees with no other."""
        self._pass.sequence.append(why)
        self._pass.repeats += 1

    def _add_page(self, items: Sequence[T], pages: PageSource[T]) -> None:
        keys = [self._key(item) for item in items]
        for item, key in zip(items, keys, strict=True):
            if key not in self._seen:
                self._seen.add(key)
                self._buffer.append(item)
        self._buffer.reverse()  # It is emptied from its end.
        overlaps, request = self._rewind is not None, pages.page_request
        assert request is not None
        earlier = self._rewind(request, self._rewind_pages * max(1, len(items))) if self._rewind is not None else None
        if self._pass.add_page(keys, is_first=earlier is None, overlaps=overlaps):
            self._rewind_pages = 1
        else:
            pages.close()
            self._rewind_pages *= 2
            self._pages = self._start(earlier)
        if self._pass.stalled > len(self._pass.positions) + 100:
            pages.close()
            self._invalidate(object())
            self._last_pass, self._pages = self._pass, None


def id_of(item: Any) -> Hashable:
    """Return what tells one row from another: its id, or a line's sid."""
    found: Hashable = item.id if hasattr(item, "id") else item.sid
    return found
