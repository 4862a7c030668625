"""Checks the contacts or numbers that a call is given, one by one."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from tingting_async.errors import UsageError
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.row_checker import RowChecker
from tingting_async.redaction import mask
from tingting_async.resources.models import NewContact

Encode = Callable[[str, Any, str], bytes]
"""Returns a number and its variables as JSON text. The last argument is the row's place, for errors."""


class Checker:
    """Checks rows, and collects what is wrong with them.

    Args:
        place: Returns how errors name a row.
        encode: Encodes a row.
        rows: All rows from 0; None if there may be no end of them, or they are numbered otherwise.
        mobile_only: Whether to refuse landlines.
    """

    def __init__(
        self, place: Callable[[int], str], encode: Encode, rows: Sequence[Any] | None, *, mobile_only: bool
    ) -> None:
        self.problems: dict[int, list[tuple[str, str]]] = {}
        """The place and the text of each problem, by row."""
        self._place = place
        self._encode = encode
        self._rows = rows
        self._mobile_only = mobile_only
        self._first: dict[str, int] = {}
        """The first row of each number, if all rows are known."""
        self._seen = NumberSet()
        """The numbers of an iterator."""

    def check(self, given: Any, row: int) -> bytes | None:
        """Return a row as JSON text; None if it has a problem."""
        number, variables = self._parts(given, row)
        where, digits, body = self._place(row), None, None
        try:
            digits = phone_number(number, where, mobile_only=self._mobile_only)
        except UsageError as error:
            self._refuse(row, (where, str(error)))
        try:
            body = self._encode(digits or "", variables, where)
        except UsageError as error:
            self._refuse(row, *(error.problems or ((f"{where}.variables", str(error)),)))
        return body if digits is not None and body is not None and self._is_new(digits, body, row) else None

    def _is_new(self, digits: str, body: bytes, row: int) -> bool:
        """Return whether no earlier row has the number."""
        if self._rows is None:
            if self._seen.add(digits):
                return True
            earlier = "an earlier row"
        else:
            if (first := self._first.setdefault(digits, row)) == row:
                return True
            earlier = f"`{self._place(first)}`"
            if first not in self.problems and self._has_other_values(first, digits, body):
                said = f"has other values than `{self._place(row)}`, which has the same number: keep the right one."
                self._refuse(first, (self._place(first), f"`{self._place(first)}` ({mask(digits)}) {said}"))
        same = f"the same as {earlier} ({mask(digits)}): that person would be reached twice."
        self._refuse(row, (self._place(row), f"`{self._place(row)}` is {same}"))
        return False

    def _has_other_values(self, first: int, digits: str, body: bytes) -> bool:
        """Return whether the first row of a number differs in its variables, so that nobody knows which is right."""
        assert self._rows is not None, "all rows are known"
        return self._encode(digits, self._parts(self._rows[first], first)[1], self._place(first)) != body

    def _parts(self, given: Any, row: int) -> tuple[Any, Any]:
        """Return the number and the variables of a row.

        Raises:
            UsageError: It is not a row at all.
        """
        if isinstance(given, NewContact) or (hasattr(given, "variables") and hasattr(given, "row")):
            return given.number, given.variables
        if isinstance(given, str) or not isinstance(given, Collection):
            return given, {}
        kind = type(cast("object", given)).__name__
        raise UsageError(
            f"`{self._place(row)}` must be a phone number, a `NewContact` or a `Recipient`, not {kind}. Write "
            "`NewContact(number, {...})` for a number with variables; for the rows of a table, give "
            "`RecipientList.from_rows(...)`."
        )

    def _refuse(self, row: int, *problems: tuple[str, str]) -> None:
        self.problems.setdefault(row, []).extend(problems)

    def raise_problems(self) -> None:
        """Raise an error if a row has a problem.

        Raises:
            UsageError: Its text has the first three problems, its `problems` the first thousand.
        """
        checker = RowChecker()
        for problems in self.problems.values():
            checker.refuse(*problems)
        checker.finish()
