"""A list of recipients, read from a spreadsheet or from rows."""

import asyncio
import os
from array import array
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import chain, count
from typing import Any, Self, cast, overload

import attrs

from tingting_async.errors import MisuseError, UsageError
from tingting_async.persistence import run_in_thread
from tingting_async.recipients.builder import ListBuilder
from tingting_async.recipients.files import open_rows, resolve
from tingting_async.recipients.iterators import hides_its_past, was_begun
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.options import Options
from tingting_async.recipients.problems import RowProblem, require_type
from tingting_async.recipients.python_rows import RowReader
from tingting_async.recipients.rejects import InputRow, write_rejects
from tingting_async.recipients.values import Cell
from tingting_async.redaction import mask_repr, redact
from tingting_async.tracebacks import short_traceback

_ROWS_PER_TURN = 100
"""The number of rows that are taken before other tasks run."""


@attrs.frozen
class Recipient:
    """A person to be called or texted. Its `repr` does not show the values.

    Attributes:
        number: The phone number's digits, without the country code.
        variables: The values of the message's placeholders, by the headers of their columns.
        row: The number of the row, as the spreadsheet shows it.
    """

    number: str = attrs.field(repr=mask_repr)
    variables: Mapping[str, Cell] = attrs.field(repr=False)
    row: int


@attrs.frozen
class ListSummary:
    """How many rows a list has, and what was decided about them. `str()` of it is a text to show.

    Attributes:
        rows: The number of rows of the input: without titles, headers, empty rows and totals.
        ready: The number of those that are ready.
        problems: The number of rows that are left out, by the kind of their problem.
        skipped: The number of totals and repeated headers.
        notes: What was decided about the file and its columns.
    """

    rows: int
    ready: int
    problems: Mapping[str, int]
    skipped: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.ready} of {self.rows} rows {'is' if self.ready == 1 else 'are'} ready."]
        parts += [f"{count} left out: {kind}." for kind, count in self.problems.items()]
        return "\n".join((*parts, *(f"{note}." for note in self.notes)))


class RecipientList(Sequence[Recipient]):
    """The recipients of a file or of rows: each row is ready, or has a problem.

    As a sequence, it has the recipients that are ready, in the order of the input. Make one with `read` or `from_rows`.
    """

    def __init__(self, builder: ListBuilder, notes: Iterable[str] = ()) -> None:
        if not isinstance(builder, ListBuilder):  # It looks as if it took rows.
            raise MisuseError(
                "Make a `RecipientList` by `await RecipientList.read(path)` or `await RecipientList.from_rows(rows)`."
            )
        self._builder = builder
        self._notes = tuple(notes)
        self._ready = array("L", (place for place in range(len(builder.rows)) if place not in builder.problems))
        self._columns = [index for index in range(len(builder.columns.names)) if index not in builder.columns.ours]

    @classmethod
    @short_traceback
    async def read(
        cls,
        path: str | os.PathLike[str],
        *,
        number: str | None = None,
        sheet: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        has_header: bool | None = None,
        mobile_only: bool = False,
        split_numbers: bool = False,
        allow_unknown_prefix: bool = False,
        allow_padded: bool = False,
        besides: Iterable[Any] = (),
    ) -> Self:
        """Read a file in worker threads.

        Args:
            path: A file with the suffix .csv, .xlsx, .xls or .ods. All but .csv need the extra `sheets`.
            number: The header or the letters of the column with the phone numbers. By default, it is found.
            sheet: The name of the sheet. By default, the only one that is visible and not empty.
            encoding: The encoding of a .csv file. By default, UTF-8, or UTF-16 if the file begins with its mark.
            delimiter: The delimiter of a .csv file. By default, it is detected: `,`, `;`, `|` or a tab.
            has_header: Whether a row has the headers. By default, it is found out.
            mobile_only: Whether to leave out landlines, which cannot receive texts.
            split_numbers: Whether to take each number of a cell that has several. By default, such a row is left out.
            allow_unknown_prefix: Whether to take numbers of the right length whose prefix no known number has.
            allow_padded: Whether to take numbers that end in so many zeros that a spreadsheet may have replaced digits
                by zeros, or that they may be amounts.
            besides: People who are reached in another way, and are left out as duplicates: another list, whose ready
                rows and own `besides` count; or an iterable of lists, phone numbers, or objects with a `number`.

        Raises:
            UsageError: The file cannot be read, is malformed, or does not show which column has the phone numbers; or
                `besides` has something other than phone numbers, or is an iterator that was read before, or that has
                nothing. The message says what to do.
        """
        require_type(str, sheet=sheet, encoding=encoding, delimiter=delimiter)
        others = await cls._numbers_of(besides)
        options = Options(number, has_header, mobile_only, split_numbers, allow_unknown_prefix, allow_padded, others)
        return await run_in_thread(
            lambda: cls._read(path, options, sheet=sheet, encoding=encoding, delimiter=delimiter)
        )

    @classmethod
    def _read(cls, path: str | os.PathLike[str], options: Options, **how: str | None) -> Self:
        resolved = resolve(path)
        try:
            source = open_rows(resolved, **how)
        except OSError as error:
            raise UsageError(f"`path` cannot be read: {error.strerror} ({redact(str(path))!r}).") from None
        builder = ListBuilder(options, is_file=True)
        for row, cells in source.rows:
            builder.add(row, cells)
        if builder.is_empty:
            raise UsageError(
                "No column with phone numbers was found: `path` has no rows. The file is empty, or has only empty "
                f"cells ({redact(str(path))!r})."
            )
        builder.finish()
        return cls(builder, source.notes)

    @classmethod
    @short_traceback
    async def from_rows(
        cls,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        number: str | None = None,
        has_header: bool | None = None,
        mobile_only: bool = False,
        split_numbers: bool = False,
        allow_unknown_prefix: bool = False,
        allow_padded: bool = False,
        besides: Iterable[Any] = (),
    ) -> Self:
        """Take rows from Python. Other tasks run meanwhile.

        Args:
            rows: Mappings, tuples or phone numbers, in an iterable, an async iterable, or a DataFrame of pandas or
                Polars. Rows count from 1.
            number: The key of the phone numbers; for tuples, the header or the letters of their place. By default, it
                is found.
            has_header: Whether the first tuple has headers. By default, it is found out.
            mobile_only: See `read`.
            split_numbers: See `read`.
            allow_unknown_prefix: See `read`.
            allow_padded: See `read`. A mobile number in a contact, or given as a bare string or integer, is taken in
                any case. The cells of other rows may be those of a spreadsheet.
            besides: See `read`.

        Raises:
            UsageError: The rows are of another kind, or it is not clear where their phone numbers are; or `besides` is
                not valid, as for `read`.
        """
        others = await cls._numbers_of(besides)
        reader = RowReader(
            Options(number, has_header, mobile_only, split_numbers, allow_unknown_prefix, allow_padded, others)
        )
        given = reader.rows_of(rows)
        async with AsyncExitStack() as stack:
            if isinstance(given, AsyncGenerator):
                stack.push_async_callback(given.aclose)
            if isinstance(given, AsyncIterable):
                async for row in given:
                    if reader.add(row) % _ROWS_PER_TURN == 0:
                        await asyncio.sleep(0)
            else:
                for row in given:
                    if reader.add(row) % _ROWS_PER_TURN == 0:
                        await asyncio.sleep(0)
        builder = reader.builder
        await run_in_thread(builder.finish)
        return cls(builder)

    @classmethod
    async def _numbers_of(cls, besides: object) -> frozenset[int]:
        """Return the numbers that are reached in another way.

        Raises:
            UsageError: Something is not a phone number, or numbers may be missing.
        """
        if isinstance(besides, str | bytes | Mapping) or not isinstance(besides, Iterable):
            kind = type(cast("object", besides)).__name__
            raise UsageError(f"`besides` must be a RecipientList or an iterable of phone numbers, not {kind}.")
        besides = cast("Iterable[object]", besides)
        is_begun = was_begun(besides)
        given = [besides] if isinstance(besides, RecipientList) else [*besides]
        if is_begun or (not given and hides_its_past(besides)):
            raise UsageError(
                "`besides` is an iterator that was read before, or that is empty, so numbers may be missing: those "
                "people would be reached twice. Give a list."
            )
        return await run_in_thread(lambda: frozenset(chain.from_iterable(map(cls._numbers, count(), given))))

    @staticmethod
    def _numbers(index: int, given: object) -> Iterator[int]:
        if isinstance(given, RecipientList):
            yield from (int(each.number) for each in given)
            yield from given._builder.taken  # noqa: SLF001 - this class has made it
        else:
            yield int(phone_number(getattr(given, "number", given), f"besides[{index}]"))

    # The recipients that are ready.

    def __len__(self) -> int:
        return len(self._ready)

    @overload
    def __getitem__(self, index: int) -> Recipient: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recipient]: ...
    def __getitem__(self, index: int | slice) -> Recipient | list[Recipient]:
        if isinstance(index, slice):
            return [self._recipient(place) for place in self._ready[index]]
        return self._recipient(self._ready[index])

    def __iter__(self) -> Iterator[Recipient]:
        return map(self._recipient, self._ready)

    def _recipient(self, place: int) -> Recipient:
        rows = self._builder.rows
        return Recipient(str(rows.numbers[place]), self._builder.variables(place), rows.rows[place])

    def __repr__(self) -> str:
        return f"<RecipientList: {len(self)} ready, {len(self._builder.problems)} with a problem>"

    # The whole input.

    @property
    def problems(self) -> tuple[RowProblem, ...]:
        """The rows that are left out, and why, in the order of the input."""
        return tuple(self._builder.problems[place] for place in sorted(self._builder.problems))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the user's own columns, in their order."""
        return tuple(self._builder.columns.names[index] for index in self._columns)

    @property
    def doubtful_rows(self) -> tuple[int, ...]:
        """The numbers of the skipped rows that may be rows of the list: guessed headers, and titles with a figure."""
        return tuple(self._builder.columns.doubtful)

    @property
    def number_column(self) -> str:
        """The name of the column with the phone numbers."""
        names = self._builder.columns.names
        return names[self._builder.columns.number] if names else ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the columns that become variables."""
        columns = self._builder.columns
        return tuple(columns.names[index] for index in self._columns if index != columns.number)

    @property
    def digest(self) -> str:
        """A hash of the names of the columns, of the cells of all rows, and of the numbers that are ready.

        It is the same for the same content in another format. Empty rows, titles and totals do not matter.
        """
        return self._builder.rows.digest((*self.columns, self.number_column), self._ready)

    def input_rows(self) -> Iterator[InputRow]:
        """Iterate over all rows of the input: those that are ready, and those that are left out."""
        for place in range(len(self._builder.rows)):
            yield self._input_row(place)

    def _input_row(self, place: int) -> InputRow:
        builder = self._builder
        cells, number = builder.rows.cells(place), builder.rows.numbers[place]
        own = [cells[index] if index < len(cells) else None for index in self._columns]
        extra = [cells[index] for index in builder.columns.extra if index < len(cells)]
        own += [cell for cell in (*extra, *cells[len(builder.columns.names) :]) if cell]
        return InputRow(
            builder.rows.rows[place],
            str(number) if number else None,
            tuple(own),
            builder.problems.get(place),
            is_added=place in builder.added,
        )

    @short_traceback
    async def write_rejects(self, path: str | os.PathLike[str]) -> int:
        """Write the rows that are left out to a file, to be corrected and read again.

        It has the user's own columns, the number of the row, and the reason. A spreadsheet program shows all cells as
        text; in a .csv file, a cell that would be a formula begins with an apostrophe. `read` recognises what was
        added. It leaves out a duplicate again, unless its number was corrected. It also leaves out a row with another
        problem, if another row or another list reaches its number.

        Args:
            path: A file with the suffix .csv, or .xlsx, which needs the extra `sheets`. It is replaced.

        Returns:
            The number of rows that were written.

        Raises:
            UsageError: The file cannot be written.
        """

        def write() -> int:
            numbers, problems = self._builder.rows.numbers, self._builder.problems
            left_out = {numbers[place] for place in problems}
            reached = {str(number) for number in left_out.intersection(numbers[place] for place in self._ready)}
            rows = (self._input_row(place) for place in sorted(problems))
            return self.write_rows(path, ((row, row.problem.message) for row in rows if row.problem), reached)

        return await run_in_thread(write)

    def write_rows(
        self, path: str | os.PathLike[str], rows: Iterable[tuple[InputRow, str]], reached: Collection[str | None]
    ) -> int:
        """Write some of `input_rows()` as `write_rejects` does. This blocks the event loop.

        Args:
            path: The file.
            rows: The rows, each with its reason.
            reached: The numbers that other rows of the input reach. The reason of a row with such a number, or with
                one of another list, says so, whatever else is wrong: `read` leaves out a row with such a reason.

        Raises:
            UsageError: The file cannot be written.
        """
        taken = self._builder.taken
        rows = (
            (row, f"duplicate of {row.number}: {why}")
            if row.number is not None and (row.number in reached or int(row.number) in taken)
            else (row, why)
            for row, why in rows
        )
        columns, names, number = self._builder.columns, [*self.columns], self.number_column
        if columns.header_row is None and columns.has_letters and names:
            number = names[self._columns.index(columns.number)] = "number"
        return write_rejects(path, names, number, rows)

    def summary(self) -> ListSummary:
        """Return how many rows are ready and how many are left out, and what was decided."""
        builder, columns = self._builder, self._builder.columns
        kinds = Counter(str(problem.kind) for problem in builder.problems.values())
        notes = [*self._notes]
        with suppress(IndexError):
            notes.append(f"phone numbers: column {columns.where(columns.number)}")
            if others := columns.other_numbers():
                notes.append(f"other columns that name phone numbers, and whose numbers are not reached: {others}")
        if columns.header_row is not None:
            guess = ", which is a guess: nothing in it names phone numbers" if columns.is_guess else ""
            empty = "" if len(builder.rows) or builder.skipped else ", and no rows are below it"
            notes.append(f"headers: row {columns.header_row}{guess}{empty}")
        if columns.titles:
            notes.append(f"titles, passed over: row {', '.join(map(str, columns.titles))}")
        if columns.original is not None:
            added = ", ".join(str(builder.rows.rows[place]) for place in sorted(builder.added)[:20])
            more = f", and {len(builder.added) - 20} more" if len(builder.added) > 20 else ""
            own = f", apart from those that were added to this file: {added}{more}" if added else ""
            notes.append(f"numbers of rows: those of the original file{own}")
        if builder.skipped:
            notes.append(f"totals and repeated headers, passed over: {len(builder.skipped)}")
        return ListSummary(len(builder.rows), len(self), dict(kinds), len(builder.skipped), tuple(notes))
