"""The suppression list: numbers that a session never reaches."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from inspect import isawaitable
from typing import Any, cast

from tingting_async.errors import GuardError, UsageError
from tingting_async.recipients.iterators import hides_its_past, was_begun
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.recipient_list import RecipientList
from tingting_async.recipients.rejects import InputRow

ROWS_PER_TURN = 500
"""The number of rows that are read before other tasks run."""
_SHOWN = 3
"""The maximum number of rows that an error shows."""

_USED = (
    "`suppressed` is an iterator that was read before, or that is empty, so numbers may be missing. Give a list, or a "
    "function that returns a new list for each call."
)

SuppressedSource = Iterable[Any] | Callable[[], Any]
"""Numbers or recipients; or a function that returns them, or an awaitable or async iterable of them."""


class Suppressed:
    """The suppression list: the numbers that are never reached.

    Args:
        given: What the user gave.

    Raises:
        UsageError: It is not a list of numbers, or a row cannot be read.
    """

    def __init__(self, given: SuppressedSource) -> None:
        self._read = given if callable(given) else None
        self._numbers = frozenset[str]()
        self._last: object = None
        """The iterator that the function returned last."""
        if self._read is None:
            rows = _Rows(given)
            for row, value in enumerate(rows.given):
                rows.add(row, value)
            self._numbers = rows.finish()

    async def numbers(self, operation: str) -> frozenset[str]:
        """Return the national digits of the numbers; a function is called for them again.

        Args:
            operation: The operation that needs them, for the error.

        Raises:
            GuardError: The list cannot be read, or a row of it.
        """
        if self._read is None:
            return self._numbers
        try:
            given = self._read()
            if isawaitable(given):
                given = await given
            rows, row = _Rows(given, self._last), 0
            self._last = given if isinstance(given, Iterator | AsyncIterator) else None
            async for value in _iterate(rows.given):
                rows.add(row, value)
                row += 1
                if row % ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
            return rows.finish()
        except UsageError as error:
            raise self._unreadable(operation, str(error), error.problems) from error
        except Exception as error:
            said = f"The function `suppressed` raised {type(error).__name__}."
            raise self._unreadable(operation, said) from error

    @property
    def given(self) -> SuppressedSource:
        """What can be read again: the function, or the numbers of the list, which may have been an iterator."""
        return self._numbers if self._read is None else self._read

    @staticmethod
    def _unreadable(operation: str, said: str, problems: tuple[tuple[str, str], ...] = ()) -> GuardError:
        text = f"{operation}: nothing was sent, because the suppression list cannot be read. {said}"
        return GuardError(text, guard="suppressed", operation=operation, problems=problems)


async def _iterate(given: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(given, AsyncIterable):
        async for value in given:
            yield value
    else:
        for value in given:
            yield value


class _Rows:
    """The rows of a suppression list that were read so far, and those that cannot be read.

    Args:
        given: The list.
        last: The iterator that was read last.
    """

    def __init__(self, given: object, last: object = None) -> None:
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable | AsyncIterable):
            raise UsageError(
                f"`suppressed` must be a list of numbers, a RecipientList, or a function that returns one of them, not "
                f"{type(cast('object', given)).__name__}."
            )
        given = cast("Iterable[Any] | AsyncIterable[Any]", given)
        if given is last or was_begun(given):
            raise UsageError(_USED)
        # A RecipientList yields only the rows without problems. The numbers of the other rows are not reached either.
        self.given: Any = given.input_rows() if isinstance(given, RecipientList) else given
        """The iterable of the rows."""
        self._may_be_used_up = hides_its_past(given)
        self._numbers = set[str]()
        said = (
            "it was taken for headers or a title, and may be somebody's row. Remove it if it is a title; if not, read "
            "the list with `has_header=`."
        )
        doubtful = given.doubtful_rows if isinstance(given, RecipientList) else ()
        self._problems: list[tuple[str, str]] = [(f"row {row}", f"Row {row}: {said}") for row in doubtful]

    def add(self, row: int, value: Any) -> None:
        """Read a row: a number, or an object that has one."""
        self._may_be_used_up = False
        if isinstance(value, InputRow):
            if value.number is not None:
                self._numbers.add(value.number)
            elif value.problem is not None:
                which, _, said = value.problem.message.partition(", ")  # The message begins with its row.
                self._problems.append((f"row {value.row}", f"{which}: {said}"))
            return
        where = f"row {value.row}" if hasattr(value, "row") else f"suppressed[{row}]"
        try:
            self._numbers.add(phone_number(getattr(value, "number", value), where))
        except UsageError as error:
            self._problems.append((where, str(error)))

    def finish(self) -> frozenset[str]:
        """Return the numbers.

        Raises:
            UsageError: A row cannot be read.
        """
        if self._problems:
            said = " ".join(what for _, what in self._problems[:_SHOWN])
            more = f" And {len(self._problems) - _SHOWN} more." if len(self._problems) > _SHOWN else ""
            raise UsageError(f"`suppressed` has rows that cannot be read. {said}{more}", problems=tuple(self._problems))
        if self._may_be_used_up:
            raise UsageError(_USED)
        return frozenset(self._numbers)
