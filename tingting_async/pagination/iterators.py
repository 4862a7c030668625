"""The iterators behind `async for`: over the items of a list, and over its pages.

Neither is a generator, so neither can yield inside a task group or a cancel scope (PEP 789).
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from operator import length_hint
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from tingting_async.errors import MisuseError, UsageError
from tingting_async.pagination.page import Page, PageRequest, T
from tingting_async.pagination.prefetch import Prefetcher
from tingting_async.pagination.styles import PaginationStyle
from tingting_async.quantities import shown

MAX_POSITION = 10**15
"""A length that no list reaches."""


class NeedsAsyncFor:
    """An object that says what to write if it is used without `async for`."""

    _usage: str
    """What to write, e.g. "write `async for page in ….list().pages()`"."""

    if not TYPE_CHECKING:  # Type checkers report these mistakes only if they do not see the methods.

        def __await__(self) -> NoReturn:
            raise MisuseError(f"{type(self).__name__} cannot be awaited: {self._usage}.")

        def __iter__(self) -> NoReturn:
            raise MisuseError(f"{type(self).__name__} needs `async for`: {self._usage}.")

        def __len__(self) -> NoReturn:
            raise MisuseError(f"{type(self).__name__} has no len(): {self._usage}, and count.")

        def __bool__(self) -> NoReturn:
            raise MisuseError(f"{type(self).__name__} is neither true nor false: {self._usage}.")

        def __getitem__(self, index: object) -> NoReturn:
            raise MisuseError(f"{type(self).__name__} has no item [{shown(index)}]: {self._usage}.")


class AsyncForIterator(NeedsAsyncFor, AsyncIterator[T]):
    """An iterator that says what to write if it is used without `async for`."""


class _Iterator(AsyncForIterator[T]):
    def __init__(self, prefetcher: Prefetcher[Any]) -> None:
        self._prefetcher = prefetcher

    async def aclose(self) -> None:
        """Stop the iteration and cancel its requests in flight.

        This is optional: the end of the list, `break` and the garbage collector do the same.
        """
        self._prefetcher.close()


class PageIterator(_Iterator[Page[T]]):
    """Iterates over the pages of a list; see `Paginator.pages`."""

    _usage = "write `async for page in ….list().pages()`"

    def __init__(self, prefetcher: Prefetcher[T], skip: int = 0) -> None:
        super().__init__(prefetcher)
        self._skip = skip

    async def __anext__(self) -> Page[T]:
        while True:
            page = await self._prefetcher.next()
            if page is None:
                raise StopAsyncIteration
            skip, self._skip = self._skip, 0
            if not skip:
                return page
            if rest := page.items[skip:]:
                return attrs.evolve(page, items=rest)


class ItemIterator(_Iterator[T]):
    """Iterates over the items of a list; see `Paginator`."""

    _usage = "write `async for item in ….list()`, or `await ….list().collect()`"
    _items: Iterator[T] = iter(())
    _end = 0
    """How many items of the page will have been delivered at the end of `_items`."""

    def __init__(self, prefetcher: Prefetcher[T], fingerprint: str = "", skip: int = 0) -> None:
        super().__init__(prefetcher)
        self._fingerprint = fingerprint
        self._skip = skip

    @property
    def resume_token(self) -> str | None:
        """The `resume` argument with which the same list continues after the last item, even in another process.

        None at the end of the list. The token names a position, not an item. If items before it are added or deleted,
        the position moves.

        Raises:
            UsageError: The iteration is exact.
        """
        request = self._prefetcher.page_request
        if request is None:
            return None
        return encode_token(self._fingerprint, request, self._skip + self._end - length_hint(self._items))

    async def aclose(self) -> None:
        """Stop the iteration and cancel its requests in flight.

        This is optional: the end of the list, `break` and the garbage collector do the same.
        """
        self._items, self._end = iter(()), self._end - length_hint(self._items)
        await super().aclose()

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            page = await self._prefetcher.next()
            if page is None:
                raise StopAsyncIteration
            # Reset `_skip` only now: after a failure or a timeout, the next page still has items to skip.
            self._items, self._end, self._skip = iter(page.items[self._skip :]), max(self._skip, len(page.items)), 0


def encode_token(fingerprint: str, request: PageRequest, delivered: int) -> str:
    """Return the resume token of a position.

    Args:
        fingerprint: Identifies the list: its operation, path and filters.
        request: The request for the current page.
        delivered: How many items of that page have been delivered.
    """
    state = [request.params, request.number, delivered]
    return base64.urlsafe_b64encode(json.dumps([*state, _checksum(fingerprint, state)]).encode()).decode()


def decode_token(fingerprint: str, style: PaginationStyle, token: str) -> tuple[PageRequest, int]:
    """Return the page request in a resume token, and how many items of that page have been delivered.

    Raises:
        UsageError: The token is invalid, or it belongs to another operation, another campaign or other filters.
    """
    try:
        *state, checksum = json.loads(base64.urlsafe_b64decode(token))
        if checksum == _checksum(fingerprint, state):
            params, number, delivered = state
            request = PageRequest(tuple((_text(name), _text(value)) for name, value in params), number)
            # Anybody who knows the list can compute a checksum, so nothing else is trusted either.
            if (
                all(type(value) is int and 0 <= value < MAX_POSITION for value in (number, delivered))
                and style.is_own(request)
                and encode_token(fingerprint, request, delivered) == token
            ):
                return request, delivered
    except (ValueError, TypeError, RecursionError):
        pass
    raise UsageError(
        f"`resume` is not a token of this list ({fingerprint.partition(' ')[0]}): use the `resume_token` of an "
        "iterator over the same list with the same filters."
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    value.encode()  # Raises UnicodeEncodeError, a ValueError, for half of a surrogate pair.
    return value


def _checksum(fingerprint: str, state: list[Any]) -> str:
    """Return the hash that ties a token to its list. It is not a secret, and it does not reveal the filters."""
    return hashlib.sha256(json.dumps([fingerprint, state]).encode()).hexdigest()[:32]
