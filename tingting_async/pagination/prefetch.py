"""The window of pages in flight.

Pages are fetched ahead by tasks that belong to the session; a failure is held until its own page is due, and closing
is a synchronous cancel, legal from any task and from the garbage collector.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import attrs

from tingting_async.errors import NotFoundError, PaginationError, SessionClosedError, UsageError
from tingting_async.http.messages import Params
from tingting_async.pagination.page import Page, PageRequest
from tingting_async.pagination.styles import PaginationStyle

T = TypeVar("T")

_CLOSED = "The walk or its session was closed while pages were on their way."

Fetch = Callable[[Params], Coroutine[Any, Any, Any]]
"""Asks for a page, and returns what came."""
Read = Callable[[Any, int], Page[T]]
"""Makes a page of what came, when the page of this number was asked for."""
Spawn = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


class FairShare:
    """The walks of a session that wait for a page: they share its places, so that a late one finds no long queue.

    Args:
        places: How many requests the session sends at the same time, at most.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting = 0
        self.share = places
        """How many pages each may have on their way; together they take all places."""

    def join(self) -> None:
        """Count one more that waits."""
        self._waiting += 1
        self.share = -(-self._places // self._waiting)

    def leave(self) -> None:
        """Count one less."""
        self._waiting -= 1
        self.share = -(-self._places // (self._waiting or 1))


@attrs.define(eq=False)
class _PendingPage:
    """A page that was asked for, until its turn comes."""

    page_request: PageRequest
    task: "asyncio.Task[Any] | None" = None
    is_done: bool = False
    """Whether it came, or failed."""
    response: Any = None
    error: BaseException | None = None
    arrival: "asyncio.Future[None] | None" = None
    """What the consumer waits for. Here, where the task that fetches holds it, and with it whoever waits."""

    def result(self) -> Any:
        """Return what came, or raise what it failed with."""
        if self.error is not None:
            raise self.error
        return self.response

    def wake(self) -> None:
        """Wake the consumer, if it waits for this page."""
        if self.arrival is not None and not self.arrival.done():
            self.arrival.set_result(None)


async def _fetch_pages(fetch: Fetch, walk: "weakref.ref[Prefetcher[Any]]", pending: _PendingPage | None) -> None:
    """Fetch a page, and then whatever the walk wants next: a task for each page would cost more, and start later.

    It knows the walk by a weak reference, as a walk that nobody holds any more is over.
    """
    while pending is not None:
        try:
            pending.response = await fetch(pending.page_request.params)
        except Exception as error:  # noqa: BLE001 - it is held until its turn
            pending.error = error
        except BaseException as error:
            pending.error = error
            raise
        finally:
            pending.is_done = True
            window = walk()
            pending = None if window is None else window.on_page_fetched(pending)
            del window


class Prefetcher(Generic[T]):
    """The pages in flight: at most `width`, handed out in order.

    Args:
        fetch: Asks for a page.
        read: Makes a page of what came.
        spawn: Starts a task that ends with the session.
        style: How pages follow each other.
        share: Those with whom it shares the session's places.
        width: The most that are in flight.
        slow_start: Whether it opens slowly, for a loop that may leave early.
        start: Where to begin; None for the first page.
        on_length_change: Is called when the list turns out to have become longer or shorter.
    """

    def __init__(
        self,
        fetch: Fetch,
        read: Read[T],
        spawn: Spawn,
        style: PaginationStyle,
        share: FairShare,
        *,
        width: int,
        slow_start: bool,
        start: PageRequest | None = None,
        on_length_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._pending: deque[_PendingPage] = deque()
        self._loop = asyncio.get_running_loop()
        self._fetch = fetch
        self._read = read
        self._spawn = spawn
        self._style = style
        self._share = share
        self._width = width
        self._slow_start = slow_start
        self._is_waiting = False
        self._is_closed = False
        self._next: PageRequest | None = start or style.first()
        self._on_length_change = on_length_change
        self.page_request: PageRequest | None = self._next
        """What asked for the page that was handed out last, or will ask for the first; None after the end."""
        self._last: Page[T] | None = None
        self._delivered = 0

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last. After an error, the same page is asked for again.

        Raises:
            UsageError: Another task waits for this page already.
        """
        if self._is_waiting:
            raise UsageError("Two tasks take pages from one walk: give each task its own, or share the items out.")
        self._is_waiting = True
        try:
            return await self._next_page()
        finally:
            self._is_waiting = False

    async def _next_page(self) -> Page[T] | None:
        # A loop that may leave early should not have asked for much more than it saw: 1, 2, 2, 4, 4, 4, 4, 8, …
        width = min(self._width, self._share.share)
        if self._slow_start:
            width = min(width, 1 << (self._delivered + 1).bit_length() - 1)
        self._fill(width)
        if not self._pending:
            self.page_request = None
            return None
        pending = self._pending[0]
        if not pending.is_done:
            await self._wait(pending)
        if not pending.is_done or isinstance(pending.error, asyncio.CancelledError):
            raise SessionClosedError(_CLOSED)
        request = pending.page_request
        try:
            # Read here and not in the task: a page that waits for its turn is bytes, and not hundreds of objects.
            page = self._read(pending.result(), request.number)
            while (other := self._style.fallback(request, page)) is not None:
                request, page = other, self._read(await self._fetch(other.params), other.number)
            following = self._check_page(request, page)
        except asyncio.CancelledError:  # The consumer's is its own; the page stays pending.
            raise
        except BaseException as error:
            if not self._pending:  # Closed meanwhile: it does not go on.
                raise
            self._drop()
            self._next = request
            if not isinstance(error, NotFoundError):
                raise
            await self._confirm_end(request, error)
            if self._is_closed:
                raise SessionClosedError(_CLOSED) from None
            self._next = self.page_request = None
            self._on_length_change()
            return None
        if not self._pending:  # By `close`, once the page had come and before its turn.
            raise SessionClosedError(_CLOSED)
        self._pending.popleft()
        if self._pending and (following is None or self._pending[0].page_request != following):
            self._drop()  # What was guessed is not what follows.
        if not self._pending:
            self._next = following
        if self._last is not None and page.total_items != self._last.total_items:
            self._on_length_change()
        self._last, self.page_request = page, request
        self._delivered += 1
        try:  # noqa: SIM105 - every page comes this way, and `suppress` costs more than all the rest of it
            self._fill(width - 1)
        except SessionClosedError:
            pass  # Whoever wants another page is told so then; this one came.
        return page

    async def _wait(self, pending: _PendingPage) -> None:
        """Wait until a page has come, or all are dropped."""
        pending.arrival = self._loop.create_future()
        self._share.join()
        try:
            await pending.arrival
        finally:
            self._share.leave()
            pending.arrival = None

    def on_page_fetched(self, pending: _PendingPage) -> _PendingPage | None:
        """Take note of what came or failed; return what the same task is to fetch next."""
        pending.wake()
        # One that waits takes what came in the next turn of the loop: what it will then ask for leaves now. Thus many
        # answers that come together do not go on coming together. The limit is for a page that keeps it waiting.
        has_room = (
            self._is_waiting
            and not self._slow_start
            and len(self._pending) < 2 * min(self._width, self._share.share) - 1
        )
        if self._next is None or pending.error is not None or not has_room:
            return None
        following = _PendingPage(self._next, pending.task)
        self._append(following)
        return following

    def close(self) -> None:
        """End the walk, and cancel what is in flight."""
        self._is_closed = True
        self._next = None
        self._drop()

    def _drop(self) -> None:
        dropped, self._pending = self._pending, deque()
        _cancel(dropped)
        for pending in dropped:
            pending.wake()

    def __del__(self) -> None:
        # A `break` drops the last reference; so may the garbage collector, later and in another thread.
        if self._pending and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_cancel, self._pending)

    def _fill(self, width: int) -> None:
        while self._next is not None and len(self._pending) < width:
            pending = _PendingPage(self._next)
            pending.task = self._spawn(_fetch_pages(self._fetch, weakref.ref(self), pending))
            self._append(pending)

    def _append(self, pending: _PendingPage) -> None:
        self._pending.append(pending)
        self._next = None if self._last is None else self._style.predict(pending.page_request, self._last)

    def _check_page(self, request: PageRequest, page: Page[T]) -> PageRequest | None:
        last = self._last
        if last is not None and page.items == last.items and page.total_items == last.total_items:
            raise PaginationError(f"Page {request.number} holds the same as the page before it.", number=request.number)
        return self._style.next(request, page)

    async def _confirm_end(self, request: PageRequest, error: NotFoundError) -> None:
        """Take a 404 as the end of the list only where it has become shorter meanwhile."""
        start = self._style.first()
        if request == start:
            raise error
        first = self._read(await self._fetch(start.params), start.number)
        if first.total_pages is None or first.total_pages >= request.number:
            raise error


def _cancel(pending: deque[_PendingPage]) -> None:
    for each in pending:
        if each.task is not None and not each.is_done:
            each.task.cancel()
