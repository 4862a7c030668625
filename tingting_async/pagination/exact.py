"""Exact iteration: it yields every row that is in the list throughout, once, or raises an error."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from tingting_async.errors import NotFoundError, PaginationError, UsageError
from tingting_async.http.messages import Params
from tingting_async.pagination.iterators import ItemIterator
from tingting_async.pagination.page import Page, PageRequest, T
from tingting_async.pagination.passes import Pass
from tingting_async.pagination.prefetch import Fetch, Prefetcher
from tingting_async.pagination.styles import OverlappingPagination
from tingting_async.quantities import counted

MAX_LENGTH = 10**15
"""The longest list that is believed. A service may state any number, even one that no float can hold."""
MAX_COST = 5.0
"""How many times the requests of a plain iteration an exact one may send by default."""

SMALL = 20
"""The maximum number of pages that are all read twice, although nothing changed during the first pass."""

SAMPLES = 10
"""The number of pages of a longer list that are read again in that case."""


_PLAIN = "Iterate without `exact`."
_MORE = "Iterate without `exact`, when the list changes less, or with a higher `max_cost`."


class RequestCounter:
    """Counts the requests of an iteration, including those that were of no use."""

    def __init__(self) -> None:
        self.sent: int = 0

    def counting(self, fetch: Fetch) -> Fetch:
        """Return `fetch` as a function that is counted."""

        def count(params: Params) -> Coroutine[Any, Any, Any]:
            self.sent += 1
            return fetch(params)

        return count


class ExactIterator(ItemIterator[T]):
    """Iterates over the whole list, repeatedly if necessary, until it is proven that no row is missing.

    A row is delivered in the pass that sees it first, and only once. Iteration ends without an error as soon as one of
    four proofs succeeds (see docs/pagination.md, and `Pass` for the terms):

    - One page. The list is one page, and has as many rows as it states.
    - All rows twice. Every page of several passes states the same length. The first of these passes together saw that
      many rows, and the passes after them saw the same rows again. The order of the rows does not matter. The proof is
      deceived if a row leaves the list and returns to it with the same id.
    - One pass without any change, with overlapping pages and more than `SMALL` of them. Every page states the same
      length, and the pass saw that many rows. Each page after the first begins with the last row of the page before
      it, and that row is still in the same place. After the pass, pages from all parts of the list are read again, and
      have not changed. The proof is deceived only if, between the same two requests, one row moves from the unread part
      to the part that was read, one is deleted and one is added, and none of the pages that are read again shows it.
    - Two passes in the same order, with overlapping pages. Both are regular, the rows that both saw are in the same
      order in both, and the second shows that no row can have moved from the unread part to the part that was read.
      The proof is deceived only if, in each of the two passes, a row moves, and a second change between the same two
      requests hides the move.

    Args:
        start: Starts a pass at a page request; at the first page for None.
        key: Returns the identity of a row, such as its id.
        counter: Counts the requests.
        max_cost: How many times the requests of a plain iteration it may send.
        overlapping: The pagination style if pages overlap; None if they do not.
        operation: The name of the list's operation, for errors.
    """

    def __init__(
        self,
        start: Callable[[PageRequest | None], Prefetcher[T]],
        key: Callable[[T], Hashable],
        counter: RequestCounter,
        max_cost: float = MAX_COST,
        overlapping: OverlappingPagination | None = None,
        operation: str = "",
    ) -> None:
        super().__init__(start(None))
        self._operation = operation
        self._start = start
        self._key = key
        self._counter = counter
        self._max_cost = max_cost
        self._overlapping = overlapping
        self._seen: set[Hashable] = set()
        self._pass = Pass(overlaps=overlapping is not None)
        self._last_pass: Pass | None = None
        self._last_failure: tuple[type[Exception], str] | None = None
        self._evidence = _Evidence()
        self._rewind_halves = 1
        self._overlaps = True
        """Whether the next page begins with a row of the page before it. The page after a page of one row does not."""
        self._page_size = 1
        self._first_total: int | None = None
        self._sampler: Prefetcher[T] | None = None
        """Reads pages again after a pass. If the consumer is cancelled meanwhile, the pass is still at its end."""
        self._failure: str | None = None
        """Why the iteration cannot succeed; raised after the rows that were read."""
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
        if self._sampler is not None:
            self._sampler.close()
        await super().aclose()

    async def __anext__(self) -> T:
        while not self._is_closed:
            for item in self._items:
                return item
            if self._failure is not None:
                raise PaginationError(f"{self._operation}: {self._failure}", number=1)
            page = await self._next_page()
            if page is not None:
                self._add_page(page)
            elif await self._is_confirmed():
                break
            elif self._failure is None:
                self._start_pass()
        raise StopAsyncIteration

    async def _next_page(self) -> Page[T] | None:
        try:
            return await self._prefetcher.next()
        except (PaginationError, NotFoundError) as error:
            failure = (type(error), str(error))
            if self._is_closed or (self.passes == 1 and not self._pass.pages):
                raise
            # Pages may contradict each other while the list changes, but not twice in the same way.
            if failure == self._last_failure:
                self._give_up(f"Two passes failed in the same way: {error}", _PLAIN)
            self._last_failure = failure
            self._prefetcher.close()
            self._pass.has_failed = True
            return None

    def _add_page(self, page: Page[T]) -> None:
        keys = [self._key(item) for item in page.items]
        new: list[T] = []
        for item, key in zip(page.items, keys, strict=True):
            if key not in self._seen:
                self._seen.add(key)
                new.append(item)
        self._items = iter(new)
        if self._first_total is None:
            self._first_total = page.total_items
        request = self._prefetcher.page_request
        assert request is not None
        style = self._overlapping
        if style is None:
            self._page_size = max(self._page_size, len(keys))
            self._pass.add_page(keys, page.total_items)
        else:
            self._page_size = max(self._page_size, min(len(keys), style.limit - 1))
            self._add_overlapping_page(style, request, keys, page.total_items)
        if self._pass.disorder > self._max_cost:
            self._give_up("The service orders rows differently from one request to the next.", _MORE)
        if self._counter.sent > self._allowed():
            self._give_up(f"`max_cost` ({self._max_cost:g}) is used up.", _MORE)

    def _add_overlapping_page(
        self, style: OverlappingPagination, request: PageRequest, keys: list[Hashable], total: int | None
    ) -> None:
        offset = style.offset(request)
        if not keys and total is not None and offset < total:
            self._overlaps = False  # The list has not become shorter, so there is nothing to go back for.
        if not self._overlaps:
            self._pass.is_joined = False
        if self._pass.add_page_at(offset, keys, total, needs_anchor=offset > 0 and self._overlaps):
            self._rewind_halves = 1
            self._overlaps = len(keys) > 1
        else:
            self._prefetcher.close()
            earlier = style.rewind(request, max(1, self._rewind_halves * len(keys) // 2))
            self._rewind_halves *= 2
            self._prefetcher = self._start(earlier)

    def _start_pass(self) -> None:
        if not self._may_send(self._plain_cost()):
            return
        self.passes += 1
        self._rewind_halves, self._overlaps = 1, True
        self._last_pass, self._pass = self._pass, Pass(overlaps=self._overlapping is not None)
        self._prefetcher = self._start(None)

    async def _is_confirmed(self) -> bool:
        this, last = self._pass, self._last_pass
        if (this.is_whole and this.pages == 1) or self._evidence.add(this):
            return True
        if this.is_whole and this.is_quiet and this.is_joined and this.pages > SMALL and await self._is_unchanged():
            return True
        if last is None:
            return False
        if this.stated is not None and not this.is_whole and this.sequence == last.sequence:
            self._give_up(
                f"Each page of two equal passes states {counted(this.stated, 'row')}, but {len(this.seen)} came.",
                "The count may be wrong, or the service leaves out rows. Iterate without `exact`.",
            )
        return this.is_regular and last.is_regular and not this.may_have_moved and this.has_order_of(last)

    async def _is_unchanged(self) -> bool:
        """Return whether pages from all parts of the list still are as this pass has read them."""
        style, rows = self._overlapping, list(self._pass.ranks)
        assert style is not None
        offsets = range(0, len(rows), -(-len(rows) // SAMPLES))
        if not self._may_send(len(offsets)):
            return False
        for offset in offsets:
            self._sampler = self._start(style.at(offset))
            try:
                page = await self._sampler.next()
            except (PaginationError, NotFoundError):
                return False
            finally:
                self._sampler.close()
            keys = [] if page is None else [self._key(item) for item in page.items]
            if page is None or keys != rows[offset : offset + len(keys)] or page.total_items != len(rows):
                return False
        return True

    def _plain_cost(self) -> int:
        """Return how many requests a plain iteration sends."""
        # Later totals count nothing: they may grow as fast as the iteration advances.
        seen = max(len(each.seen) for each in (self._pass, self._last_pass or self._pass))
        length = max(min(self._first_total or 0, MAX_LENGTH), seen)
        return -(-length // self._page_size)

    def _allowed(self) -> float:
        return self._max_cost * (self._plain_cost() + 1)

    def _may_send(self, requests: int) -> bool:
        """Return whether `max_cost` allows more requests; give up if it does not."""
        is_allowed = self._counter.sent + requests <= self._allowed()
        if not is_allowed:
            self._give_up(f"`max_cost` ({self._max_cost:g}) is used up.", _MORE)
        return is_allowed

    def _give_up(self, reason: str, advice: str) -> None:
        self._prefetcher.close()
        stated = "" if self._pass.longest == 0 else f" The service states {counted(self._pass.longest, 'row')}."
        passes = "one pass" if self.passes == 1 else f"{self.passes} passes"
        rows = f"{counted(len(self._seen), 'row')} {'was' if len(self._seen) == 1 else 'were'} read"
        self._failure = (
            f"It is not proven that no row is missing. {reason} {rows}, with "
            f"{counted(self._counter.sent, 'request')} in {passes}.{stated} {advice}"
        )


class _Evidence:
    """The evidence of all passes together while every page states one length of the list.

    If a row is missing from a set of as many rows as the list has, then at each moment a row of the set is not in the
    list. If all of the set is seen, and then all of it is seen again, that row was deleted and added again.
    """

    def __init__(self) -> None:
        self._last: Pass | None = None
        self._total: int | None = None
        self._complete: set[Hashable] | None = None
        """As many rows as the list has, all seen before those of `_current`."""
        self._current: set[Hashable] = set()

    def add(self, this: Pass) -> bool:
        """Add a pass; return whether all rows were seen twice."""
        if this is self._last:
            return False  # The consumer was cancelled since it was added.
        self._last = this
        total, seen = this.stated, this.seen
        if total is None or total != self._total or (self._complete is not None and not seen <= self._complete):
            self._complete, self._current = None, set()
        self._total = total
        if total is None:
            return False
        self._current = self._current | seen if len(self._current | seen) <= total else set(seen)
        if len(self._current) == total:
            if self._current == self._complete:
                return True
            self._complete, self._current = self._current, set()
        return False


def id_of(item: Any) -> Hashable:
    """Return the identity of an item: its `id`, or the `sid` of a line."""
    identity: Hashable = item.id if hasattr(item, "id") else item.sid
    return identity
