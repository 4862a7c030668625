"""Walks that miss no row and repeat none, while rows come, go and change places between pages."""

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tingting_async.conventions import Page
from tingting_async.errors import NotFoundError, PaginationError

T = TypeVar("T")

MOST_PASSES = 30


class Pages(Protocol[T]):
    """A walk over pages that can be ended."""

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last."""
        ...

    def close(self) -> None:
        """Cancel what is in flight."""
        ...


class ExactWalk(AsyncIterator[T], Generic[T]):
    """Walks over the whole list again and again, until two passes have seen the same rows in the same order.

    No single pass can prove that it saw everything: while it went on, a row may have moved from a page that was still
    to come to one that had been read. So a pass is believed once another one confirms it. Rows come out in the pass
    that sees them first, each once. A list that holds still costs twice the requests of a plain walk.

    Args:
        start: Begins a pass.
        key: What tells one row from another, as an id.
    """

    def __init__(self, start: Callable[[], Pages[T]], key: Callable[[T], Hashable]) -> None:
        self._start = start
        self._key = key
        self._pages: Pages[T] | None = None
        self._ready: list[T] = []
        self._seen: set[Hashable] = set()
        self._this_pass: list[Hashable] = []
        self._last_pass: list[Hashable] | None = None
        self._last_failure: tuple[type[Exception], str] | None = None
        self._is_closed = False
        self.passes = 0
        """How many were begun."""

    async def __anext__(self) -> T:
        if self._is_closed:
            raise StopAsyncIteration
        while not self._ready:
            if self._pages is None:
                self._begin()
            assert self._pages is not None
            page = await self._next_page()
            if page is not None:
                self._take(page.items)
            elif self._this_pass == self._last_pass:
                self._check_for_repeats()
                raise StopAsyncIteration
            else:
                self._last_pass, self._pages = self._this_pass, None
        return self._ready.pop()

    async def aclose(self) -> None:
        """End the walk; what is in flight is cancelled. Not needed after the end, and not on `break`."""
        self._is_closed = True
        if self._pages is not None:
            self._pages.close()

    def _begin(self) -> None:
        if self.passes == MOST_PASSES:
            raise PaginationError(
                f"The list changed in each of {MOST_PASSES} passes, so that no two of them agreed: it cannot be proven "
                "that no row was missed. Walk over it plainly, or when it changes less.",
                number=1,
            )
        self.passes += 1
        self._this_pass = []
        self._pages = self._start()

    def _check_for_repeats(self) -> None:
        # Rows of the same rank in the service's order come in any order, anew for each page, and as stably as you like.
        repeats = len(self._this_pass) - len(set(self._this_pass))
        if repeats:
            raise PaginationError(
                f"{repeats} of {len(self._this_pass)} rows came twice in each of two passes that agree: their pages "
                "overlap though the list holds still, and as many others may be on none.",
                number=1,
            )

    async def _next_page(self) -> Page[T] | None:
        assert self._pages is not None
        try:
            return await self._pages.next()
        except (PaginationError, NotFoundError) as error:
            if self._is_closed:
                raise
            failure = (type(error), str(error))
            # Pages may contradict each other while the list changes; twice in the same way, it is not that.
            if failure == self._last_failure or (self.passes == 1 and not self._this_pass):
                raise
            self._last_failure = failure
            self._this_pass.append(error)  # So that this pass is like no other.
            return None

    def _take(self, items: Sequence[T]) -> None:
        for item in items:
            key = self._key(item)
            self._this_pass.append(key)
            if key not in self._seen:
                self._seen.add(key)
                self._ready.append(item)
        self._ready.reverse()  # It is emptied from its end.


def id_of(item: Any) -> Hashable:
    """Return what tells one row from another: its id, or a line's sid."""
    found: Hashable = item.id if hasattr(item, "id") else item.sid
    return found
