"""The suppression list: numbers that a session never reaches."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from inspect import isawaitable
from typing import Any, cast

from tingting_async.errors import GuardError, UsageError
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.recipient_list import RecipientList

ROWS_PER_TURN = 500
"""How many rows are read before other tasks run."""
_SHOWN = 3
"""How many rows an error shows."""

SuppressedSource = Iterable[Any] | Callable[[], Any]
"""Numbers or recipients; or a function that returns them, or an awaitable or async iterable of them."""


class Suppressed:
    """The suppression list: the numbers that are never reached.

    Args:
        given: What the user gave.

    Raises:
        UsageError: It is no list of numbers, or a row cannot be read.
    """

    def __init__(self, given: SuppressedSource) -> None:
        self._read = given if callable(given) else None
        self._numbers = frozenset[str]()
        if self._read is None:
            rows = _Rows(given)
            for row, value in enumerate(cast("Iterable[Any]", given)):
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
            rows = _Rows(given)
            if isinstance(given, AsyncIterable):
                row = 0
                async for value in cast("AsyncIterable[Any]", given):
                    rows.add(row, value)
                    row += 1
            else:
                for row, value in enumerate(cast("Iterable[Any]", given)):
                    rows.add(row, value)
                    if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
                        await asyncio.sleep(0)
            return rows.finish()
        except UsageError as error:
            raise self._unreadable(operation, str(error), error.problems) from error
        except Exception as error:
            said = f"The function `suppressed` raised {type(error).__name__}."
            raise self._unreadable(operation, said) from error

    @staticmethod
    def _unreadable(operation: str, said: str, problems: tuple[tuple[str, str], ...] = ()) -> GuardError:
        text = f"{operation}: nothing was sent, because the suppression list cannot be read. {said}"
        return GuardError(text, guard="suppressed", operation=operation, problems=problems)


class _Rows:
    """The rows of a suppression list that were read so far, and those that cannot be read."""

    def __init__(self, given: object) -> None:
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable | AsyncIterable):
            raise UsageError(
                f"`suppressed` must be a list of numbers, a RecipientList, or a function that returns one of them, not "
                f"{type(cast('object', given)).__name__}."
            )
        self._numbers = set[str]()
        self._problems: list[tuple[str, str]] = []
        # A RecipientList yields only the rows without problems. Of the others, too, the numbers are not reached.
        for each in given.input_rows() if isinstance(given, RecipientList) else ():
            if each.number is not None:
                self._numbers.add(each.number)
            elif each.problem is not None:
                self._problems.append((f"row {each.row}", f"Row {each.row}: {each.problem.message}"))

    def add(self, row: int, value: Any) -> None:
        """Read a row: a number, or an object that has one."""
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
        return frozenset(self._numbers)
