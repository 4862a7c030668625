"""A paginated service in memory."""

import asyncio
import collections
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from tingting_async import NotFoundError, Page, Paginator
from tingting_async.http.messages import Params
from tingting_async.pagination.page import PageRequest
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, PaginationStyle


@attrs.frozen
class Row:
    """An item with an id, as exact iteration needs it."""

    id: int


class PagedService:
    """A list in pages of ten items, by page number or by limit and offset.

    Args:
        total: The length of the list; its items are the numbers from 0.
        by_offset: Whether pages are requested by limit and offset, not by number.
        knows_parameter: Whether the client knows from the start which parameter is the page number, so that it can
            prefetch the second page.
    """

    def __init__(self, total: int = 57, *, by_offset: bool = False, knows_parameter: bool = False) -> None:
        self.items: list[Any] = list(range(total))
        self.by_offset = by_offset
        self.knows_parameter = knows_parameter
        self.page_size = 10
        """The size of a page by number, and the highest limit otherwise."""
        self.parameter = "page"
        """The parameter that the service takes for the page number; others are ignored."""
        self.has_empty_pages = False
        """Whether a page after the last one is empty; it is a 404 otherwise."""
        self.requested: list[int] = []
        """The numbers of the requested pages, in order."""
        self.arrived: dict[int, asyncio.Event] = collections.defaultdict(asyncio.Event)
        """Set when a page is requested."""
        self.held: dict[int, asyncio.Event] = {}
        """The pages whose responses wait for an event."""
        self.failures: dict[int, list[Exception]] = {}
        """The errors of a page: each request for it takes one."""
        self.in_flight = self.peak_in_flight = 0
        self.tasks: set[asyncio.Task[Any]] = set()

    async def fetch(self, params: Params) -> Page[Any]:
        """Return a page, after one turn of the event loop at least."""
        page_size = self.page_size
        given = dict(params)
        number = int(given["offset"]) // page_size + 1 if self.by_offset else int(given.get(self.parameter, "1"))
        self.requested.append(number)
        self.arrived[number].set()
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            if number in self.held:
                await self.held[number].wait()
            if self.failures.get(number):
                raise self.failures[number].pop(0)
            return self.page(params)
        finally:
            self.in_flight -= 1

    def page(self, params: Params) -> Page[Any]:
        """Return the page that a query requests, as the list is now."""
        given, total = dict(params), len(self.items)
        number = int(given.get(self.parameter, "1"))
        start = int(given["offset"]) if self.by_offset else (number - 1) * self.page_size
        size = min(int(given.get("limit", self.page_size)), self.size_at(start))
        if start > 0 and start >= total and not self.has_empty_pages:
            raise NotFoundError("Invalid page.", status=404)
        pages = None if self.by_offset else max(1, -(-total // self.page_size))
        return Page(self.items[start : start + size], number, total, pages, has_next=start + size < total)

    def size_at(self, start: int) -> int:
        """Return the highest size of the page that begins at an offset."""
        return self.page_size

    def start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task, as a session does."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Mark it as retrieved.

    def style(self) -> PaginationStyle:
        """Return the pagination style of the list."""
        if self.by_offset:
            return LimitOffsetPagination(10)
        style = PageNumberPagination("page", "page_number")
        if self.knows_parameter:
            style.fallback(PageRequest(((self.parameter, "2"),), 2), Page([], 2, None, None, has_next=True))
        return style

    def list(self, window: int | None = None, **options: Any) -> Paginator[Any]:
        """Return the list, as a session does."""
        return self.paginate(self.fetch, self.style(), window=window, **options)

    def paginate(
        self, fetch: Callable[[Params], Coroutine[Any, Any, Page[Any]]], style: PaginationStyle, **options: Any
    ) -> Paginator[Any]:
        """Return a list whose pages come from another function or follow each other in another style."""
        given: dict[str, Any] = {"default_window": 4, "fingerprint": "rows.list", **options}
        return Paginator(fetch, self.start_task, style, **given)

    async def run_pending(self) -> None:
        """Let everything happen that can happen without the consumer."""
        gc.collect()
        for _ in range(100):
            await asyncio.sleep(0)
