"""Exact iteration: no item is missed or repeated, even if items are added, deleted or moved between pages."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tingting_async.errors import NotFoundError, PaginationError, UsageError
from tingting_async.pagination.iterators import ItemIterator
from tingting_async.pagination.page import Page, PageRequest, T
from tingting_async.pagination.prefetch import Prefetcher

MAX_PASSES = 30


class _Pass:
    """The items that one pass over the list has seen, by their keys.

    If pages overlap, each must have an item that was seen before. What follows that item comes next, with nothing in
    between. Only the first page of the list needs no such item.
    """

    def __init__(self) -> None:
        self.sequence: list[Hashable] = []
        """The keys of all pages, in the order received."""
        self.positions: dict[Hashable, int] = {}
        """The position of each item, without duplicates."""
        self.repeats = 0
        """How many items appeared again after items that had followed them."""
        self.stalled = 0
        """How many pages in a row had no new item."""

    def add_page(self, keys: Sequence[Hashable], *, is_first: bool, overlaps: bool) -> bool:
        """Add a page; return whether nothing can lie between it and the pages before."""
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
        """Return whether the items that both passes have seen are in the same order."""
        return [key for key in self.positions if key in other.positions] == [
            key for key in other.positions if key in self.positions
        ]


class ExactIterator(ItemIterator[T]):
    """Iterates over the whole list repeatedly, until two passes agree.

    One pass cannot prove that it saw every item: an item may move from a later page to one that was read before::

        page 1 is read     a b c | d e f
        f moves            f a b | c d e
        page 2 is read             c d e        the pass has seen a b c d e, but not f

    The next pass sees f, and the pass after that confirms it. An item is delivered in the pass that sees it first, and
    only once.

    If the pages cannot overlap, two passes agree if they have seen the same items in the same order. If they can (see
    `OverlappingPagination`), a pass goes back wherever a page does not join the pages before. Then two passes agree if
    no item has moved relative to the others; items may be added and deleted meanwhile.

    Args:
        start: Starts a pass at a page request; at the first page for None.
        key: Returns what identifies an item, such as its id.
        rewind: Returns the request for the page that begins so many items before another request's, or None for the
            first page. None if pages do not overlap.
    """

    def __init__(
        self,
        start: Callable[[PageRequest | None], Prefetcher[T]],
        key: Callable[[T], Hashable],
        rewind: Callable[[PageRequest, int], PageRequest | None] | None = None,
    ) -> None:
        super().__init__(start(None))
        self._start = start
        self._key = key
        self._rewind = rewind
        self._seen: set[Hashable] = set()
        self._pass = _Pass()
        self._last_pass: _Pass | None = None
        self._last_failure: tuple[type[Exception], str] | None = None
        self._rewind_pages = 1
        self._is_closed = False
        self.passes: int = 1
        """How many passes have been started."""

    @property
    def resume_token(self) -> str | None:
        """Not available, because an exact iteration always reads the whole list.

        Raises:
            UsageError: Always.
        """
        raise UsageError("An exact iteration has no `resume_token`: iterate without `exact` to resume later.")

    async def aclose(self) -> None:
        """Stop the iteration and cancel its requests in flight, as `ItemIterator.aclose` does."""
        self._is_closed = True
        await super().aclose()

    async def __anext__(self) -> T:
        while not self._is_closed:
            for item in self._items:
                return item
            page = await self._next_page()
            if page is not None:
                self._add_page(page.items)
            elif self._is_confirmed():
                break
            else:
                self._start_pass()
        raise StopAsyncIteration

    def _start_pass(self) -> None:
        if self.passes == MAX_PASSES:
            raise PaginationError(
                f"The list changed during each of {MAX_PASSES} passes, so no two passes agreed and items may have been "
                "missed. Iterate without `exact`, or when the list changes less.",
                number=1,
            )
        self.passes += 1
        self._rewind_pages = 1
        self._last_pass, self._pass = self._pass, _Pass()
        self._prefetcher = self._start(None)

    def _is_confirmed(self) -> bool:
        this, last = self._pass, self._last_pass
        if last is None:
            return False
        if this.sequence == last.sequence:
            # If the service sorts on a non-unique column, ties may be ordered differently on every page.
            if this.repeats:
                raise PaginationError(
                    f"{this.repeats} of {len(this.positions) + this.repeats} items appeared twice in each of two "
                    "passes that agree. The pages overlap although the list does not change, so other items may be on "
                    "no page.",
                    number=1,
                )
            return True
        return self._rewind is not None and not (this.repeats or last.repeats) and this.has_order_of(last)

    async def _next_page(self) -> Page[T] | None:
        try:
            return await self._prefetcher.next()
        except (PaginationError, NotFoundError) as error:
            if self._is_closed:
                raise
            failure = (type(error), str(error))
            # Pages may contradict each other while the list changes, but not twice in the same way.
            if failure == self._last_failure or (self.passes == 1 and not self._pass.sequence):
                raise
            self._last_failure = failure
            self._end_pass(error)
            return None

    def _end_pass(self, reason: object) -> None:
        """End this pass early, so that it agrees with no other."""
        self._prefetcher.close()
        self._pass.sequence.append(reason)
        self._pass.repeats += 1

    def _add_page(self, items: Sequence[T]) -> None:
        keys = [self._key(item) for item in items]
        new: list[T] = []
        for item, key in zip(items, keys, strict=True):
            if key not in self._seen:
                self._seen.add(key)
                new.append(item)
        self._items = iter(new)
        request = self._prefetcher.page_request
        assert request is not None
        earlier = self._rewind(request, self._rewind_pages * max(1, len(items))) if self._rewind is not None else None
        if self._pass.add_page(keys, is_first=earlier is None, overlaps=self._rewind is not None):
            self._rewind_pages = 1
        else:
            self._prefetcher.close()
            self._rewind_pages *= 2
            self._prefetcher = self._start(earlier)
        if self._pass.stalled > len(self._pass.positions) + 100:
            self._end_pass(object())


def id_of(item: Any) -> Hashable:
    """Return what identifies an item: its `id`, or the `sid` of a line."""
    identity: Hashable = item.id if hasattr(item, "id") else item.sid
    return identity
