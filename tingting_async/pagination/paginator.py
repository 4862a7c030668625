"""Lists page by page: the paginator and its walks.

No generator of this module yields inside a task group or a cancel scope (PEP 789): the pages are fetched ahead by a
plain object, `window.Window`.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from operator import length_hint
from typing import Any, Generic, TypeVar

import attrs

from tingting_async.errors import UsageError
from tingting_async.pagination.exact import ExactIterator, id_of
from tingting_async.pagination.page import Page, PageRequest
from tingting_async.pagination.prefetch import FairShare, Fetch, Prefetcher, Read, Spawn
from tingting_async.pagination.styles import LimitOffsetPagination, PaginationStyle

T = TypeVar("T")


def _as_it_is(page: Any, _: int) -> Any:
    return page


class _Iterator(AsyncIterator[T]):
    """One walk over a list."""

    def __init__(self, window: Prefetcher[Any]) -> None:
        self._window = window

    async def aclose(self) -> None:
        """End the walk; what is in flight is cancelled. Not needed after the end, and not on `break`."""
        self._window.close()


class PageIterator(_Iterator[Page[T]]):
    """One walk over the pages of a list; see `Paginator.pages`."""

    def __init__(self, window: Prefetcher[T], skip: int = 0) -> None:
        super().__init__(window)
        self._skip = skip

    async def __anext__(self) -> Page[T]:
        while True:
            page = await self._window.next()
            if page is None:
                raise StopAsyncIteration
            skip, self._skip = self._skip, 0
            if not skip:
                return page
            if rest := page.items[skip:]:
                return attrs.evolve(page, items=rest)


class ItemIterator(_Iterator[T]):
    """One walk over the items of a list; see `Paginator`."""

    _items: Iterator[T] = iter(())
    _end = 0
    """How many items of the page will have been taken once all of `_items` are."""

    def __init__(self, window: Prefetcher[T], fingerprint: str = "", skip: int = 0) -> None:
        super().__init__(window)
        self._fingerprint = fingerprint
        self._skip = skip

    @property
    def resume_token(self) -> str | None:
        """What `resume=` of the same list takes, to go on behind the last item, perhaps in another process.

        None after the end. It names a place and not a row: rows that came or went before it move the place.
        """
        request = self._window.page_request
        if request is None:
            return None
        state = [request.params, request.number, self._skip + self._end - length_hint(self._items)]
        return base64.urlsafe_b64encode(json.dumps([*state, _checksum(self._fingerprint, state)]).encode()).decode()

    async def aclose(self) -> None:
        """End the walk; what is in flight is cancelled. Not needed after the end, and not on `break`."""
        self._items, self._end = iter(()), self._end - length_hint(self._items)
        await super().aclose()

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            page = await self._window.next()
            if page is None:
                raise StopAsyncIteration
            # Only now that the page has come: after a failure or a time-out it is still to be skipped into.
            self._items, self._end, self._skip = iter(page.items[self._skip :]), max(self._skip, len(page.items)), 0


class Paginator(Generic[T]):
    """A list of the service, all its pages, in order.

    ::

        async for campaign in tingting.campaigns.list(): ...
        async for page in tingting.campaigns.list().pages(): ...
        first = await tingting.campaigns.list().first()

    Nothing is asked before the first item is. Pages are fetched ahead; each walk starts anew.
    """

    def __init__(
        self,
        fetch: Fetch,
        spawn: Spawn,
        style: PaginationStyle,
        share: FairShare | None = None,
        *,
        default_window: int,
        read: Read[T] = _as_it_is,
        window: int | None = None,
        fingerprint: str = "",
        exact: bool = False,
        resume: str | None = None,
    ) -> None:
        if window is not None and (type(window) is not int or window < 1):
            raise UsageError(f"`window` is {window!r}; it has to be an integer from 1 up: the pages in flight.")
        if exact and resume is not None:
            raise UsageError("`exact` walks over the whole list; it cannot be resumed.")
        self._fingerprint = fingerprint
        self._is_exact = exact
        self._start: PageRequest | None = None
        self._skip = 0
        if resume is not None:
            self._start, self._skip = _read_token(resume, fingerprint)
        self.has_changed = False
        """Whether a walk noticed that the list became longer or shorter between two pages; an exact one proves more."""
        self._fetch = fetch
        self._read = read
        self._spawn = spawn
        self._style = style
        self._share = share or FairShare(places=window or default_window)
        self._width = window or default_window
        self._slow_start = window is None

    def __aiter__(self) -> "ItemIterator[T] | ExactIterator[T]":
        if self._is_exact:
            style = self._style
            if not isinstance(style, LimitOffsetPagination):
                return ExactIterator(lambda start: self._window(style, start=start, slow_start=False), id_of)
            overlapping = style.with_overlap()
            return ExactIterator(
                lambda start: self._window(overlapping, start=start, slow_start=False), id_of, before=overlapping.rewind
            )
        return ItemIterator(self._window(slow_start=self._slow_start), self._fingerprint, self._skip)

    def pages(self) -> PageIterator[T]:
        """Walk page by page; one that is resumed begins with the rest of its page.

        Raises:
            UsageError: The list is walked over exactly, row by row.
        """
        if self._is_exact:
            raise UsageError("An exact walk has rows, and no pages: use `async for item in …`.")
        return PageIterator(self._window(slow_start=self._slow_start), self._skip)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return the items as a list.

        Args:
            limit: At most so many, from the start; None for all.
        """
        if limit is not None and (type(limit) is not int or limit < 0):
            raise UsageError(f"`limit` is {limit!r}: give the number of items wanted, or None for all.")
        items: list[T] = []
        if limit == 0:
            return items
        if self._is_exact or self._start is not None:
            async for item in self:
                items.append(item)
                if len(items) == limit:
                    break
            return items
        window = self._window(slow_start=limit is not None)
        try:
            while (page := await window.next()) is not None:
                items += page.items
                if limit is not None and len(items) >= limit:
                    break
        finally:
            window.close()
        return items[:limit]

    async def first(self) -> T | None:
        """Return the first item, or None of an empty list; asks for one page."""
        items = await self.collect(1)
        return items[0] if items else None

    async def count(self) -> int:
        """Return how many items there are: as the first page says, else by walking."""
        start = self._style.first()
        page = self._read(await self._fetch(start.params), start.number)
        if page.total_items is not None:
            return page.total_items
        total = 0
        async for _ in self:
            total += 1
        return total

    def _window(
        self, style: PaginationStyle | None = None, *, start: PageRequest | None = None, slow_start: bool
    ) -> Prefetcher[T]:
        return Prefetcher(
            self._fetch,
            self._read,
            self._spawn,
            style or self._style,
            self._share,
            width=self._width,
            slow_start=slow_start,
            start=start or self._start,
            on_length_change=self._on_length_change,
        )

    def _on_length_change(self) -> None:
        self.has_changed = True


def _read_token(token: str, fingerprint: str) -> tuple[PageRequest, int]:
    """Read the token of a walk.

    Raises:
        UsageError: It is none, or another list's: of another operation, another campaign, or with other filters.
    """
    try:
        *state, seal = json.loads(base64.urlsafe_b64decode(token))
        is_ours = seal == _checksum(fingerprint, state)
    except (ValueError, TypeError, RecursionError):
        is_ours, state = False, []
    if not is_ours:
        raise UsageError(
            f"`resume` is no token of this list ({fingerprint.partition(' ')[0]}): it has to come from a walk over the "
            "same one, with the same filters."
        )
    params, number, taken = state
    return PageRequest(tuple((name, value) for name, value in params), number), taken


def _checksum(fingerprint: str, state: list[Any]) -> str:
    """Return what ties a token to its list; not a secret, and says nothing of the filters."""
    return hashlib.sha256(json.dumps([fingerprint, state]).encode()).hexdigest()[:32]
