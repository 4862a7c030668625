"""A prefetcher with worker tasks: fetches the pages of one iteration ahead of its consumer.

A page has four states::

       predicted  ──_fill──►  in flight  ──worker──►  done  ──next──►  delivered
        `_next`                `_pending`           `_pending`       `page_request`
           ▲                       │                    │
           └────────_drop──────────┴────────────────────┘

- *Predicted*: `_next` is the next page request; `_fill` starts a worker for it if there is room.
- *In flight*: a worker fetches the page. Then it fetches the next page, if the consumer is waiting and there is room.
- *Done*: the response, or the error, waits until the consumer has received all pages before it.
- *Delivered*: `next` has decoded and returned the page.

`_drop` cancels all pending pages: after a failure, after a wrong prediction, and on `close`. It does not wait, so it is
legal in any task and in the garbage collector. Workers belong to the session and hold the prefetcher by a weak
reference only: if its iterator is dropped, the prefetcher is collected, which cancels the workers.
"""

import asyncio
import sys
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic

import attrs

from tingting_async.errors import (
    ApiError,
    DecodeError,
    NotFoundError,
    PaginationError,
    SessionClosedError,
    TingTingError,
    UsageError,
)
from tingting_async.http.messages import Params, T
from tingting_async.http.timeouts import running_loop
from tingting_async.pagination.page import Page, PageRequest
from tingting_async.pagination.repetition import RepetitionGuard
from tingting_async.pagination.styles import PaginationStyle
from tingting_async.tracebacks import cut_traceback

MAX_MISSING = 2
"""The number of times that a page is requested again if it is missing although the list has it."""

_CLOSED = "The iterator or its session was closed while a page was being fetched."

Fetch = Callable[[Params], Coroutine[Any, Any, Any]]
"""Sends the request for a page and returns the response."""
DecodePage = Callable[[Any, int], Page[T]]
"""Decodes the response to the request for the page of this number."""
StartTask = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]
"""Starts a task that ends with the session."""


class FairShare:
    """Divides the slots of a session among its waiting iterators, so that a late one does not queue behind the others.

    Args:
        slots: The session's limit of concurrent requests.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._waiting = 0
        self.share: int = slots
        """The maximum number of pages that each waiting iterator may have in flight."""

    def join(self) -> None:
        """Add a waiting iterator."""
        self._waiting += 1
        self.share = -(-self._slots // self._waiting)

    def leave(self) -> None:
        """Remove a waiting iterator."""
        self._waiting -= 1
        self.share = -(-self._slots // (self._waiting or 1))


@attrs.define(eq=False, repr=False)
class _PendingPage:
    """A page that is in flight or done."""

    page_request: PageRequest
    task: "asyncio.Task[Any] | None" = None
    has_begun: bool = False
    """Whether the task has reached this page. A task that is cancelled before its first step never does."""
    is_done: bool = False
    response: Any = None
    error: BaseException | None = None
    arrival: "asyncio.Future[None] | None" = None
    """The future that the consumer awaits. The worker holds it by way of this page, and so keeps the consumer alive."""

    def wake(self) -> None:
        """Wake the consumer if it waits for this page."""
        if self.arrival is not None and not self.arrival.done():
            self.arrival.set_result(None)


async def _fetch_pages(fetch: Fetch, owner: "weakref.ref[Prefetcher[Any]]", pending: _PendingPage | None) -> None:
    """Fetch a page, then the next one that the prefetcher wants: one task per page would cost more and start later."""
    while pending is not None:
        pending.has_begun = True
        try:
            pending.response = await fetch(pending.page_request.params)
        except Exception as error:  # noqa: BLE001 - raised when the consumer reaches this page
            pending.error = error
        except BaseException as error:
            pending.error = error
            raise
        finally:
            pending.is_done = True
            prefetcher = owner()
            pending = None if prefetcher is None else prefetcher.on_page_fetched(pending)
            del prefetcher


class Prefetcher(Generic[T]):
    """Fetches pages ahead, at most `width` at the same time, and delivers them in order.

    Args:
        fetch: Sends the request for a page, and returns a successful response.
        prefetch: The same, but the response may report a failure, which is found when it is decoded.
        decode: Decodes a response.
        start_task: Starts a task that ends with the session.
        style: The pagination style of the list.
        share: Divides the session's slots among its iterators.
        width: The maximum number of pages in flight.
        slow_start: Whether to prefetch few pages at first, for a loop that may end early.
        start: The request for the page to begin with; None for the first page.
        operation: The name of the list's operation, for errors.
        on_length_change: Called if the length of the list changes between two pages.
    """

    def __init__(
        self,
        fetch: Fetch,
        prefetch: Fetch,
        decode: DecodePage[T],
        start_task: StartTask,
        style: PaginationStyle,
        share: FairShare,
        *,
        width: int,
        slow_start: bool,
        start: PageRequest | None = None,
        operation: str = "",
        on_length_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._pending: deque[_PendingPage] = deque()
        self._loop = running_loop()
        self._fetch = fetch
        self._prefetch = prefetch
        self._decode = decode
        self._start_task = start_task
        self._style = style
        self._share = share
        self._width = width
        self._slow_start = slow_start
        self._operation = operation
        self._is_waiting = False
        self._is_closed = False
        self._next: PageRequest | None = start or style.first()
        self._on_length_change = on_length_change
        self.page_request: PageRequest | None = self._next
        """The request for the page delivered last, or for the first page; None after the end of the list."""
        self._last: Page[T] | None = None
        self._repetition = RepetitionGuard()
        self._delivered = 0
        self._missing = 0
        """How many times the current page was missing although the list has it."""

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last one. After an error, request the same page again.

        Raises:
            UsageError: Another task is waiting for this page.
            SessionClosedError: The prefetcher or its session was closed.
        """
        if self._is_waiting:
            raise UsageError(
                "Two tasks wait for the same iterator: give each task its own, or pass the items on through a queue."
            )
        self._is_waiting = True
        handled = sys.exception()
        try:
            return await self._next_page()
        except BaseException as error:
            if isinstance(error, PaginationError) and not str(error).startswith(self._operation):
                error.args = (f"{self._operation}: {error}",)
            cut_traceback(error, handled)  # Not by `short_traceback`: a wrapper would cost every page a function.
            failure = decode_failure(self._operation, error)
            if failure is None:
                raise
        finally:
            self._is_waiting = False
        raise failure  # Outside of the `except` block, where the error would become its context.

    async def _next_page(self) -> Page[T] | None:
        # A loop that ends early should not have requested many pages for nothing: 1, 2, 2, 4, 4, 4, 4, 8, … in flight.
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
            # Decode here, not in the worker: a waiting page should be bytes, not hundreds of objects.
            if pending.error is not None:
                raise pending.error  # noqa: TRY301 - handled as what decoding raises
            response, page = pending.response, None
            try:  # noqa: SIM105 - as below
                page = self._decode(response, request.number)
            except ApiError:  # The page reports a failure under HTTP 200.
                pass
            if page is None:  # This request is retried if that helps, or fails as the page did.
                page = self._decode(await self._fetch(request.params), request.number)
            while (other := self._style.fallback(request, page)) is not None:
                request, page = other, self._decode(await self._fetch(other.params), other.number)
            following = self._style.next(request, page)
            self._repetition.check(request.number, page)
        except asyncio.CancelledError:  # The consumer was cancelled; the page stays pending.
            raise
        except BaseException as error:
            if not self._pending:  # Closed meanwhile: do not continue.
                raise
            self._drop()
            self._next = request
            if not isinstance(error, NotFoundError):
                raise
            is_after_end = await self._is_after_end(request, error)
            if self._is_closed:
                raise SessionClosedError(_CLOSED) from None
            self._on_length_change()
            if not is_after_end:
                return await self._next_page()  # Requests the page again.
            self._next = self.page_request = None
            return None
        if not self._pending:  # Closed while this page was decoded.
            raise SessionClosedError(_CLOSED)
        self._pending.popleft()
        if self._pending and (following is None or self._pending[0].page_request != following):
            self._drop()  # The prediction was wrong.
        if not self._pending:
            self._next = following
        if self._last is not None and page.total_items != self._last.total_items:
            self._on_length_change()
        self._last, self.page_request = page, request
        self._delivered += 1
        self._missing = 0
        try:  # noqa: SIM105 - `suppress` would cost more than the rest of this method, for every page
            self._fill(width - 1)
        except Exception:  # noqa: BLE001, S110 - a closed session, or a lack of memory
            pass  # Deliver this page; the next call raises the error.
        return page

    async def _wait(self, pending: _PendingPage) -> None:
        """Wait until a page is done or dropped, or its task was cancelled before it began."""
        pending.arrival = self._loop.create_future()
        if not pending.has_begun and pending.task is not None:
            pending.task.add_done_callback(pending.arrival.cancel)  # The argument is the message of the cancellation.
        self._share.join()
        try:
            await pending.arrival
        except asyncio.CancelledError as error:
            if error.args != (pending.task,):
                raise
        finally:
            self._share.leave()
            pending.arrival = None

    def on_page_fetched(self, pending: _PendingPage) -> _PendingPage | None:
        """Wake the consumer if it waits for this page; return the next page for the same worker, if there is room."""
        if pending.arrival is not None:
            pending.wake()
        # A waiting consumer would request the next page one turn of the loop later. Requesting it now keeps responses
        # that arrived together from arriving together again. The limit matters if one late page blocks the consumer.
        has_room = (
            self._is_waiting
            and not self._slow_start
            and len(self._pending) < 2 * min(self._width, self._share.share) - 1
        )
        if self._next is None or pending.error is not None or not has_room:
            return None
        following = _PendingPage(self._next, pending.task, has_begun=True)
        self._append(following)
        return following

    def close(self) -> None:
        """Cancel all pending pages; no page is delivered from now on."""
        self._is_closed = True
        self._next = None
        self._drop()

    def _drop(self) -> None:
        dropped, self._pending = self._pending, deque()
        _cancel(dropped)
        for pending in dropped:
            pending.wake()

    def __del__(self) -> None:
        # Runs after a `break`, which drops the last reference, or later in the garbage collector, in any thread.
        if self._pending and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_cancel, self._pending)

    def _fill(self, width: int) -> None:
        while self._next is not None and len(self._pending) < width:
            pending = _PendingPage(self._next)
            pending.task = self._start_task(_fetch_pages(self._prefetch, weakref.ref(self), pending))
            self._append(pending)

    def _append(self, pending: _PendingPage) -> None:
        following = None if self._last is None else self._style.predict(pending.page_request, self._last)
        self._pending.append(pending)
        self._next = following

    async def _is_after_end(self, request: PageRequest, error: NotFoundError) -> bool:
        """Return whether a page whose response was a 404 lies behind the end of the list.

        A list may shrink and grow again between two requests. So a page that the first page still counts may be
        requested again, but not endlessly.

        Raises:
            NotFoundError: It is `error`: the list itself is missing, or a page of it is missing again and again.
        """
        start = self._style.first()
        if request == start:
            raise error
        if self._last is not None and not self._last.has_next:
            return True  # Only a total counted this page, and totals may be cached.
        first = self._decode(await self._fetch(start.params), start.number)
        if self._style.is_after_end(request, first):
            return True
        self._missing += 1
        if self._missing <= MAX_MISSING:
            return False
        self._missing = 0
        if self._last is None or len(self._last.items) >= len(first.items):
            raise error
        return True  # The last page was a short one, so only a total counted this page here, too.


def decode_failure(operation: str, error: BaseException) -> DecodeError | None:
    """Return the error to raise instead of an error that is not ours; None for an error of ours or a cancellation.

    It may be a `MemoryError`, a `RecursionError`, or a `StopAsyncIteration`, which would look like the end of the list.
    """
    if isinstance(error, TingTingError) or not isinstance(error, Exception):
        return None
    # The text of the error may quote the page.
    what = f"{type(error).__name__} while a page was decoded. If you continue, the page is requested again."
    return DecodeError(f"{operation}: {what}", operation=operation)


def _cancel(pending: deque[_PendingPage]) -> None:
    for each in pending:
        if each.task is not None and not each.is_done:
            each.task.cancel()
