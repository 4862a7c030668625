"""Ends an iteration over a list that would never end, because the service contradicts itself."""

from collections.abc import Hashable, Sequence
from typing import Any

from tingting_async.errors import PaginationError
from tingting_async.pagination.page import Page

MAX_REPEATED = 3
"""The maximum number of pages in a row without a new item. New rows at the start move the others to later pages."""
TOLERANCE = 100
"""How many items more than twice the first total are not compared with each other. A list may grow, or be cached."""


class RepetitionGuard:
    """Looks at the delivered pages of one iteration, and refuses a page that shows that the list may have no end."""

    def __init__(self) -> None:
        self._last: Sequence[Any] = ()
        """The items of the last page that was not empty."""
        self._last_total: int | None = None
        self._first_total: int | None = None
        """The first length of the list that a page stated. Later ones may grow as fast as the iteration advances."""
        self._received = 0
        self._seen: set[Hashable] = set()
        """What identifies the items, once there are more of them than the first total explains."""
        self._empty = 0
        """How many pages in a row were empty."""
        self._repeated = 0
        """How many pages in a row, not counting empty ones, had no new item."""

    def check(self, number: int, page: Page[Any]) -> None:
        """Refuse a page if it has the same items as the one before it, or if too many pages had no new items.

        Raises:
            PaginationError: The iteration might not end.
        """
        items, total = page.items, page.total_items
        if self._first_total is None:
            self._first_total = total
        if items:
            is_same = items == self._last
            self._received += len(items)
            is_repeated = is_same or (
                self._received > 2 * (self._first_total or 0) + TOLERANCE and not self._has_new(items)
            )
            self._repeated = self._repeated + 1 if is_repeated else 0
            if is_same and not self._empty and (total == self._last_total or self._repeated > MAX_REPEATED):
                raise PaginationError(f"Page {number} has the same items as the page before it.", number=number)
            if self._repeated > MAX_REPEATED:
                raise PaginationError(
                    f"Page {number} has only items of earlier pages, and so have the {MAX_REPEATED} pages before it.",
                    number=number,
                )
            self._last, self._last_total, self._empty = items, total, 0
        else:
            self._empty += 1
            if self._empty > max(1, self._first_total or 0):
                raise PaginationError(
                    f"Page {number} is empty, and so are the pages before it: {self._empty} pages in a row.",
                    number=number,
                )

    def _has_new(self, items: Sequence[Any]) -> bool:
        """Return whether an item was not seen before, and remember all of them."""
        before = len(self._seen)
        self._seen.update(map(_identity, items))
        return len(self._seen) > before


def _identity(item: Any) -> Hashable:
    for name in ("id", "sid"):
        identity: Hashable = getattr(item, name, None)
        if identity is not None:
            return identity
    return repr(item)
