"""Checks the phone numbers of many rows, so that one error names all that is wrong."""

import asyncio
from collections.abc import Iterable

from tingting_async.errors import UsageError
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import phone_number
from tingting_async.redaction import mask

MAX_PROBLEMS = 1000
"""How many refused rows an error lists at most."""


ROWS_PER_TURN = 100
"""How many rows are checked before other tasks run. A row takes up to 0.2 ms, if its number is written with spaces."""


class RowChecker:
    """Checks the rows of a call, and collects what is wrong with them, so that one error can name all of it.

    Args:
        name: The name of the argument.
        seen: The numbers of earlier rows, for rows without end: `numbers` is not filled then.
    """

    def __init__(self, name: str, seen: NumberSet | None = None) -> None:
        self.name: str = name
        self.seen: NumberSet | None = seen
        self.numbers: dict[str, int] = {}
        """The numbers that are valid, each with the first row that has it."""
        self._problems: list[tuple[str, str]] = []
        self._count = 0

    def check_number(self, value: str | int, row: int) -> str | None:
        """Return a phone number; None if it is not valid, or is the number of an earlier row."""
        where = f"{self.name}[{row}]"
        try:
            number = phone_number(value, where)
        except UsageError as error:
            self.refuse((where, str(error)))
            return None
        if self.seen is not None:
            if self.seen.add(number):
                return number
            earlier = "an earlier row"
        else:
            if (first := self.numbers.setdefault(number, row)) == row:
                return number
            earlier = f"`{self.name}[{first}]`"
        same = f"the same as {earlier} ({mask(number)}): that person would be reached twice."
        self.refuse((where, f"`{where}` is {same}"))
        return None

    def refuse(self, *problems: tuple[str, str]) -> None:
        """Note problems: the place of each, and what is wrong there."""
        self._count += len(problems)
        self._problems += problems[: MAX_PROBLEMS - len(self._problems)]

    def finish(self) -> None:
        """Raise an error if there is a problem.

        Raises:
            UsageError: Its text has the first three problems, its `problems` the first thousand.
        """
        if self._count:
            more = f" And {self._count - 3} more, see `problems` of this error." if self._count > 3 else ""
            text = " ".join(said for _, said in self._problems[:3]) + more
            raise UsageError(text, problems=tuple(self._problems))


async def phone_numbers(values: Iterable[str | int], name: str = "numbers") -> list[str]:
    """Return several phone numbers. Other tasks run while they are checked.

    Raises:
        UsageError: There are none, one is not valid, or one is given twice, which would mean two calls. `problems`
            lists the numbers that were refused.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of numbers, not {type(values).__name__}.")
    checker = RowChecker(name)
    for row, value in enumerate(list(values)):  # Other tasks may change the collection meanwhile.
        if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
        checker.check_number(value, row)
    checker.finish()
    if not checker.numbers:
        raise UsageError(f"`{name}` is empty.")
    return list(checker.numbers)
