"""Makes a list of recipients of rows: checks each of them, and compares them with each other."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby, zip_longest
from typing import cast

import attrs

from tingting_async.errors import UsageError
from tingting_async.quantities import counted
from tingting_async.recipients import headers
from tingting_async.recipients.columns import SAMPLE, ColumnFinder, Columns, shown
from tingting_async.recipients.header_rows import Row
from tingting_async.recipients.number_reader import NumberReader, split
from tingting_async.recipients.options import Options
from tingting_async.recipients.problems import NumberProblem, RowProblem, RowProblemKind
from tingting_async.recipients.rows import PackedRows
from tingting_async.recipients.values import (
    ERRORS,
    MISSING,
    Cell,
    cell_of_python,
    cell_of_sheet,
    is_blank,
    is_formula,
    unescape,
    unquote,
)
from tingting_async.redaction import mask, redact

_IMPLAUSIBLE = {NumberProblem.NOT_A_NUMBER, NumberProblem.DATE, NumberProblem.AMOUNT, NumberProblem.TOO_SHORT}
_SPECIAL = frozenset("#Ee='")
"""The first characters of cells that may hold an error, a formula or an escape."""


class ListBuilder:
    """Takes the rows of a list one after the other, and compares them at the end.

    Args:
        options: How they are read.
        is_file: Whether the cells come from a file, so that all values become text.
        are_typed: Whether a program has given the cells, and not a spreadsheet.
        names: The names of the columns, if the rows have names for their values. The list may grow. None if a row of
            headers has the names, if anything has.
    """

    def __init__(
        self, options: Options, *, is_file: bool, are_typed: bool = False, names: list[str] | None = None
    ) -> None:
        self.rows: PackedRows = PackedRows()
        self.problems: dict[int, RowProblem] = {}
        """The problems, by the places of their rows."""
        self.skipped: list[int] = []
        """The numbers of the rows that are not rows of the list: totals, and headers that are repeated."""
        self.added: set[int] = set()
        """The places of rows that somebody has added to a rejects file. Their numbers are those of that file."""
        self.taken: set[int] = {*options.besides}
        """The numbers that are reached in another way: those of other lists, and those of a rejects file."""
        self.columns: Columns = Columns([], 0)
        self._options = options
        self._numbers = NumberReader(options, are_typed=are_typed)
        self._is_file = is_file
        self._names = names
        self._first: list[Row] | None = []
        self._header: list[str] = []
        self._least, self._most = 0, sys.maxsize
        self._filled: set[int] = set()
        self._labels: dict[int, tuple[str, str]] = {}
        self._is_added = False

    def add(self, row: int, cells: Sequence[object]) -> None:
        """Add a row. Empty rows of files are skipped."""
        if self._is_file and all(map(is_blank, cells)):
            return
        if self._first is None:
            self._take(row, cells)
        else:
            self._first.append((row, cells))
            if len(self._first) == SAMPLE:
                self._decide(self._first)

    @property
    def is_empty(self) -> bool:
        """Whether no row has been added."""
        return self._first is not None and not self._first

    def finish(self) -> None:
        """Compare the rows with each other. No row can be added after that.

        Raises:
            UsageError: No column has phone numbers, or several have.
        """
        if self._first is not None:
            self._decide(self._first)
        self._refuse_wrong_column()
        columns = self.columns
        extra = sorted(columns.unnamed) if columns.ours else ()
        ours = columns.ours | {*extra} | (columns.unnamed - self._filled)
        self.columns = attrs.evolve(columns, ours=ours, extra=tuple(extra))
        self._find_duplicates()

    def variables(self, place: int) -> dict[str, Cell]:
        """Return the values of a row, apart from its phone number."""
        columns, cells = self.columns, self.rows.cells(place)
        return {
            columns.names[index]: cell
            for index, cell in enumerate(cells)
            if index != columns.number and index not in columns.ours and cell is not None
        }

    # The columns.

    def _decide(self, first: Sequence[Row]) -> None:
        self._first = None
        if not first and not self._names and not self._is_file:
            return
        finder = ColumnFinder(self._options.number, self._options.has_header, self._numbers.is_number)
        sample = first if self._is_file else [(row, [*map(_printable, cells)]) for row, cells in first]
        if self._names is None:
            self.columns = finder.of_rows(sample)
        else:
            self.columns = attrs.evolve(finder.of_names(self._names, sample), names=self._names, has_letters=False)
        columns = self.columns
        for row, cells in sample:
            if row == columns.header_row:
                self._header = [str(cell) for cell in cells]
        self._set_widths([len(cells) for _, cells in first])
        self._is_added = columns.original is not None
        for row, cells in first:
            if row in columns.above:
                said = f"the row is above the headers, which are in row {columns.header_row}. Move it, or remove it"
                problem = self._problem(row, columns.number, RowProblemKind.ABOVE, said)
                self._keep(row, self._cells(row, cells)[0], problem)
            elif row != columns.header_row and row not in columns.titles:
                self._take(row, cells)

    def _set_widths(self, lengths: Sequence[int]) -> None:
        """Decide how many cells a row may have."""
        columns = self.columns
        if self._names is not None:
            return
        if not self._header:
            # What most rows have: one that has more must not make all others too short.
            self._least = self._most = Counter(lengths).most_common(1)[0][0] if lengths else 0
            return
        named = [index for index in range(len(self._header)) if index not in columns.unnamed]
        self._least = named[-1] + 1
        # In a rejects file, the columns without a header have the cells that were too many.
        own = [index for index in named if index not in columns.ours]
        self._most = own[-1] + 1 if columns.ours and own else len(self._header)

    # The rows, one by one.

    def _take(self, row: int, given: Sequence[object]) -> None:
        columns = self.columns
        if columns.original is not None:
            row = self._original(row, given[columns.original] if columns.original < len(given) else None)
        cells, problem = self._cells(row, given)
        while self._names is None and len(cells) > len(columns.names) and is_blank(cells[-1]):
            del cells[-1]  # Some programs write a delimiter after each row.
        if columns.unnamed:
            self._filled.update(index for index in columns.unnamed if index < len(cells) and not is_blank(cells[index]))
        # A spreadsheet's number is parsed as it is: its text may have another meaning, as with an error.
        cell = given[columns.number] if columns.number < len(given) else None
        text = cells[columns.number] if columns.number < len(cells) else None
        cell = text if isinstance(cell, str) else None if cell is MISSING else cell
        is_total = self._is_total(cells)
        number, refusal = None, self._failed(row, columns.number, text)
        if refusal is None:
            number, refusal = self._number(row, cell, given)
        if number is None and (is_total or self._is_header(cells)):
            self.skipped.append(row)
            return
        if (shape := self._misshapen(row, cells)) is not None:
            self._keep(row, cells, shape)
            return
        if is_total:
            said = "says that it is a total, and has a phone number. Remove the row, or change what it says"
            number, refusal = None, self._problem(row, columns.number, RowProblemKind.TOTAL, said)
        if refusal and refusal.kind is NumberProblem.AMBIGUOUS and self._options.split_numbers:
            for piece in split(cell):
                own = [*cells]
                own[columns.number] = piece
                number, refusal = self._number(row, piece)
                self._keep(row, own, refusal or problem, number)
        else:
            self._keep(row, cells, refusal or problem, number)

    def _original(self, row: int, cell: object) -> int:
        """Return the number of a row of a rejects file: its number in the original file, if a cell has it."""
        text = unescape(cell_of_sheet(cell)).strip() if isinstance(cell, str | int | float) else ""
        self._is_added = re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII) is None
        return row if self._is_added else int(text)

    def _keep(self, row: int, cells: Sequence[Cell], problem: RowProblem | None, number: str | None = None) -> None:
        if self._is_added:
            self.added.add(len(self.rows))
        if problem is not None:
            self.problems[len(self.rows)] = problem
        self.rows.append(row, number, cells)
        for index in self.columns.ours:
            if index < len(cells) and (found := headers.DUPLICATE_OF.match(str(cells[index]))):
                self.taken.add(int(found[1]))

    def _cells(self, row: int, given: Sequence[object]) -> tuple[list[Cell], RowProblem | None]:
        """Return the cells as they are kept, and the first problem of a cell that is not the phone number."""
        if self._is_file:
            texts = [cell if type(cell) is str else cell_of_sheet(cell) for cell in given]
            if not self.columns.ours and _SPECIAL.isdisjoint([text[:1] for text in texts]):
                return cast("list[Cell]", texts), None  # So are nearly all rows.
            change = unescape if self.columns.ours else unquote
            return self._checked(row, list(map(change, texts)), None)
        cells: list[Cell] = []
        problem = None
        for index, value in enumerate(given):
            try:
                cells.append(None if value is MISSING else cell_of_python(value))
            except ValueError as error:
                cells.append(f"{headers.NOTE}{type(value).__name__}")
                if index != self.columns.number and problem is None:
                    said = f"is {error}. Convert it to text"
                    problem = self._problem(row, index, RowProblemKind.VALUE, said)
        return self._checked(row, cells, problem)

    def _checked(
        self, row: int, cells: Sequence[Cell], problem: RowProblem | None
    ) -> tuple[list[Cell], RowProblem | None]:
        """Return cells, and the first problem of those that are not a phone number."""
        for index, cell in enumerate(cells):
            if problem is None and index != self.columns.number and index not in self.columns.ours:
                problem = self._failed(row, index, cell)
        return list(cells), problem

    def _failed(self, row: int, index: int, cell: Cell) -> RowProblem | None:
        """Return the problem of a cell without its value: a formula that failed or was not calculated, or a note."""
        if not isinstance(cell, str) or not cell.startswith(("#", "E", "e", "=", headers.NOTE)):
            return None
        if self.columns.ours and cell.startswith(headers.NOTE):
            kind = RowProblemKind.CELLS if cell == headers.LACKING else RowProblemKind.VALUE
            return self._problem(row, index, kind, f"is {cell!r}. Replace it with the value, or empty the cell")
        if ERRORS.fullmatch(cell):
            said = f"has the error {cell} of a spreadsheet's formula. Correct the formula, or write the value"
            return self._problem(row, index, RowProblemKind.ERROR, said)
        if self._is_file and is_formula(cell):
            said = "has a formula without its result. Open the file in a spreadsheet program, and save it again"
            return self._problem(row, index, RowProblemKind.FORMULA, said)
        return None

    def _number(self, row: int, cell: object, cells: Sequence[object] = ()) -> tuple[str | None, RowProblem | None]:
        """Return the number of a cell, or the problem with it, which says if another cell of the row has one."""
        found = self._numbers.read(cell)
        if isinstance(found, str):
            return found, None
        kind, said = found
        elsewhere = self._numbers.elsewhere(self.columns, cells)
        return None, self._problem(row, self.columns.number, kind, f"{said}. {elsewhere}" if elsewhere else said)

    def _problem(
        self, row: int, index: int, kind: NumberProblem | RowProblemKind, said: str, place: int | None = None
    ) -> RowProblem:
        if (found := self._labels.get(index)) is None:
            columns = self.columns
            name = columns.names[index] if index < len(columns.names) else headers.letters(index)
            found = self._labels[index] = redact(name), columns.where(index) if index < len(columns.names) else name
        name, where = found
        is_added = self._is_added if place is None else place in self.added
        return RowProblem(row, name, kind, f"Row {_shown(row, is_added)}, column {where}: {_sentence(said)}.")

    def _misshapen(self, row: int, cells: Sequence[Cell]) -> RowProblem | None:
        """Return the problem of a row with too many or too few cells: a value may be in the wrong column."""
        if self._least <= len(cells) <= self._most:
            return None
        ours = self.columns.ours
        extra = (index for index in range(self._most, len(cells)) if index not in ours and not is_blank(cells[index]))
        if (index := next(extra, None)) is not None:
            said = "A value with a delimiter in it needs quotation marks around it"
            said = f"the row has more cells than there are columns ({self._most}). {said}"
        elif len(cells) < self._least:
            index = len(cells)
            said = "Perhaps a value with a line break lacks quotation marks around it; or add what is missing"
            said = f"the row has {counted(len(cells), 'cell')}, fewer than there are columns ({self._least}). {said}"
        else:
            return None
        return self._problem(row, index, RowProblemKind.CELLS, said)

    def _is_total(self, cells: Sequence[Cell]) -> bool:
        """Return whether the first cell of a row that is not a figure says that the row is a total."""
        if self._names is not None:
            return False
        for cell in cells:
            if isinstance(cell, str) and not cell.isdecimal() and not is_blank(cell):
                return headers.is_total(cell)
        return False

    def _is_header(self, cells: Sequence[Cell]) -> bool:
        return bool(self._header) and [str(cell) for cell in cells] == self._header

    # All rows together.

    def _refuse_wrong_column(self) -> None:
        """Refuse a column in which few cells are phone numbers."""
        kinds = Counter[StrEnum](
            problem.kind
            for problem in self.problems.values()
            if isinstance(problem.kind, NumberProblem) and problem.kind is not NumberProblem.BLANK
        )
        invalid = kinds.total()
        total = invalid + len(self.rows) - self.rows.numbers.count(0)
        valid = total - invalid
        if self.columns.ours or total < 3 or len(self.columns.names) == 1 or valid * 5 >= total:
            return
        most, count = kinds.most_common(1)[0]
        if total >= 20 or count * 5 >= total * 4 or sum(kinds[kind] for kind in _IMPLAUSIBLE) * 2 > total:
            raise UsageError(
                f"Of the {total} cells of column {self.columns.where(self.columns.number)}, {valid or 'none'} "
                f"{'is a phone number' if valid < 2 else 'are phone numbers'} that can be reached "
                f"({counted(count, 'time')}: {most}). If it is the wrong column, give the right one as `number=`."
            )

    def _find_duplicates(self) -> None:
        numbers, rows = self.rows.numbers, self.rows.rows
        for place, number in enumerate(numbers if self.taken else ()):
            if number in self.taken and place not in self.problems:
                said = f"({mask(number)}) is the same number as in a row of another list"
                problem = self._problem(rows[place], self.columns.number, RowProblemKind.DUPLICATE, said, place)
                self.problems[place] = problem
        places = sorted((place for place in range(len(numbers)) if numbers[place]), key=numbers.__getitem__)
        for number, group in groupby(places, key=numbers.__getitem__):
            same = list(group)
            if len(same) > 1:
                self._compare(number, same)

    def _compare(self, number: int, same: Sequence[int]) -> None:
        """Leave out all but the first of the rows with a number; all of them, if their values are not the same."""
        columns, rows = self.columns, self.rows.rows
        ignored = {columns.number, *columns.serials, *columns.ours}
        first_cells, *others_cells = (self.rows.cells(place) for place in same)
        differ = {
            columns.names[index]
            for cells in others_cells
            for index, (one, other) in enumerate(zip_longest(first_cells, cells))
            if one != other and index not in ignored
        }
        names = ", ".join(sorted(repr(shown(name)) for name in differ)[:5])
        first = next((place for place in same if place not in self.problems), None)
        for place in same:
            if place in self.problems or (not differ and place == first):
                continue
            others = [_shown(rows[other], other in self.added) for other in same[:5] if other != place]
            named = f"row {others[0]}" if len(others) == 1 else f"rows {', '.join(others[:-1])} and {others[-1]}"
            kind, said = RowProblemKind.DUPLICATE, f"({mask(number)}) is the same number as in {named}"
            if differ:
                kind, said = RowProblemKind.CONFLICT, f"{said}, with other values in {names}. Remove the wrong row"
            self.problems[place] = self._problem(rows[place], columns.number, kind, said, place)


def _printable(cell: object) -> object:
    """Return a value of a program; if it has no text, a figure that is neither a header, nor a title, nor a number."""
    try:
        str(cell)
    except Exception:  # noqa: BLE001 - an integer of more than 4,300 digits, or any object
        return "000000"
    return cell


def _shown(row: int, is_added: bool) -> str:
    return f"{row} of this file" if is_added else str(row)


def _sentence(text: str) -> str:
    return text if text.startswith("the row") else f"the value {text}"
