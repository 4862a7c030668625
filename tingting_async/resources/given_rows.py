"""The contacts or numbers that a call is given: they are read and checked, and come out as chunks of valid rows."""

import asyncio
import math
from array import array
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import attrs

from tingting_async.errors import UsageError
from tingting_async.http.json import dumps, loads
from tingting_async.quantities import counted
from tingting_async.recipients.numbers import NepaliNumber
from tingting_async.recipients.row_checker import MAX_PROBLEMS, ROWS_PER_TURN
from tingting_async.resources.add_progress import BaseAddProgress
from tingting_async.resources.add_results import RowStatus
from tingting_async.resources.checker import Checker, Encode
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

_SHOWN = 3
"""The maximum number of problems that the text of an error shows."""


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


class GivenRows:
    """The rows that a call was given, as chunks of valid rows: a collection, or an iterator, read by one task.

    All rows of a collection are checked before the first chunk is returned. An iterator is read and checked chunk by
    chunk, because it may have no end. Other tasks run while rows are checked.

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
        self._unchecked: list[Any] | None = None
        if self._list is not None:
            self._unchecked = []  # A list makes its contacts while they are checked.
        elif isinstance(given, Collection):
            self._unchecked = list(given)  # Other tasks may change the collection meanwhile.
        self._checked = deque[Chunk]()
        self._new_checker = partial(Checker, self._place, encode, mobile_only=mobile_only)
        self._is_async = isinstance(given, AsyncIterable)
        self._iterator: Any = None
        if self._unchecked is None:
            self._iterator = aiter(given) if isinstance(given, AsyncIterable) else iter(given)
            self._checker = self._new_checker(None)
        self.one_shot: object = given if self._iterator is given else None
        """The iterator that the caller gave as such, which nobody can read a second time; None if there is none."""
        self.has_begun: bool = False
        """Whether the iterator was begun."""
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
                checker = await self._check_collection(unchecked)
            else:
                if not self._skips:
                    refuse_list_problems(self._list, self._name)
                checker = await self._check_list(self._list)
            refused = self._drop_problems(checker)
            for _ in range(len(self._checked) if refused else 0):
                chunk = self._checked.popleft()
                if any(row in refused for row in chunk.rows):  # A row is refused late if another one contradicts it.
                    chunk = chunk.only(lambda row, _: row not in refused)
                if chunk.rows:
                    self._checked.append(chunk)
        if self._is_last and not self._end:
            raise _no_rows(self._name, self.one_shot)
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
        self.has_begun = True
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

    async def _check_collection(self, given: Sequence[Any]) -> Checker:
        """Check all rows of a collection."""
        checker, self._end = self._new_checker(given), len(given)
        self._progress.produced(len(given))
        for start in range(0, len(given), self._size):
            rows = range(start, min(start + self._size, len(given)))
            self._checked.append(await self._check(checker, given[start : rows.stop], rows))
        return checker

    async def _check_list(self, given: ReadyList) -> Checker:
        """Check the ready contacts of a list. Their places are those among all its rows; the others are left out."""
        checker, labels, left_out = self._new_checker(None), array("L"), dict[int, str]()
        self._labels, problems = labels, deque(sorted(given.problems, key=lambda each: each.row))
        part, places = list[Any](), list[int]()

        def leave_out(before: float) -> None:
            while problems and problems[0].row < before:
                left_out[len(labels)] = problems[0].message
                labels.append(problems.popleft().row)

        try:
            for each in given:
                leave_out(each.row)
                part.append(each)
                places.append(len(labels))
                labels.append(each.row)
                if len(labels) % ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
                if len(part) == self._size:
                    self._checked.append(await self._check(checker, part, places))
                    part, places = [], []
            leave_out(math.inf)
            if part:
                self._checked.append(await self._check(checker, part, places))
        finally:
            self._end = len(labels)
            self._progress.label(labels)
            for place, message in left_out.items():
                self._progress.mark(Rows(range(place, place + 1)), RowStatus.LEFT_OUT, message)
        return checker

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
        """Close an iterator that can be closed. One that was not begun stays open, because it may be given again."""
        if not self.has_begun:
            return
        if self._is_async and hasattr(self._iterator, "aclose"):
            await self._iterator.aclose()
        elif hasattr(self._iterator, "close"):
            self._iterator.close()


def _no_rows(name: str, iterator: object) -> UsageError:
    """Return the error for no rows at all."""
    if iterator is None:
        return UsageError(f"`{name}` is empty.")
    return UsageError(f"`{name}` is empty, or an iterator that was read before. Give a list, or a new iterator.")


def refuse_list_problems(given: ReadyList, name: str) -> None:
    """Refuse a list with rows that have problems.

    Raises:
        UsageError: There are some. The message says how to continue.
    """
    said = [(f"row {each.row}", str(each.message)) for each in given.problems]
    if said:
        shown = " ".join(text for _, text in said[:_SHOWN])
        more = f" And {len(said) - _SHOWN} more, see `problems` of this error." if len(said) > _SHOWN else ""
        have_problems = "has a problem" if len(said) == 1 else "have problems"
        raise UsageError(
            f"Nothing was sent: {len(said)} of the {counted(len(said) + len(given), 'row')} in `{name}` "
            f"{have_problems}. {shown}{more} Write them to a file with `write_rejects(path)` of the list and correct "
            'them, or give `on_problem="skip"` to leave them out.',
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
        iterator = given
        given = [each async for each in given] if isinstance(given, AsyncIterable) else list(given)
        if not given and isinstance(iterator, Iterator | AsyncIterator):
            raise _no_rows(name, iterator)
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
