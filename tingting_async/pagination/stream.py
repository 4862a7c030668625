"""Rows that are not a list of the service, and arrive one by one."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from typing import Generic

from tingting_async.errors import UsageError
from tingting_async.pagination.iterators import AsyncForIterator, NeedsAsyncFor
from tingting_async.pagination.page import T
from tingting_async.quantities import is_count, shown


class RowIterator(AsyncForIterator[T]):
    """Iterates over the rows of a stream."""

    @abstractmethod
    async def aclose(self) -> None:
        """Stop the iteration. This is optional: its end, `break` and the garbage collector do the same."""


class RowStream(NeedsAsyncFor, Generic[T]):
    """Rows that arrive one by one, so that they need not be in memory together.

    ::

        async for row in tingting.reports.rows(campaign_id): ...
        rows = await tingting.reports.rows(campaign_id).collect()

    Nothing is requested before the iteration starts. Each iteration starts anew.
    """

    def __init__(self, start: Callable[[], RowIterator[T]], operation: str) -> None:
        self._start = start
        self._usage = f"write `async for row in ….{operation}(…)`, or `await ….{operation}(…).collect()` for a list"

    def __aiter__(self) -> RowIterator[T]:
        return self._start()

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return the rows as a list.

        Args:
            limit: How many rows to return at most, from the start; None for all.
        """
        if limit is not None and not is_count(limit, least=0):
            raise UsageError(f"`limit` is {shown(limit)}; it must be the number of rows wanted, or None for all.")
        rows: list[T] = []
        if limit == 0:
            return rows
        async with aclosing(self._start()) as iterator:
            async for row in iterator:
                rows.append(row)
                if len(rows) == limit:
                    break
        return rows
