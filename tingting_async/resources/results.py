"""What became of the recipients of many campaigns."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tingting_async.errors import NotFoundError, SessionClosedError, UsageError
from tingting_async.pagination.iterators import ItemIterator
from tingting_async.pagination.stream import RowIterator
from tingting_async.resources.concurrency import StartTask
from tingting_async.tracebacks import short_traceback


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> int:
        """The id."""
        ...


C = TypeVar("C", bound=Identified)
P = TypeVar("P")
R = TypeVar("R")

_END: Any = object()


class _Recipients(Generic[C, P]):
    """The recipients of one campaign. A separate task fetches the first one."""

    def __init__(self, campaign: C, iterator: ItemIterator[P]) -> None:
        self.campaign = campaign
        self.iterator = iterator
        self._first: asyncio.Task[None] | None = None
        self._outcome: list[P] | BaseException | None = None
        self.has_begun: bool = False
        """Whether a recipient was delivered."""

    def start(self, start_task: StartTask) -> "asyncio.Task[None]":
        self._first = start_task(self._fetch_first())
        return self._first

    async def _fetch_first(self) -> None:
        try:
            self._outcome = [recipient] if (recipient := await anext(self.iterator, _END)) is not _END else []
        except Exception as error:  # noqa: BLE001 - raised when the consumer reaches this campaign
            self._outcome = error
        except asyncio.CancelledError:
            await self.iterator.aclose()  # Now, because the garbage collector may come late.
            raise

    async def next(self) -> P:
        """Return the next recipient; `_END` after the last one."""
        if self._first is not None:
            await asyncio.wait([self._first])  # Not cancelled if the consumer is: its result is delivered later.
            self._first, outcome = None, self._outcome
            if outcome is None:
                raise SessionClosedError("The session was closed while a campaign's recipients were being fetched.")
            if isinstance(outcome, BaseException):
                raise outcome
            recipient = outcome[0] if outcome else _END
        else:
            recipient = await anext(self.iterator, _END)
        self.has_begun = True
        return recipient


class ResultIterator(RowIterator[R], Generic[C, P, R]):
    """Iterates over the recipients of many campaigns, one campaign after the other; see `campaigns.results`.

    It is not a generator, so it cannot yield inside a task group or a cancel scope (PEP 789). For the campaigns ahead,
    only the first page of recipients is requested.

    Args:
        lists: The lists of campaigns. A campaign that is in several of them counts once.
        list_recipients: Returns an iterator over a campaign's recipients.
        make_row: Makes a row of a campaign and a recipient; None for no row.
        start_task: Starts a task that ends with the session.
        concurrency: The maximum number of campaigns that are requested at the same time.
    """

    _usage = "write `async for row in ….campaigns.results(…)`, or `await ….campaigns.results(…).collect()`"

    def __init__(
        self,
        lists: Sequence[ItemIterator[C]],
        list_recipients: Callable[[C], ItemIterator[P]],
        make_row: Callable[[C, P], R | None],
        start_task: StartTask,
        *,
        concurrency: int,
    ) -> None:
        self._lists: deque[ItemIterator[C]] = deque(lists)
        self._list_recipients = list_recipients
        self._make_row = make_row
        self._start_task = start_task
        self._concurrency = concurrency
        self._loop = asyncio.get_running_loop()
        self._seen: set[int] = set()
        self._ahead: deque[_Recipients[C, P]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_waiting = False
        self._is_closed = False

    @short_traceback
    async def __anext__(self) -> R:
        if self._is_waiting:
            raise UsageError(
                "Two tasks wait for the same iterator: give each task its own, or pass the rows on through a queue."
            )
        self._is_waiting = True
        try:
            while True:
                row = await self._next()
                if row is not None:
                    return row
        finally:
            self._is_waiting = False

    async def aclose(self) -> None:
        """Stop the iteration, and cancel its requests in flight.

        This is optional: its end, `break` and the garbage collector do the same.
        """
        self._is_closed = True
        _cancel(self._tasks)
        lists, self._lists = self._lists, deque()
        ahead, self._ahead = self._ahead, deque()
        for campaigns in lists:
            await campaigns.aclose()
        for recipients in ahead:
            await recipients.iterator.aclose()

    def __del__(self) -> None:
        # Runs after a `break`, which drops the last reference, or later in the garbage collector, in any thread.
        if self._tasks and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_cancel, self._tasks)

    async def _next(self) -> R | None:
        """Return the row of the next recipient; None if it makes none, or the campaign has no more."""
        await self._look_ahead()
        if not self._ahead:
            raise StopAsyncIteration
        recipients = self._ahead[0]
        try:
            recipient = await recipients.next()
        except NotFoundError:
            if recipients.has_begun or self._is_closed:
                raise
            recipient = _END  # The campaign was deleted meanwhile.
        if self._is_closed:
            raise SessionClosedError("The iterator was closed while a campaign's recipients were being fetched.")
        if recipient is _END:
            self._ahead.popleft()
            return None
        return self._make_row(recipients.campaign, recipient)

    async def _look_ahead(self) -> None:
        while self._lists and len(self._ahead) < self._concurrency:
            campaign = await anext(self._lists[0], None)
            if campaign is None:
                self._lists.popleft()
            elif campaign.id not in self._seen:
                self._seen.add(campaign.id)
                recipients = _Recipients(campaign, self._list_recipients(campaign))
                self._tasks.add(task := recipients.start(self._start_task))
                task.add_done_callback(self._tasks.discard)
                self._ahead.append(recipients)


def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in [*tasks]:
        task.cancel()
