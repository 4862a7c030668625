"""The contacts or numbers that a call is given: they are read and checked, and come out as chunks of valid rows."""

import asyncio
from array import array
from collections import deque
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import attrs

from tingting_async.errors import UsageError
from tingting_async.http.json import dumps, loads
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import NepaliNumber, phone_number
from tingting_async.recipients.row_checker import MAX_PROBLEMS, ROWS_PER_TURN, RowChecker
from tingting_async.redaction import mask
from tingting_async.resources.add_progress import BaseAddProgress
from tingting_async.resources.add_results import RowStatus
from tingting_async.resources.models import NewContact
from tingting_async.rows import Rows


class ReadyContact(Protocol):
    """A contact of a `RecipientList`."""

    @property
    def number(self) -> str:
        """The phone number: its national digits."""
        ...

    @property
    def variables(self) -> Mapping[str, Any]:
        """The values of the message's placeholders, by name."""
        ...

    @property
    def row(self) -> int:
        """The row, as the file shows it."""
        ...


@runtime_checkable
class ReadyList(Protocol):
    """A `RecipientList`: contacts without problems, and the problems of the other rows."""

    @property
    def problems(self) -> Sequence[Any]:
        """The problems: each has a `row` and a `message`."""
        ...

    def __iter__(self) -> Any:
        """Iterate over the contacts without problems."""
        ...

    def __len__(self) -> int:
        """Return how many contacts have no problem."""
        ...


GivenContact = NewContact | ReadyContact | NepaliNumber | str | int
GivenContacts = Iterable[GivenContact] | AsyncIterable[GivenContact]

Encode = Callable[[str, Any, str], bytes]
"""Returns a number and its variables as JSON text. The last argument is the row's place, for errors."""

_SHOWN = 3
"""How many problems the text of an error shows."""


@attrs.frozen(eq=False, repr=False)
class Chunk:
    """The rows of one request."""

    rows: Rows
    body: bytes = attrs.field(repr=False)
    """The rows in JSON, with commas between them."""

    def items(self) -> list[dict[str, Any]]:
        """Return the rows as the service gets them, in their order."""
        return cast("list[dict[str, Any]]", loads(b"[%b]" % self.body))

    def numbers(self) -> list[str]:
        """Return the phone numbers, in the order of the rows."""
        return [str(item["number"]) for item in self.items()]

    def only(self, is_wanted: Callable[[int, str], bool]) -> "Chunk":
        """Return a chunk of the rows for which a function of row and number returns true."""
        rows = list(zip(self.rows, self.items(), strict=True))
        wanted = [(row, item) for row, item in rows if is_wanted(row, str(item["number"]))]
        if len(wanted) == len(rows):
            return self
        return Chunk(rows_of([row for row, _ in wanted]), b",".join(dumps(item) for _, item in wanted))


def rows_of(rows: Sequence[int]) -> Rows:
    """Return rows that are given one by one, in ascending order."""
    if rows and rows[-1] - rows[0] == len(rows) - 1:
        return Rows(range(rows[0], rows[-1] + 1))
    return Rows(*(range(row, row + 1) for row in rows))


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
            UsageError: It is no row at all.
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


class GivenRows:
    """The rows that a call was given, as chunks of valid rows: a collection, or an iterator, read by one task.

    All rows of a collection are checked before the first chunk is returned. An iterator is read and checked chunk by
    chunk, as it may have no end. Other tasks run while rows are checked.

    Not an async generator: Python 3.11 cannot close one while a coroutine that waits for its next item is closed.

    Args:
        given: The rows.
        name: The name of the argument.
        encode: Encodes a row.
        size: The most rows of a chunk.
        progress: Accounts for the rows.
        skips: Whether rows with a problem are left out.
        mobile_only: Whether landlines have a problem.
    """

    def __init__(
        self,
        given: GivenContacts,
        name: str,
        encode: Encode,
        size: int,
        progress: BaseAddProgress[Any],
        *,
        skips: bool,
        mobile_only: bool = False,
    ) -> None:
        self._name = name
        self._size = size
        self._progress = progress
        self._skips = skips
        self._list = given if isinstance(given, ReadyList) else None
        self._labels: Sequence[int] | None = None
        """The row of each place, as the file of a list shows it."""
        # Other tasks may change the collection meanwhile.
        self._unchecked: list[Any] | None = list(given) if isinstance(given, Collection | ReadyList) else None
        self._checked = deque[Chunk]()
        self._new_checker = partial(Checker, self._place, encode, mobile_only=mobile_only)
        self._is_async = isinstance(given, AsyncIterable)
        self._iterator: Any = None
        if self._unchecked is None:
            self._iterator = aiter(given) if isinstance(given, AsyncIterable) else iter(given)
            self._checker = self._new_checker(None)
        self._end = self._count = 0
        self._is_last = self._iterator is None

    def _place(self, row: int) -> str:
        return f"{self._name}[{row}]" if self._labels is None else f"row {self._labels[row]}"

    async def check(self) -> deque[Chunk] | None:
        """Check all rows of a collection, and return the chunks that `next` has still to return; None for an iterator.

        Raises:
            UsageError: A row is not valid, or there are none. `problems` names the rows.
        """
        if self._unchecked is not None:
            unchecked, self._unchecked = self._unchecked, None
            if self._list is None:
                rows: Sequence[int] = range(len(unchecked))
                self._progress.produced(len(unchecked))
            else:
                if not self._skips:
                    refuse_list_problems(self._list, self._name)
                rows = self._label_rows(unchecked, self._list.problems)
            self._end = len(self._labels) if self._labels else len(unchecked)
            checker = self._new_checker(unchecked if self._list is None else None)
            for start in range(0, len(unchecked), self._size):
                part = slice(start, start + self._size)
                self._checked.append(await self._check(checker, unchecked[part], rows[part]))
            refused = self._drop_problems(checker)
            for _ in range(len(self._checked) if refused else 0):
                chunk = self._checked.popleft()
                if any(row in refused for row in chunk.rows):  # A row is refused late if another one contradicts it.
                    chunk = chunk.only(lambda row, _: row not in refused)
                if chunk.rows:
                    self._checked.append(chunk)
        if self._is_last and not self._end:
            raise UsageError(f"`{self._name}` is empty.")
        return self._checked if self._iterator is None else None

    async def next(self) -> Chunk | None:
        """Return the next chunk; None after the last one.

        Raises:
            UsageError: A row is not valid, or there are none. `problems` names the rows.
        """
        await self.check()
        while not self._is_last:
            given = await self._read()
            self._is_last = len(given) < self._size
            if given:
                chunk = await self._check(self._checker, given, range(self._end, self._end + len(given)))
                self._end += len(given)
                self._drop_problems(self._checker)
                if chunk.rows:
                    return chunk
            await self.check()
        return self._checked.popleft() if self._checked else None

    async def _read(self) -> list[Any]:
        """Return the next rows of the iterator, fewer at its end."""
        rows: list[Any] = []
        while len(rows) < self._size:
            try:
                row = await anext(self._iterator) if self._is_async else next(self._iterator)
            except (StopAsyncIteration, StopIteration):
                break
            self._progress.produced(1)
            rows.append(row)
        return rows

    async def _check(self, checker: Checker, given: Sequence[Any], rows: Sequence[int]) -> Chunk:
        """Return the valid rows among these as a chunk."""
        bodies: list[bytes] = []
        valid: list[int] = []
        for each, row in zip(given, rows, strict=True):
            self._count += 1
            if self._count % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
            if (body := checker.check(each, row)) is not None:
                bodies.append(body)
                valid.append(row)
        return Chunk(rows_of(valid), b",".join(bodies))

    def _label_rows(self, ready: Sequence[ReadyContact], problems: Sequence[Any]) -> Sequence[int]:
        """Return the places of ready contacts among all rows of their list, and leave out the other rows."""
        rows = [*((each.row, "") for each in ready), *((each.row, each.message) for each in problems)]
        rows.sort(key=lambda row: row[0])
        self._labels = array("L", (row for row, _ in rows))
        self._progress.label(self._labels)
        for place, (_, message) in enumerate(rows):
            if message:
                self._progress.mark(Rows(range(place, place + 1)), RowStatus.LEFT_OUT, message)
        return [place for place, (_, message) in enumerate(rows) if not message]

    def _drop_problems(self, checker: Checker) -> dict[int, list[tuple[str, str]]]:
        """Leave out the rows in which the checker has found a problem, and return them.

        Raises:
            UsageError: They are not to be left out.
        """
        if not self._skips:
            checker.raise_problems()
        refused, checker.problems = checker.problems, {}
        for row, problems in refused.items():
            self._progress.mark(Rows(range(row, row + 1)), RowStatus.LEFT_OUT, " ".join(text for _, text in problems))
        return refused

    async def close(self) -> None:
        """Close an iterator that can be closed."""
        if self._is_async and hasattr(self._iterator, "aclose"):
            await self._iterator.aclose()
        elif hasattr(self._iterator, "close"):
            self._iterator.close()


def refuse_list_problems(given: ReadyList, name: str) -> None:
    """Refuse a list with rows that have problems.

    Raises:
        UsageError: There are some. The message says how to go on.
    """
    said = [(f"row {each.row}", str(each.message)) for each in given.problems]
    if said:
        shown = " ".join(text for _, text in said[:_SHOWN])
        more = f" And {len(said) - _SHOWN} more, see `problems` of this error." if len(said) > _SHOWN else ""
        raise UsageError(
            f"Nothing was sent: {len(said)} of the {len(said) + len(given)} rows in `{name}` have problems. "
            f"{shown}{more} Write them to a file with `write_rejects(path)` of the list and correct them, or give "
            '`on_problem="skip"` to leave them out.',
            problems=tuple(said[:MAX_PROBLEMS]),
        )


async def read_all(
    given: GivenContacts, name: str, progress: BaseAddProgress[Any], *, skips: bool, mobile_only: bool
) -> dict[str, int]:
    """Return the phone numbers of rows that are sent in one request, each with its row.

    The arguments are those of `GivenRows`.

    Raises:
        UsageError: A row is not valid, or there is none that can be sent. `problems` names the rows.
    """
    if not isinstance(given, Collection | ReadyList):
        given = [each async for each in given] if isinstance(given, AsyncIterable) else list(given)
    rows = GivenRows(
        given,
        name,
        lambda number, _, __: b'{"number":"%b"}' % number.encode(),
        max(1, len(given)),
        progress,
        skips=skips,
        mobile_only=mobile_only,
    )
    if not (chunks := await rows.check()):
        raise UsageError(f"Nothing was sent: all rows in `{name}` have problems.")
    [chunk] = chunks
    return dict(zip(chunk.numbers(), chunk.rows, strict=True))
