"""The paginator: what a `list` method returns."""

from typing import TYPE_CHECKING, Generic, NoReturn

from tingting_async.errors import MisuseError, PaginationError, UsageError
from tingting_async.pagination.exact import MAX_COST, ExactIterator, RequestCounter, id_of
from tingting_async.pagination.iterators import ItemIterator, PageIterator, decode_token
from tingting_async.pagination.page import PageRequest, T
from tingting_async.pagination.prefetch import DecodePage, FairShare, Fetch, Prefetcher, StartTask, decode_failure
from tingting_async.pagination.styles import LimitOffsetPagination, OverlappingPagination, PaginationStyle
from tingting_async.quantities import is_count, is_number, shown
from tingting_async.tracebacks import short_traceback


class Paginator(Generic[T]):
    """A list of the service: all items of all pages, in order.

    ::

        async for campaign in tingting.campaigns.list(): ...
        async for page in tingting.campaigns.list().pages(): ...
        campaigns = await tingting.campaigns.list().collect()
        first = await tingting.campaigns.list().first()

    It sends no request before the iteration starts. Then pages are prefetched. Each iteration starts anew.
    """

    def __init__(
        self,
        fetch: Fetch,
        start_task: StartTask,
        style: PaginationStyle,
        share: FairShare | None = None,
        *,
        default_window: int,
        prefetch: Fetch | None = None,
        decode: DecodePage[T] = lambda page, _: page,
        window: int | None = None,
        fingerprint: str = "",
        exact: bool = False,
        max_cost: float | None = None,
        resume: str | None = None,
    ) -> None:
        if window is not None and not is_count(window):
            raise UsageError(
                f"`window` is {shown(window)}; it must be an integer from 1 up, the number of pages in flight."
            )
        if exact and resume is not None:
            raise UsageError("An exact iteration cannot be resumed: give either `exact` or `resume`.")
        if max_cost is not None and not exact:
            raise UsageError("`max_cost` limits an exact iteration: give it with `exact=True`.")
        if max_cost is not None and (not is_number(max_cost) or max_cost < 1):
            raise UsageError(
                f"`max_cost` is {shown(max_cost)}; it must be a number from 1 up: how many times the requests of a "
                "plain iteration an exact one may send."
            )
        self._fingerprint = fingerprint
        self._operation = fingerprint.partition(" ")[0]
        self._max_cost = max_cost or MAX_COST
        self._is_exact = exact
        start: tuple[PageRequest | None, int] = (
            (None, 0) if resume is None else decode_token(fingerprint, style, resume)
        )
        self._start, self._skip = start
        self.has_changed: bool = False
        """Whether the length of the list has changed between two pages. `list(exact=True)` detects more changes."""
        self._fetch = fetch
        self._prefetch = prefetch or fetch
        self._decode = decode
        self._start_task = start_task
        self._style = style
        self._share = share or FairShare(slots=window or default_window)
        self._width = window or default_window
        self._slow_start = window is None

    def __aiter__(self) -> ItemIterator[T]:
        if not self._is_exact:
            return ItemIterator(self._prefetcher(slow_start=self._slow_start), self._fingerprint, self._skip)
        overlapping = None
        if isinstance(self._style, LimitOffsetPagination):
            overlapping = OverlappingPagination(self._style.limit)
        counter = RequestCounter()

        def start(request: PageRequest | None) -> Prefetcher[T]:
            # A pass that had to go back will probably do so again, and lose what was prefetched.
            return self._prefetcher(overlapping, start=request, slow_start=request is not None, counter=counter)

        return ExactIterator(start, id_of, counter, self._max_cost, overlapping, self._operation)

    def pages(self) -> PageIterator[T]:
        """Return an iterator over the pages; a resumed one begins with the remaining items of its page.

        Raises:
            UsageError: The iteration is exact; it has no pages.
        """
        if self._is_exact:
            raise UsageError("An exact iteration has no pages: use `async for item in …`.")
        return PageIterator(self._prefetcher(slow_start=self._slow_start), self._skip)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return the items as a list.

        Args:
            limit: How many items to return at most, from the start; None for all.

        Raises:
            PaginationError: Pages contradict each other, or an exact iteration is not proven to be complete. The
                error's `items` are those that were read.
        """
        if limit is not None and not is_count(limit, least=0):
            raise UsageError(f"`limit` is {shown(limit)}; it must be the number of items wanted, or None for all.")
        items: list[T] = []
        if limit == 0:
            return items
        try:
            await self._collect(items, limit)
        except PaginationError as error:
            error.items = items
            raise
        return items[:limit]

    async def _collect(self, items: list[T], limit: int | None) -> None:
        if self._is_exact or self._start is not None:
            async for item in self:
                items.append(item)
                if len(items) == limit:
                    break
            return
        prefetcher = self._prefetcher(slow_start=limit is not None)
        try:
            while (page := await prefetcher.next()) is not None:
                items += page.items
                if limit is not None and len(items) >= limit:
                    break
        finally:
            prefetcher.close()

    async def first(self) -> T | None:
        """Return the first item, or None if the list is empty. It requests one page."""
        items = await self.collect(1)
        return items[0] if items else None

    @short_traceback
    async def count(self) -> int:
        """Return the number of items: the total that the first page states, or else by iterating."""
        start = self._style.first()
        response = await self._fetch(start.params)
        try:
            page = self._decode(response, start.number)
        except Exception as error:  # noqa: BLE001 - a page must not raise anything but our own errors
            raise (decode_failure(self._operation, error) or error) from None
        if page.total_items is not None:
            return page.total_items
        total = 0
        async for _ in self:
            total += 1
        return total

    def _prefetcher(
        self,
        style: PaginationStyle | None = None,
        *,
        start: PageRequest | None = None,
        slow_start: bool,
        counter: RequestCounter | None = None,
    ) -> Prefetcher[T]:
        return Prefetcher(
            self._fetch if counter is None else counter.counting(self._fetch),
            self._prefetch if counter is None else counter.counting(self._prefetch),
            self._decode,
            self._start_task,
            style or self._style,
            self._share,
            width=self._width,
            slow_start=slow_start,
            start=start or self._start,
            operation=self._operation,
            on_length_change=self._on_length_change,
        )

    def _on_length_change(self) -> None:
        self.has_changed = True

    if not TYPE_CHECKING:  # Type checkers report these mistakes only if they do not see the methods.

        def __await__(self) -> NoReturn:
            raise MisuseError(
                "A paginator cannot be awaited: write `async for item in ….list()`, or `await ….list().collect()`."
            )

        def __iter__(self) -> NoReturn:
            raise MisuseError(
                "A paginator needs `async for`: write `async for item in ….list()`, or iterate over "
                "`await ….list().collect()`."
            )

        def __len__(self) -> NoReturn:
            raise MisuseError("A paginator has no len(): write `await ….list().count()`.")

        def __bool__(self) -> NoReturn:
            raise MisuseError(
                "A paginator is neither true nor false: write `await ….list().first() is not None` to find out whether "
                "the list has items."
            )

        def __getitem__(self, index: object) -> NoReturn:
            raise MisuseError(
                f"A paginator has no item [{shown(index)}]: write `await ….list().first()`, or collect the items first "
                "with `await ….list().collect(limit=…)`."
            )
